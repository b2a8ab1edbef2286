"""Judges one run by the other side's books: what is left, what was told wrongly, and how near the quota it went."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.scenarios import Scenario

GONE = frozenset({"deleted", "gone"})
"""Words of a report that say a user is not there any more."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a program's own report is worth."""

    wrong: int
    """Users of whom the report says otherwise than the tenant: told gone but there, told failed but gone, or deleted
    and not told at all."""
    lost: int
    """Users who are left and whom the report does not name as left."""


def judge(reported: Mapping[str, str], deleted: Collection[str], left: int) -> Verdict:
    """`reported` is id -> word, `deleted` the ids really lost, `left` how many users there are besides the keeper."""
    gone = frozenset(deleted)
    named = 0
    wrong = sum(id_ not in reported for id_ in gone)
    for id_, word in reported.items():
        if (word in GONE) != (id_ in gone):
            wrong += 1
        if word not in GONE and id_ not in gone:
            named += 1
    return Verdict(wrong, max(0, left - named))


def optimum(writes: int, tokens: float, rate: float) -> float:
    """Seconds that so many writes take at best: the bucket's tokens at once, the rest as they come back."""
    return max(0.0, (writes - tokens) / rate)


def share_of_optimum(scenario: Scenario, seen: Mapping[str, Any]) -> float | None:
    """The optimum over what it took from first to last deletion; None without a quota, or where it was not met.

    What a neighbour got is not ours to use: the rate is what the quota gives less what the neighbour really wrote. Only
    deletions count as writes: who sends one twice gains nothing by it.
    """
    took, rate = float(seen["lastDelete"]) - float(seen["firstDelete"]), scenario.rate
    if rate is None or took <= 0 or seen.get("tokensAtFirstDelete") is None:
        return None
    ours = rate - float(seen.get("neighbourRate") or 0)
    best = optimum(int(seen["deleted"]), float(seen["tokensAtFirstDelete"]), ours) if ours > 0 else 0.0
    return best / took if best > 0 else None


def figures(scenario: Scenario, seen: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    """The row of one run.

    `seen`: deleted, left, firstDelete, lastDelete, provenAt (Unix seconds), requests, writes, throttled,
    tokensAtFirstDelete, neighbourRate, peakBytes; for ours also events, largestHistory.
    """
    wall = float(seen["provenAt"]) - float(seen["firstDelete"])
    deleted, tried = int(seen["deleted"]), int(seen["writes"]) + int(seen["throttled"])
    events = seen.get("events")
    return {
        "seconds": wall,
        "perSecond": deleted / wall if wall > 0 else None,
        "deleteSeconds": float(seen["lastDelete"]) - float(seen["firstDelete"]),
        "optimumShare": share_of_optimum(scenario, seen),
        "wrong": verdict.wrong,
        "left": seen["left"],
        "lost": verdict.lost,
        "throttledShare": int(seen["throttled"]) / tried if tried else 0.0,
        "requestsPerItem": int(seen["requests"]) / deleted if deleted else None,
        "peakMb": float(seen["peakBytes"]) / 1e6,
        "events": events,
        "eventsPerThousand": None if events is None else 1000 * events / max(1, deleted),
        "largestHistory": seen.get("largestHistory"),
        "deleted": deleted,
    }
