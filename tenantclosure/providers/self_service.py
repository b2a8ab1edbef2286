"""What users bought or signed up for themselves: a person takes control of it, or deletes it (subscription-facts 6)."""

from __future__ import annotations

from collections.abc import Sequence

from tenantclosure.model.inventory import Item
from tenantclosure.policy.selling import FREE_PRODUCTS, Provider
from tenantclosure.providers.port import Asking, Claim


class SelfService(Asking):
    """Self-service purchases and free sign-up products; no public API ends either."""

    def claim(self, rows: Sequence[Item], mine: Sequence[Item]) -> dict[str, Claim]:
        """Free products by their SKU, purchases by an owner who is a user."""
        claims = {}
        for row in rows:
            if str(row.facts.get("skuPartNumber") or "").upper() in FREE_PRODUCTS:
                claims[row.id] = Claim(Provider.FREE, "a free product that users sign up for")
            elif str(row.facts.get("ownerType") or "").lower() == "user":
                claims[row.id] = Claim(Provider.SELF_SERVICE, "a user bought it")
        return claims
