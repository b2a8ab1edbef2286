"""The port of every way in which Microsoft sells, and what all of them share (subscription-facts 10.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from tenantclosure.model.inventory import Answer, Item
from tenantclosure.policy.selling import Observed, dated
from tenantclosure.policy.subscriptions import Step, next_step

NEAR = 86400.0
"""Seconds by which two services may differ about the same date."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A provider's claim on a subscription: as which `provider` it is ended, `why`, and facts the plan keeps for it
    (`armId`, `partnerId`, `azureId`: where its other side is).
    """

    provider: str
    why: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class SubscriptionProvider(Protocol):
    """One way in which subscriptions are sold and ended."""

    async def discover(self) -> list[Item]:
        """Rows of this provider's own side, complete; nothing is changed. No access means no rows.

        Raises ListingIncomplete or ServiceTrouble.
        """
        ...

    def claim(self, rows: Sequence[Item], mine: Sequence[Item]) -> dict[str, Claim]:
        """Which of Graph's rows it owns, by row id; `mine` is what `discover` found."""
        ...

    def alone(self, row: Item) -> Claim | None:
        """Its claim on a row of its own that Graph does not show; None when that row is no subscription to end."""
        ...

    async def look(self, item: Item) -> Observed:
        """Its side of a planned item afresh. A refused read is a fact (`no_access`); other trouble is raised."""
        ...

    def plan(
        self, item: Item, goal: str, seen: Observed, standing: Mapping[str, Any], now: datetime, day_seconds: float
    ) -> Step:
        """The next step; pure."""
        ...

    async def act(self, item: Item, what: str) -> Answer:
        """Exactly one write: the call that a step named. Raises RailBroken where it must not be made."""
        ...


class Asking:
    """A provider whose subscriptions only people end: it has no side of its own and nothing is ever called."""

    provider: str = ""

    async def discover(self) -> list[Item]:
        """No rows: Graph is all there is."""
        return []

    def claim(self, rows: Sequence[Item], mine: Sequence[Item]) -> dict[str, Claim]:
        """None by itself."""
        return {}

    def alone(self, row: Item) -> Claim | None:
        """None: it has no rows."""
        return None

    async def look(self, item: Item) -> Observed:
        """Nothing beside Graph."""
        return Observed()

    def plan(
        self, item: Item, goal: str, seen: Observed, standing: Mapping[str, Any], now: datetime, day_seconds: float
    ) -> Step:
        """As the transition table says for this item's provider."""
        return next_step(item.facts["provider"], goal, seen, standing, now, day_seconds)

    async def act(self, item: Item, what: str) -> Answer:
        """Never: whoever gets here has a step of another provider."""
        raise AssertionError(f"{what} of {item.id}: {item.facts['provider']} is ended by people")


def matched(rows: Sequence[Item], mine: Sequence[Item]) -> dict[str, Item]:
    """Graph's rows and the seller's rows that are the same subscription, by Graph's row id.

    First by commerceSubscriptionId, which is believed to be the seller's name for it; then, for what is left on both
    sides, by product, seats and date, if that fits exactly one of each (subscription-facts 5, 10.1).
    """
    names = {name_of(item): item for item in mine}
    found = {row.id: names[key] for row in rows if (key := commerce_id(row)) in names}
    taken = {item.id for item in found.values()}
    rest = [item for item in mine if item.id not in taken]
    pairs = [(row, item) for row in rows if row.id not in found for item in rest if _alike(row, item)]
    for row, item in pairs:
        if sum(row is one for one, _ in pairs) == 1 == sum(item is one for _, one in pairs):
            found[row.id] = item
    return found


def commerce_id(row: Item) -> str:
    """Graph's name for the purchase, in lower case."""
    return str(row.facts.get("commerceSubscriptionId") or "").lower()


def name_of(item: Item) -> str:
    """A seller's name for a subscription: the last part of its id, in lower case."""
    return item.id.rpartition("/")[2].lower()


def _alike(row: Item, item: Item) -> bool:
    ours, theirs = row.facts, item.facts
    dates = dated(ours.get("nextLifecycle")), dated(theirs.get("termEndDate") or theirs.get("commitmentEndDate"))
    if not ours.get("skuId") or not theirs.get("skuId") or None in dates:
        return False
    first, second = (date for date in dates if date is not None)
    return (
        str(ours["skuId"]).lower() == str(theirs["skuId"]).lower()
        and ours.get("totalLicenses") == theirs.get("quantity")
        and abs((first - second).total_seconds()) <= NEAR
    )
