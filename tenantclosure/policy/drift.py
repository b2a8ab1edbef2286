"""What changed since the plan was frozen: the difference between it and a fresh listing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tenantclosure.model.inventory import Item
from tenantclosure.policy.planner import Spared
from tenantclosure.policy.refusals import label


@dataclass(frozen=True, slots=True)
class Drift:
    """`added` stop the phase and are asked about; `gone` are recorded; `left` are planned and still there."""

    added: tuple[str, ...]
    gone: tuple[str, ...]
    left: tuple[str, ...]


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
    """Compare the ids of the plan with a complete fresh listing."""
    seen = frozenset(listed)
    return Drift(
        added=tuple(sorted(seen - planned - spared)),
        gone=tuple(sorted(planned - seen)),
        left=tuple(sorted(planned & seen)),
    )


def staying(spared: Spared, family: str, known: frozenset[str], listed: Iterable[Item]) -> dict[str, Staying]:
    """Listed items that must stay as they are now, by id; those the plan keeps (`known`) are not news."""
    return {
        item.id: Staying(label(item), reason)
        for item in listed
        if item.id not in known and (reason := spared.reason(family, item)) is not None
    }
