"""Draws a whole rehearsal from a seed: which tenant, which settings, and what goes wrong at which moment.

A moment is counted in requests to storage since a phase began, not in seconds: the same seed strikes at the same place
on a slow machine too.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tenantclosure.names import Phase

type Act = tuple[str, dict[str, Any]]

FIRST = "intake"
"""Before the first phase: from the filing on."""
STRUCK = {
    FIRST: 1,
    Phase.SURVEY: 2,
    Phase.GATE_PLAN: 1,
    Phase.FREEZE: 1,
    Phase.PURCHASES: 1,
    Phase.QUIET: 2,
    Phase.USERS: 6,
    Phase.CANCEL: 3,
    Phase.DELETE_SUBSCRIPTIONS: 2,
    Phase.MFA_OFF: 1,
    Phase.APPLICATIONS: 4,
    Phase.READINESS: 2,
    Phase.GATE_DELETE: 1,
    Phase.DELETE_TENANT: 2,
    Phase.REPORT: 1,
}
"""How often each phase is struck; a phase that a run passes over is struck in the next one."""
LISTINGS = r"^/v1.0/(users|applications|servicePrincipals|domains|directory/subscriptions|groups|devices)$"
ITEMS = {"method": "DELETE", "pathRegex": "/(users|applications|domains)/"}
LITTLE = 1
"""Seconds, fifty of the rehearsal's days: the most that a clock goes forwards while dates of others are waited for."""
WRITES = r"^(PUT|POST|PATCH|MERGE) /devstoreaccount1/closures"


@dataclass(frozen=True)
class Stroke:
    """`do` happens at the n-th request to storage after the phase began."""

    phase: str
    after: int
    do: str
    detail: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.phase} +{self.after}: {self.do} {json.dumps(self.detail)}"


@dataclass(frozen=True)
class Schedule:
    """Everything a seed decides."""

    seed: int
    profile: str
    users: int
    quiet_days: int
    lag_ms: int
    quota: str
    lanes: int
    strokes: tuple[Stroke, ...]

    def __str__(self) -> str:
        head = (
            f"seed {self.seed}: profile {self.profile}, {self.users} users, {self.quiet_days} quiet days, "
            f"lag {self.lag_ms} ms, quota {self.quota}, {self.lanes} lanes"
        )
        return "\n".join([head, *(f"  {stroke}" for stroke in self.strokes)])


def draw(seed: int) -> Schedule:
    """The same seed gives the same schedule."""
    dice = random.Random(seed)
    profile = dice.choices(("small", "bare", "hybrid"), (5, 3, 2))[0]
    head = {
        "profile": profile,
        "users": dice.randint(10, 60),
        "quiet_days": dice.choice((0, 0, 3, 10)),
        "lag_ms": dice.choice((0, 50, 300)),
        "quota": dice.choice(("off", "off", "60/2")),
        "lanes": dice.randint(1, 4),
    }
    kinds = ["kill", *dice.choices(list(KINDS), [weight for weight, _ in KINDS.values()], k=dice.randint(3, 6))]
    order = list(STRUCK)
    strokes = []
    for kind in kinds:
        phase = dice.choices(order, list(STRUCK.values()))[0]
        do, detail = KINDS[kind][1](dice)
        if do == "clock" and _dated(phase, profile, head["quiet_days"]):
            detail = {"by": min(detail["by"], LITTLE)}
        strokes.append(Stroke(str(phase), dice.choice((0, 1, 2, 3, 5, 8, 13, 21, 34)), do, detail))
    strokes.sort(key=lambda stroke: (order.index(stroke.phase), stroke.after))
    return Schedule(seed, strokes=tuple(strokes), **head)


def _dated(phase: str, profile: str, quiet_days: int) -> bool:
    """Whether something in this phase or a later one is waited for by a date that is not of our clock.

    A quiet period is measured against the engine's clock, which does not jump with ours; a subscription that is years
    past its date goes to Support, who would not hear of it.
    """
    order = list(STRUCK)
    before = Phase.GATE_DELETE if profile != "bare" else Phase.USERS if quiet_days else FIRST
    return order.index(phase) < order.index(before)


# -- what may go wrong -----------------------------------------------------------------------------------------------
def _kill(dice: random.Random) -> Act:
    """kill -9 of the host, before or after the request is done that it made; its task hub goes with it."""
    return "kill", {"done": dice.random() < 0.5, "down": round(dice.random(), 1)}


def _cut(dice: random.Random) -> Act:
    """Microsoft can't be reached: nobody listens, nobody answers, connections break."""
    how = dice.choice(("refuse", "hang", "reset"))
    return "cut", {"how": how} if how == "reset" else {"how": how, "seconds": round(0.3 + 1.5 * dice.random(), 1)}


def _throttled(dice: random.Random) -> Act:
    """429 for whole calls or for items of batches."""
    rule = {"do": "status", "status": 429, "code": "TooManyRequests", "retryAfter": dice.choice((0.5, 1, 2.128))}
    if dice.random() < 0.5:
        return "fault", {**rule, "match": {"pathRegex": "^/v1.0/"}, "times": dice.randint(1, 2)}
    return "fault", {**rule, "match": ITEMS, "times": dice.randint(1, 12), "inner": True}


def _failing(dice: random.Random) -> Act:
    """5xx for whole calls or for items of batches."""
    rule = {"do": "status", "status": dice.choice((500, 502, 503, 504)), "code": "ServiceUnavailable"}
    if dice.random() < 0.5:
        return "fault", {**rule, "times": dice.randint(1, 3)}
    return "fault", {**rule, "match": ITEMS, "times": dice.randint(1, 6), "inner": True}


def _broken(dice: random.Random) -> Act:
    """Connections that break before a call is done, within its answer or in place of it; answers that end early."""
    do = dice.choice(("reset", "dropAnswer", "truncate", "garble"))
    match = dice.choice(
        ({}, {"method": "POST", "pathRegex": "batch$"}, {"pathRegex": LISTINGS}, {"pathRegex": "^/prov|^/sub"})
    )
    return "fault", {"do": do, "match": match, "times": dice.randint(1, 3)}


def _lost_items(dice: random.Random) -> Act:
    """Items of a batch that were done and are missing from its answer."""
    return "fault", {"do": "dropAnswer", "match": {"method": "DELETE"}, "times": dice.randint(1, 6), "inner": True}


def _broken_page(dice: random.Random) -> Act:
    """A listing that breaks off, after its first page or in it."""
    match = {"pathRegex": LISTINGS}
    if dice.random() < 0.5:
        return "fault", {"do": "status", "status": 503, "match": match, "times": dice.randint(1, 2)}
    return "fault", {"do": dice.choice(("truncate", "garble")), "match": match, "times": dice.randint(1, 2)}


def _expired(dice: random.Random) -> Act:
    """Tokens that are refused: at once, or because they live for two seconds from now on."""
    if dice.random() < 0.5:
        return "tokens", {"token_seconds": 2}
    code = {"status": 401, "code": "InvalidAuthenticationToken"}
    return "fault", {"do": "status", **code, "match": {"pathRegex": "^/v1.0/"}, "times": dice.randint(1, 3)}


def _late(dice: random.Random) -> Act:
    """Calls that take their time."""
    return "fault", {"do": "delay", "seconds": round(0.3 + dice.random(), 1), "times": dice.randint(1, 4)}


def _storage_away(dice: random.Random) -> Act:
    """Storage can't be reached."""
    how = dice.choice(("refuse", "hang", "reset"))
    return "away", {"how": how} if how == "reset" else {"how": how, "seconds": round(0.3 + 2 * dice.random(), 1)}


def _storage_refuses(dice: random.Random) -> Act:
    """Storage throttles, is full, lets nobody in, or says that somebody else was quicker."""
    status, code, wait = dice.choice(
        (
            (503, "ServerBusy", "1"),
            (429, "TooManyRequests", "1"),
            (403, "AuthenticationFailed", ""),
            (507, "InsufficientStorage", ""),
            (412, "ConditionNotMet", ""),
        )
    )
    detail = {"do": "status", "status": status, "code": code, "retry_after": wait}
    return "spoil", {**detail, "pattern": WRITES if status in (412, 507) else "", "times": dice.randint(1, 2)}


def _storage_loses(dice: random.Random) -> Act:
    """Storage does what it is asked, and the answer is lost."""
    return "spoil", {"do": "lose", "pattern": WRITES, "times": dice.randint(1, 4)}


def _storage_slow(dice: random.Random) -> Act:
    """Storage takes its time."""
    return "spoil", {"do": "slow", "pattern": "", "seconds": round(0.1 + 0.3 * dice.random(), 1), "times": 5}


def _clock(dice: random.Random) -> Act:
    """The host's clock jumps, for good: forwards up to two hours, back a few seconds."""
    return "clock", {"by": dice.choice((-8, -3, -1, 2, 30, 600, 7200))}


KINDS: dict[str, tuple[int, Callable[[random.Random], Act]]] = {
    "kill": (4, _kill),
    "cut": (3, _cut),
    "throttled": (2, _throttled),
    "failing": (2, _failing),
    "broken": (3, _broken),
    "lost items": (2, _lost_items),
    "broken page": (2, _broken_page),
    "expired": (2, _expired),
    "late": (1, _late),
    "storage away": (3, _storage_away),
    "storage refuses": (3, _storage_refuses),
    "storage loses": (3, _storage_loses),
    "storage slow": (1, _storage_slow),
    "clock": (3, _clock),
}
"""Every kind of trouble with its weight."""
