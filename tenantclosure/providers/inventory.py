"""Graph's inventory of licence subscriptions: the truth about every row in it, and never an actor.

Nothing can be changed through Graph; `/directory/subscriptions` shows what is there and proves what is gone
(subscription-facts 5).
"""

from __future__ import annotations

from tenantclosure.model.inventory import Item
from tenantclosure.names import Family
from tenantclosure.policy.selling import Observed
from tenantclosure.ports import Directory
from tenantclosure.providers.port import Asking


class GraphInventory(Asking):
    """Graph's side of every subscription. `GraphInventory(directory)`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def discover(self) -> list[Item]:
        """Every row, to the last page. Raises ListingIncomplete."""
        return [row async for page in self._directory.pages(Family.SUBSCRIPTIONS) for row in page]

    async def look(self, item: Item) -> Observed:
        """The row of a planned item afresh, `absent` once a complete listing lacks it; no side if it never had one."""
        wanted = item.facts.get("graphId")
        if wanted is None:
            return Observed()
        row = next((row for row in await self.discover() if row.id == wanted), None)
        if row is None:
            return Observed(graph="absent")
        licences = row.facts.get("totalLicenses")
        return Observed(
            graph=str(row.facts.get("status") or ""),
            next_lifecycle=row.facts.get("nextLifecycle"),
            licences=licences if isinstance(licences, int) else None,
        )
