"""Subscriptions a partner (CSP) sold: Partner Center cancels them inside their window or stops their renewal.

Only the partner's own credentials can do that; without them the partner is asked (subscription-facts 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tenantclosure.errors import AccessRefused
from tenantclosure.model.inventory import Answer, Item
from tenantclosure.policy.selling import Observed, Provider, seller_deleted
from tenantclosure.policy.subscriptions import Step, next_step
from tenantclosure.ports import Partner
from tenantclosure.providers.port import Claim, matched

NOBODY = "no partner is configured; only the partner who sold it can end it"


class PartnerCenter:
    """The tenant as a customer at Partner Center. `PartnerCenter(partner, tenant_id)`; without a partner people ask."""

    def __init__(self, partner: Partner | None, tenant_id: str) -> None:
        self._partner, self._tenant = partner, tenant_id.lower()

    async def discover(self) -> list[Item]:
        """The customer's subscriptions; none without a partner or without its permission."""
        if self._partner is None:
            return []
        try:
            return await self._partner.subscriptions()
        except AccessRefused:
            return []

    def claim(self, rows: Sequence[Item], mine: Sequence[Item]) -> dict[str, Claim]:
        """Rows that Partner Center lists, and rows whose owner is another tenant: the partner that sold them."""
        found = matched(rows, mine)
        claims = {}
        for row in rows:
            owner = str(row.facts.get("ownerTenantId") or "").lower()
            if row.id in found:
                claims[row.id] = Claim(Provider.CSP, "Partner Center lists it", {"partnerId": found[row.id].id})
            elif owner and owner != self._tenant:
                claims[row.id] = Claim(Provider.CSP, f"the tenant {owner} sold it")
        return claims

    def alone(self, row: Item) -> Claim | None:
        """Every subscription at Partner Center that is not deleted."""
        if seller_deleted(row.facts):
            return None
        return Claim(Provider.CSP, "Partner Center lists it, Graph does not", {"partnerId": row.id})

    async def look(self, item: Item) -> Observed:
        """The partner's row."""
        if self._partner is None:
            return Observed(no_access=NOBODY)
        wanted = item.facts.get("partnerId") or item.facts.get("commerceSubscriptionId")
        if not wanted:
            return Observed(no_access="the partner's name for it is not known")
        try:
            found = await self._partner.subscription(str(wanted))
        except AccessRefused as refused:
            return Observed(no_access=f"Partner Center gives no access ({refused})")
        if found is None and item.facts.get("partnerId") is None:
            return Observed(no_access="our partner did not sell it; ask the one who did")
        return Observed(partner=found.facts if found is not None else {"status": "absent"})

    def plan(
        self, item: Item, goal: str, seen: Observed, standing: Mapping[str, Any], now: datetime, day_seconds: float
    ) -> Step:
        """Cancel or suspend, otherwise stop the renewal and wait for the term."""
        return next_step(item.facts["provider"], goal, seen, standing, now, day_seconds)

    async def act(self, item: Item, what: str) -> Answer:
        """One PATCH of the whole resource."""
        assert self._partner is not None, "a row of the partner's was seen"
        wanted = str(item.facts.get("partnerId") or item.facts["commerceSubscriptionId"])
        if what == "cancel":
            return await self._partner.cancel(wanted)
        if what == "suspend":
            return await self._partner.suspend(wanted)
        assert what == "stop-renewal", what
        return await self._partner.stop_renewal(wanted)
