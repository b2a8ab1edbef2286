"""What changed since the plan was frozen: the difference between it and a fresh listing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tenantclosure.model.inventory import Item
from tenantclosure.policy.planner import Spared
from tenantclosure.policy.refusals import label


@dataclass(frozen=True, slots=True)
class Drift:
    """What a page of a listing holds: `added` stop the phase and are asked about, `left` are planned and still there.

    What is planned and on no page is gone.
    """

    added: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(slots=True)
class First:
    """How many ids there are, and the first `most` of them in order, without holding the others."""

    most: int
    count: int = 0
    ids: list[str] = field(default_factory=list)

    def take(self, more: Iterable[str]) -> None:
        """Count these as well."""
        fresh = list(more)
        self.count += len(fresh)
        self.ids = sorted([*self.ids, *fresh])[: self.most]


@dataclass(frozen=True, slots=True)
class Staying:
    """An item of the plan that the planner would keep as it is now: nothing is written to it."""

    name: str
    reason: str

    @property
    def why(self) -> str:
        """The reason of its outcome `kept`."""
        return f"changed after the plan was frozen: {self.reason}"


def compare(planned: frozenset[str], spared: frozenset[str], listed: Iterable[str]) -> Drift:
    """Compare the ids of one page of a fresh listing with the plan; `planned` are those of the plan among them."""
    seen = frozenset(listed)
    return Drift(added=tuple(sorted(seen - planned - spared)), left=tuple(sorted(planned & seen)))


def staying(spared: Spared, family: str, known: frozenset[str], listed: Iterable[Item]) -> dict[str, Staying]:
    """Listed items that must stay as they are now, by id; those the plan keeps (`known`) are not news."""
    return {
        item.id: Staying(label(item), reason)
        for item in listed
        if item.id not in known and (reason := spared.reason(family, item)) is not None
    }
