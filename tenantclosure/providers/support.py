"""What only Microsoft Support ends: locked rows, the product Entra ID Free, and rows stuck past their dates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tenantclosure.model.inventory import Item
from tenantclosure.policy.selling import DISABLED_FOR, GRACE, Provider, dated, overdue
from tenantclosure.providers.port import Asking, Claim

ENTRA_FREE = "AAD_FREE"
"""How the part numbers of Microsoft Entra ID Free begin; its owner can't cancel it on any agreement
(subscription-facts 1).
"""


class Support(Asking):
    """Requests to Support. `Support(now, day_seconds)`."""

    def __init__(self, now: datetime, day_seconds: float) -> None:
        self._now, self._day_seconds = now, day_seconds

    def certain(self, row: Item) -> Claim | None:
        """A product that nobody but Support ends, whatever channel lists it."""
        if str(row.facts.get("skuPartNumber") or "").upper().startswith(ENTRA_FREE):
            return Claim(Provider.SUPPORT, "Microsoft Entra ID Free, which nobody can cancel in the admin center")
        return None

    def claim(self, rows: Sequence[Item], mine: Sequence[Item]) -> dict[str, Claim]:
        """Rows that are locked, or whose last date has long passed."""
        claims = {}
        for row in rows:
            status, date = row.facts.get("status"), dated(row.facts.get("nextLifecycle"))
            if status == "LockedOut":
                claims[row.id] = Claim(Provider.SUPPORT, "locked out")
            elif status != "Deleted" and overdue(date, self._now, self._day_seconds, GRACE + DISABLED_FOR):
                claims[row.id] = Claim(Provider.SUPPORT, f"its date {row.facts['nextLifecycle']} has long passed")
        return claims
