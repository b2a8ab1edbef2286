"""What the bench must show, each with its measured figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.figures import Row
from benchmarks.runs import OURS, SERIAL

OPTIMUM, THROTTLED = 0.98, 0.001
TO_FLOOR, TO_SERIAL = 0.7, 5.0
MEMORY, TIME = 1.2, 1.1
GROWTH, LARGEST = 20.0, 2000.0
LOADED, CLOSURES = 5.0, 10
SMALL, MIDDLE, LARGE = 10_000, 100_000, 1_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One demand; `passed` is None where nothing was measured."""

    what: str
    wanted: str
    measured: str
    passed: bool | None

    def to_dict(self) -> dict[str, Any]:
        """As the JSON has it."""
        return {"what": self.what, "wanted": self.wanted, "measured": self.measured, "passed": self.passed}


def checks(rows: Iterable[Row], loaded: Mapping[str, Any] | None) -> list[Check]:
    """All demands, in the order of the list; `loaded` is what `responsive` found."""
    found = {(row.label, row.users, row.scenario): row for row in rows}

    def get(users: int, scenario: str = "free", label: str = OURS) -> Row | None:
        return found.get((label, users, scenario))

    if loaded and loaded["closures"] < CLOSURES:
        loaded = None
    quota, small, middle, large = get(SMALL, "quota"), get(SMALL), get(MIDDLE), get(LARGE)
    mine = [row for row in found.values() if row.label == OURS]
    return [
        _least("10,000 users with quota, share of the optimum", OPTIMUM, _worst(quota, "optimumShare", least=True)),
        _most("10,000 users with quota, 429 share", THROTTLED, _worst(quota, "throttledShare"), under=True),
        _most("10,000 users with quota, users lost", 0, _worst(quota, "lost")),
        _most("10,000 users with quota, users wrongly reported", 0, _worst(quota, "wrong")),
        _least("no quota, users/s over the bare loop's", TO_FLOOR, small.to_floor if small else None),
        _least("no quota, users/s over serial $batch", TO_SERIAL, _over_serial(small, get(SMALL, label=SERIAL))),
        _most("100,000 users, users lost or wrongly reported", 0, _spoiled(middle)),
        _most("1,000,000 users, users lost or wrongly reported", 0, _spoiled(large)),
        _most("host's peak memory, 1,000,000 users over 10,000", MEMORY, _over(large, small, "peakMb")),
        _most("time per user, 100,000 users over 10,000", TIME, _per_user(middle, small)),
        _most("history events more per 1,000 users, 10,000 to 100,000", GROWTH, _growth(small, middle)),
        _most("largest history of an orchestrator", LARGEST, max(_largest(mine), default=None)),
        _most("API p99 with ten closures over idle", LOADED, loaded["api"]["ratio"] if loaded else None),
        _most("page p99 with ten closures over idle", LOADED, loaded["page"]["ratio"] if loaded else None),
        *_others(found.values()),
    ]


def _others(rows: Iterable[Row]) -> list[Check]:
    """Nothing lost and nothing told wrongly in any scenario, quota or not."""
    mine = [row for row in rows if row.label == OURS]
    worst = [spoiled for row in mine if (spoiled := _spoiled(row)) is not None]
    return [_most("ours in every scenario, users lost or wrongly reported", 0, max(worst, default=None))]


def _least(what: str, wanted: float, value: float | None) -> Check:
    return Check(what, f"at least {wanted:g}", _text(value), None if value is None else value >= wanted)


def _most(what: str, wanted: float, value: float | None, *, under: bool = False) -> Check:
    passed = None if value is None else (value < wanted if under else value <= wanted)
    return Check(what, f"{'under' if under else 'at most'} {wanted:g}", _text(value), passed)


def _text(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4g}"


def _over(one: Row | None, other: Row | None, name: str) -> float | None:
    top, bottom = _middle(one, name), _middle(other, name)
    return top / bottom if top is not None and bottom else None


def _middle(row: Row | None, name: str) -> float | None:
    return row.middle(name) if row else None


def _worst(row: Row | None, name: str, *, least: bool = False) -> float | None:
    return None if row is None else row.least(name) if least else row.most(name)


def _over_serial(ours: Row | None, serial: Row | None) -> float | None:
    return _over(ours, serial, "perSecond")


def _per_user(more: Row | None, fewer: Row | None) -> float | None:
    ratio = _over(more, fewer, "seconds")
    return ratio * fewer.users / more.users if ratio is not None and more and fewer else None


def _growth(fewer: Row | None, more: Row | None) -> float | None:
    low, high = _middle(fewer, "events"), _middle(more, "events")
    if low is None or high is None or not fewer or not more:
        return None
    return 1000 * (high - low) / (more.users - fewer.users)


def _largest(rows: Iterable[Row]) -> list[float]:
    return [size for row in rows if (size := row.most("largestHistory")) is not None]


def _spoiled(row: Row | None) -> float | None:
    lost, wrong = _worst(row, "lost"), _worst(row, "wrong")
    return None if lost is None or wrong is None else lost + wrong
