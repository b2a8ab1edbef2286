"""All that is left: old agreements (MOSA), Enterprise Agreements, volume licences, trials and the unknown.

A person ends them in the admin center; Graph proves it (subscription-facts 1, 7).
"""

from __future__ import annotations

from collections.abc import Sequence

from tenantclosure.model.inventory import Item
from tenantclosure.policy.selling import Provider
from tenantclosure.providers.port import Asking, Claim


class Manual(Asking):
    """What no other provider claims."""

    def claim(self, rows: Sequence[Item], mine: Sequence[Item]) -> dict[str, Claim]:
        """Everything: trials end by themselves, the rest is cancelled and deleted by a person."""
        return {
            row.id: Claim(Provider.TRIAL, "a trial")
            if row.facts.get("isTrial")
            else Claim(Provider.MANUAL, "no channel with an API lists it")
            for row in rows
        }
