"""Azure subscriptions: Azure Resource Manager cancels them and shows their state (subscription-facts 3).

Graph never lists them. Deleting a cancelled one has no documented API; the undocumented one is only tried where the
approved request asks for it, and proven by the state alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tenantclosure.errors import AccessRefused
from tenantclosure.model.inventory import Answer, Item
from tenantclosure.policy.selling import Observed, Provider
from tenantclosure.policy.subscriptions import Step, next_step
from tenantclosure.ports import Billing
from tenantclosure.providers.port import Claim, commerce_id


class AzureArm:
    """The tenant's Azure subscriptions. `AzureArm(billing, choices)`; `choices` are the request's `azure`:
    ignoreResources, deleteAtOnce.
    """

    def __init__(self, billing: Billing, choices: Mapping[str, Any]) -> None:
        self._billing = billing
        self._ignore = bool(choices.get("ignoreResources"))
        self._delete = bool(choices.get("deleteAtOnce"))

    async def discover(self) -> list[Item]:
        """Azure subscriptions whose tenant is this one."""
        return await self._billing.azure_subscriptions()

    def claim(self, rows: Sequence[Item], mine: Sequence[Item]) -> dict[str, Claim]:
        """A row of Graph whose purchase has the id of an Azure subscription; no such row is known to exist."""
        ids = {item.id.lower(): item.id for item in mine}
        why = "Azure lists a subscription of this id"
        return {
            row.id: Claim(Provider.AZURE, why, {"azureId": ids[key]})
            for row in rows
            if (key := commerce_id(row)) in ids
        }

    def alone(self, row: Item) -> Claim | None:
        """Every Azure subscription that is not deleted."""
        if row.facts.get("state") == "Deleted":
            return None
        return Claim(Provider.AZURE, "Azure lists it in this tenant", {"azureId": row.id})

    async def look(self, item: Item) -> Observed:
        """Its state word and its offer."""
        quota = item.facts.get("quotaId")
        try:
            return Observed(azure=await self._billing.azure_state(item.facts["azureId"]), quota=quota)
        except AccessRefused as refused:
            return Observed(quota=quota, no_access=f"no access to the Azure subscription ({refused})")

    def plan(
        self, item: Item, goal: str, seen: Observed, standing: Mapping[str, Any], now: datetime, day_seconds: float
    ) -> Step:
        """Cancel, then people delete it or it goes after 90 days."""
        provider = item.facts["provider"]
        return next_step(provider, goal, seen, standing, now, day_seconds, delete_at_once=self._delete)

    async def act(self, item: Item, what: str) -> Answer:
        """POST cancel; or, where the request asks for it, the undocumented deletion."""
        if what == "delete" and self._delete:
            return await self._billing.delete_azure(item.facts["azureId"])
        assert what == "cancel", what
        return await self._billing.cancel_azure(item.facts["azureId"], ignore_resources=self._ignore)
