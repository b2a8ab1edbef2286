"""The earliest date on which the tenant can be closed, what decides it, and what has no date because people decide it.

A lower bound: only what is certain to take so long counts. What takes "up to" so long is shown beside it, and what
people have to do takes no time here (subscription-facts 7, tenant-facts C2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tenantclosure.model.inventory import Item
from tenantclosure.names import Gate
from tenantclosure.policy.obstacles import Obstacle, of_planned
from tenantclosure.policy.readiness import Check, for_people
from tenantclosure.policy.selling import DELETE_TAKES, Provider, dated
from tenantclosure.policy.stages import Side, Stage
from tenantclosure.policy.timing import PROOF_GAP

SYNC_TAKES = 3.0
"""Days that converting the users may take at most."""
LANES = 12
"""How many lanes the picture has; what is through before them is counted."""
_GATES = {
    Gate.PLAN: "Approval of the plan",
    Gate.GO_ON: "Approval to go on after the quiet period",
    Gate.DELETE_TENANT: "Approval of the tenant's end",
}
_GONE = frozenset({Stage.DEPROVISIONING, Stage.DEPROVISIONED})


@dataclass(frozen=True, slots=True)
class Sold:
    """A subscription that is left: `gone` is the earliest date it can be gone, `due` Microsoft's next date, `since`
    when it was seen gone or somebody reported it deleted. `by_hand`: nobody but a person of the tenant ends it.
    """

    obstacle: Obstacle
    gone: str | None = None
    due: str | None = None
    since: str | None = None
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the date depends on. `quiet_from` is when the quiet period began (None: it is still ahead), `quiet_days` is
    0 once it is over; `gates` are those that people have yet to decide.
    """

    sold: Sequence[Sold] = ()
    quiet_days: float = 0.0
    quiet_from: str | None = None
    sync_on: bool = False
    gates: Sequence[str] = ()
    external: bool = False


@dataclass(frozen=True, slots=True)
class _Leg:
    what: str
    why: str
    start: datetime
    end: datetime

    def to_dict(self) -> dict[str, Any]:
        return {"what": self.what, "why": self.why, "from": self.start.isoformat(), "to": self.end.isoformat()}


def closing(outlook: Outlook, rows: Iterable[Check], now: datetime, day_seconds: float) -> dict[str, Any]:
    """{earliest, path: [{what, why, from, to}], lanes: [the same with `critical` and `soft`], more, undated: [{what,
    why, who}]}.

    `path` are the legs of the lane that ends last; they follow each other. `more` counts lanes that are not told.
    """
    roads = [_subscription(one, now, day_seconds) for one in outlook.sold]
    roads += _quiet(outlook, now, day_seconds)
    roads = sorted((legs for legs in roads if legs and legs[-1].end > now), key=lambda legs: legs[-1].end, reverse=True)
    longest = roads[0] if roads else []
    earliest = longest[-1].end if longest else now
    lanes = [
        {**_Leg(legs[0].what, legs[0].why, legs[0].start, legs[-1].end).to_dict(), "critical": not n, "soft": False}
        for n, legs in enumerate(roads[:LANES])
    ]
    lanes += [{**leg.to_dict(), "critical": False, "soft": True} for leg in _soft(outlook, now, day_seconds)]
    return {
        "earliest": earliest.isoformat(timespec="seconds"),
        "path": [leg.to_dict() for leg in longest],
        "lanes": lanes,
        "more": max(len(roads) - LANES, 0),
        "undated": _undated(outlook, rows),
    }


def _subscription(one: Sold, now: datetime, day_seconds: float) -> list[_Leg]:
    """Its term, the time Microsoft keeps it, and the two looks that prove it gone; nothing where only people know."""
    told, since = one.obstacle, dated(one.since)
    if told.stage in _GONE:
        end = _after(since or now, PROOF_GAP, day_seconds)
        return [_Leg(told.name, "seen gone; a second look an hour later proves it", now, max(end, now))]
    gone = dated(one.gone)
    if gone is None and one.by_hand:
        gone = _by_hand(told, since, dated(one.due), now, day_seconds)
    if gone is None:
        return []
    due, legs, start = dated(one.due), list[_Leg](), now
    if due is not None and now < due < gone and told.stage != Stage.DISABLED:
        legs.append(_Leg(told.name, told.cause or "its term runs out", now, due))
        start = due
    if gone > start:
        why = "the time that Microsoft keeps what has ended" if legs else told.cause or "the time that its end takes"
        legs.append(_Leg(told.name, why, start, gone))
    proven = _after(max(gone, now), PROOF_GAP, day_seconds)
    return [*legs, _Leg(told.name, "two looks an hour apart prove that it is gone", max(gone, now), proven)]


def _by_hand(
    told: Obstacle, since: datetime | None, due: datetime | None, now: datetime, day_seconds: float
) -> datetime:
    """What a person deletes takes three days from there, unless its own date comes first."""
    begun = since if since is not None and told.stage == Stage.DELETE_REQUESTED else now
    end = _after(begun, DELETE_TAKES, day_seconds)
    return min(end, due) if due is not None and told.stage in (Stage.DISABLED, Stage.DELETE_REQUESTED) else end


def _quiet(outlook: Outlook, now: datetime, day_seconds: float) -> list[list[_Leg]]:
    if outlook.quiet_days <= 0:
        return []
    began = dated(outlook.quiet_from) or now
    end = _after(began, outlook.quiet_days, day_seconds)
    why = f"{outlook.quiet_days:g} days with sign-in blocked, as the request asks; then people decide again"
    return [[_Leg("Quiet period", why, began, end)]]


def _soft(outlook: Outlook, now: datetime, day_seconds: float) -> list[_Leg]:
    if not outlook.sync_on:
        return []
    why = "up to 72 hours, by the number of users; nothing is deleted before"
    return [_Leg("Directory synchronisation", why, now, _after(now, SYNC_TAKES, day_seconds))]


def _undated(outlook: Outlook, rows: Iterable[Check]) -> list[dict[str, Any]]:
    """What takes as long as people take: gates, what failed and is not ours to clear, and the last step."""
    found = [{"what": _GATES[Gate(gate)], "why": "silence is a no", "who": "the approvers"} for gate in outlook.gates]
    for row in rows:
        why = for_people(row)
        if why:
            found.append({"what": row.title, "why": why, "who": row.owner})
    if not outlook.external:
        why = "no API deletes a workforce tenant"
        found.append({"what": "Deleting the tenant in the portal", "why": why, "who": "the keeper"})
    return found


def _after(start: datetime, days: float, day_seconds: float) -> datetime:
    """So many of Microsoft's days later; a date beyond the calendar stays what it is."""
    try:
        return start + timedelta(seconds=days * day_seconds)
    except OverflowError:
        return start


def of_plan(item: Item) -> Sold:
    """A subscription's dates as the plan has them."""
    facts = item.facts
    by_hand = facts.get("provider") == Provider.MANUAL
    return Sold(of_planned(item), facts.get("earliest"), facts.get("nextLifecycle"), None, by_hand)


def of_standing(obstacle: Obstacle, standing: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> Sold:
    """A subscription's dates as its rounds have left them."""
    told = [report["at"] for task in tasks for report in task.get("reports") or () if dated(report.get("at"))]
    since = standing.get("goneAt") if obstacle.stage in _GONE else max(told, default=None)
    by_hand = obstacle.provider == Provider.MANUAL and standing.get("side") in (Side.NONE, Side.WAITING, Side.MANUAL)
    return Sold(obstacle, standing.get("earliest"), standing.get("dueAt"), since, by_hand)
