"""Many runs in one row: medians, spread, and ratios to ours and to the floor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.runs import FLOOR, OURS, Run


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle and the ends of some measured values."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread | None:
        """None where nothing was measured."""
        found = [float(value) for value in values if value is not None]
        return cls(median(found), min(found), max(found)) if found else None


@dataclass(frozen=True, slots=True)
class Row:
    """One program with some users in one scenario."""

    label: str
    users: int
    scenario: str
    runs: int
    failed: int
    values: dict[str, Spread | None]
    to_ours: float | None = None
    """Its items a second over ours."""
    to_floor: float | None = None

    def middle(self, name: str) -> float | None:
        """The median of one figure."""
        spread = self.values.get(name)
        return spread.middle if spread else None

    def most(self, name: str) -> float | None:
        """The worst of one figure where less is better."""
        spread = self.values.get(name)
        return spread.most if spread else None

    def least(self, name: str) -> float | None:
        """The worst of one figure where more is better."""
        spread = self.values.get(name)
        return spread.least if spread else None


def rows(results: Iterable[Mapping[str, Any]]) -> list[Row]:
    """One row for each program, number of users and scenario, in the order they were first run."""
    groups: dict[tuple[str, int, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for result in results:
        run = Run.from_dict(result["run"])
        groups[run.contender, run.users, run.scenario, run.label].append(result)
    paces = {
        (name, users, scenario): _pace(group)
        for (name, users, scenario, _), group in groups.items()
        if name in (OURS, FLOOR)
    }
    made = []
    for (_, users, scenario, label), group in groups.items():
        good = [result["figures"] for result in group if result["ok"]]
        names = dict.fromkeys(name for one in good for name in one)
        values = {name: Spread.of(one.get(name) for one in good) for name in names}
        pace = _pace(group)
        ours, floor = (_ratio(pace, paces.get((name, users, scenario))) for name in (OURS, FLOOR))
        made.append(Row(label, users, scenario, len(group), len(group) - len(good), values, ours, floor))
    return made


def _pace(group: Iterable[Mapping[str, Any]]) -> float | None:
    spread = Spread.of(result["figures"].get("perSecond") for result in group if result["ok"])
    return spread.middle if spread else None


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None
