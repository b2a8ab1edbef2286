"""Subscriptions on a Microsoft Customer Agreement: ARM billing cancels them inside their window or stops their renewal.

One billing account can bill several tenants: the gateway lets no other tenant's row out and writes only to accounts on
the deployment's list (subscription-facts 2, 10.5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tenantclosure.errors import AccessRefused
from tenantclosure.model.inventory import Answer, Item
from tenantclosure.policy.selling import Observed, Provider, seller_deleted
from tenantclosure.policy.subscriptions import Step, next_step
from tenantclosure.ports import Billing
from tenantclosure.providers.port import Claim, matched

AGREEMENT = "MicrosoftCustomerAgreement"


class McaBilling:
    """What ARM billing shows of this tenant. `McaBilling(billing)`."""

    def __init__(self, billing: Billing) -> None:
        self._billing = billing

    async def discover(self) -> list[Item]:
        """Billing subscriptions that provision this tenant, of every agreement we can see; none without a role."""
        try:
            return await self._billing.billing_subscriptions()
        except AccessRefused:
            return []

    def claim(self, rows: Sequence[Item], mine: Sequence[Item]) -> dict[str, Claim]:
        """Rows that a Customer Agreement bills; the older agreements have no API that ends them."""
        return {
            id_: Claim(Provider.MCA, "a Customer Agreement's billing account lists it", {"armId": item.id})
            for id_, item in matched(rows, mine).items()
            if item.facts.get("agreementType") == AGREEMENT
        }

    def alone(self, row: Item) -> Claim | None:
        """Every billing subscription that is not deleted; one on an older agreement is ended by a person."""
        if seller_deleted(row.facts):
            return None
        agreement = row.facts.get("agreementType")
        if agreement == AGREEMENT:
            return Claim(Provider.MCA, "a billing account lists it, Graph does not", {"armId": row.id})
        return Claim(Provider.MANUAL, f"billed under {agreement}, which no API ends", {"armId": row.id})

    async def look(self, item: Item) -> Observed:
        """The billing row."""
        try:
            found = await self._billing.billing_subscription(item.facts["armId"])
        except AccessRefused as refused:
            return Observed(no_access=f"no access to its billing account ({refused})")
        return Observed(billing=found.facts if found is not None else {"status": "absent"})

    def plan(
        self, item: Item, goal: str, seen: Observed, standing: Mapping[str, Any], now: datetime, day_seconds: float
    ) -> Step:
        """Cancel inside the window, otherwise stop the renewal and wait for the term."""
        return next_step(item.facts["provider"], goal, seen, standing, now, day_seconds)

    async def act(self, item: Item, what: str) -> Answer:
        """DELETE (which cancels) or PATCH autoRenew Off."""
        if what == "cancel":
            return await self._billing.cancel_billing(item.facts["armId"])
        assert what == "stop-renewal", what
        return await self._billing.stop_renewal(item.facts["armId"])
