"""Providers: one for each way in which Microsoft sells, behind one port, and who owns which subscription (ADR 13).

| Module | Ways of buying | Ended by |
|---|---|---|
| `inventory` | Graph's listing: the truth about all of them | never acts |
| `azure` | Azure subscriptions | ARM; a person deletes them |
| `partner` | from a partner (CSP) | Partner Center; without access the partner is asked |
| `mca` | Microsoft Customer Agreement | ARM billing, accounts on the list only; then the end of the term |
| `self_service` | purchases by users, free sign-up products | people |
| `support` | locked, Entra ID Free, stuck past their dates | Microsoft Support |
| `manual` | old agreements, EA, volume licences, trials, unknown | people |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from tenantclosure.model.inventory import Item
from tenantclosure.policy.product_names import product_name
from tenantclosure.policy.selling import Observed, Provider, earliest_gone
from tenantclosure.ports import Billing, Directory, Partner
from tenantclosure.providers.azure import AzureArm
from tenantclosure.providers.inventory import GraphInventory
from tenantclosure.providers.manual import Manual
from tenantclosure.providers.mca import McaBilling
from tenantclosure.providers.partner import PartnerCenter
from tenantclosure.providers.port import Claim, SubscriptionProvider, matched, name_of
from tenantclosure.providers.self_service import SelfService
from tenantclosure.providers.support import Support


class Providers:
    """All providers of one tenant at one moment.

    `Providers(tenant_id, directory, billing, partner, choices, now, day_seconds)`; `choices` are the request's `azure`.
    """

    def __init__(
        self,
        tenant_id: str,
        directory: Directory,
        billing: Billing,
        partner: Partner | None,
        choices: Mapping[str, Any],
        now: datetime,
        day_seconds: float,
    ) -> None:
        self.inventory = GraphInventory(directory)
        self.azure, self.mca = AzureArm(billing, choices), McaBilling(billing)
        self.partner = PartnerCenter(partner, tenant_id)
        self.self_service, self.support, self.manual = SelfService(), Support(now, day_seconds), Manual()
        self._directory, self._day_seconds = directory, day_seconds
        self._sides: dict[str, Mapping[str, Any]] = {}

    @property
    def channels(self) -> tuple[SubscriptionProvider, ...]:
        """Those with an API that acts, in the order of their claims."""
        return (self.azure, self.partner, self.mca)

    async def discover(self, graph: Sequence[Item] | None = None) -> list[Item]:
        """Every subscription of the tenant as an item of a plan; `graph` are Graph's rows if they were listed before.

        Item id: Graph's row id, otherwise the seller's name for it. Facts: the row's, and `provider`, `why`,
        `licences`; `graphId` (None when Graph does not show it), and `azureId`, `armId`, `partnerId` where it has such
        a side. One that two channels claim is `disputed`. Raises ListingIncomplete or ServiceTrouble.
        """
        rows = list(graph) if graph is not None else await self.inventory.discover()
        own = [await channel.discover() for channel in self.channels]
        self._sides = {row.id: row.facts for mine in own for row in mine}
        items = self._owned(rows, own)
        azure = {row.id.lower() for row in own[0]}
        for channel, mine in zip(self.channels, own, strict=True):
            shown = {row.id for row in matched(rows, mine).values()}
            for row in mine:
                # Billing and Partner Center list an Azure subscription too, under the same id.
                twice = row.id in shown or (channel is not self.azure and name_of(row) in azure)
                claim = None if twice else channel.alone(row)
                if claim is not None:
                    items.append(_item(name_of(row) if "/" in row.id else row.id, row, claim, graph=None))
        return [await self._reachable(item) for item in items]

    def _owned(self, rows: Sequence[Item], own: Sequence[Sequence[Item]]) -> list[Item]:
        by_channel = [channel.claim(rows, mine) for channel, mine in zip(self.channels, own, strict=True)]
        others = [provider.claim(rows, ()) for provider in (self.self_service, self.support, self.manual)]
        azure = {row.id: row for row in own[0]}
        items = []
        for row in rows:
            claims = [found[row.id] for found in by_channel if row.id in found]
            certain = self.support.certain(row)
            if certain is not None:
                claim = certain
            elif len(claims) > 1:
                facts = {key: value for one in claims for key, value in one.facts.items()}
                claim = Claim(Provider.DISPUTED, "; ".join(one.why for one in claims), facts)
            else:
                claim = [*claims, *(found[row.id] for found in others if row.id in found)][0]
            twin = azure.get(str(claim.facts.get("azureId")))
            items.append(_item(row.id, row, claim, graph=row.id, more=twin.facts if twin is not None else {}))
        return items

    async def _reachable(self, item: Item) -> Item:
        """A self-service purchase whose buyer is deleted is out of everybody's reach but Support's."""
        buyer = item.facts.get("ownerId")
        if item.facts["provider"] != Provider.SELF_SERVICE or not buyer or item.facts.get("status") == "Deleted":
            return item
        if await self._directory.find_user(str(buyer)) is not None:
            return item
        why = "its buyer is deleted"
        return replace(item, facts={**item.facts, "provider": str(Provider.SUPPORT), "why": why})

    def earliest(self, item: Item, now: datetime) -> str | None:
        """The earliest date on which an item of the last `discover` can be gone, counted from `now`."""
        facts = {
            **item.facts,
            "billing": self._sides.get(str(item.facts.get("armId"))),
            "partner": self._sides.get(str(item.facts.get("partnerId"))),
        }
        date = earliest_gone(item.facts["provider"], facts, now, self._day_seconds)
        return None if date is None else date.isoformat()

    def owner(self, item: Item) -> SubscriptionProvider:
        """Who ends a planned item."""
        owners: dict[str, SubscriptionProvider] = {
            Provider.AZURE: self.azure,
            Provider.CSP: self.partner,
            Provider.MCA: self.mca,
            Provider.SELF_SERVICE: self.self_service,
            Provider.FREE: self.self_service,
            Provider.SUPPORT: self.support,
        }
        return owners.get(item.facts["provider"], self.manual)

    async def look(self, item: Item) -> Observed:
        """Graph's side and the seller's side of a planned item afresh."""
        shown = await self.inventory.look(item)
        sides: list[SubscriptionProvider] = [self.owner(item)]
        if item.facts["provider"] == Provider.DISPUTED or item.facts.get("graphId") is None:
            keys = ((self.azure, "azureId"), (self.partner, "partnerId"), (self.mca, "armId"))
            sides = [side for side, key in keys if item.facts.get(key)]
        for side in sides:
            seen = await side.look(item)
            shown = replace(
                shown,
                azure=seen.azure or shown.azure,
                quota=seen.quota or shown.quota,
                billing=seen.billing if seen.billing is not None else shown.billing,
                partner=seen.partner if seen.partner is not None else shown.partner,
                no_access=seen.no_access or shown.no_access,
            )
        return shown


def _item(id_: str, row: Item, claim: Claim, *, graph: str | None, more: Mapping[str, Any] | None = None) -> Item:
    licences = row.facts.get("totalLicenses", row.facts.get("quantity"))
    facts = {**(more or {}), **row.facts, **claim.facts}
    named = {"provider": str(claim.provider), "why": claim.why, "licences": licences, "graphId": graph}
    return Item(id_, product_name(row.name, facts.get("skuPartNumber")), {**facts, **named})
