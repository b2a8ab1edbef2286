"""What the sweep tells operations: gauges of all live closures, gates about to expire, poison, and who is stuck.

A closure's flag `stuck` {since, reason} lies on its row; what it is judged from, the mark `watch`, beside it. The
sweep's host is the only writer of both.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tenantclosure import names, telemetry
from tenantclosure.ledger import iso
from tenantclosure.names import Control, Phase, Status
from tenantclosure.policy import stuck, window
from tenantclosure.policy.stuck import Standing, Watch
from tenantclosure.ports import JSON
from tenantclosure.signals import Event, Metric
from tenantclosure.telemetry import Reading

log = logging.getLogger(__name__)

WATCH = "watch"
NEAR = timedelta(hours=24)
"""A gate is about to expire when less than this, or a quarter of its time, is left: whichever is shorter."""
SHARE = 0.25
OBEYED = {Control.PAUSE: Status.PAUSED, Control.ABORT: Status.ENDED, Control.ROLLBACK: None}
"""The status that shows that an operator's word was heard; of a rollback the word itself is taken back."""
_ROLLBACK = (Phase.GATE_ROLLBACK, Phase.ROLLBACK)
"""What goes on outside the deletion window, too."""
_OWN = frozenset({"run", WATCH})
"""Marks that are no progress."""


@dataclass
class Round:
    """One sweep's readings; `thorough` every ten minutes, when events are said again and standstills are looked for."""

    now: datetime
    thorough: bool
    readings: list[Reading] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def end(self) -> None:
        """Hand the readings to the gauges."""
        live = [(Metric.LIVE, float(self.statuses[status]), {"status": str(status)}) for status in Status]
        telemetry.show([*live[:-1], *self.readings])  # the last status is that of those that have ended

    def add(self, metric: Metric, value: float, **said: telemetry.Value) -> None:
        """One more reading."""
        self.readings.append((metric, value, said))


async def watch(round_: Round, parts: Any, row: JSON, *, answered: bool | None) -> None:
    """Take one live closure's readings; every ten minutes also judge whether it is stuck.

    `answered` says of its open gate whether Records hold what it comes to; None while none is open.
    """
    closure = row["closureId"]
    round_.statuses[row["status"]] += 1
    for gate in await parts.ledger.gates(closure):
        await _gate(round_, parts, row, gate)
    if round_.thorough:
        row = await _judge(round_, parts, row, answered)
    if row.get("stuck"):
        round_.add(Metric.STUCK, 1.0, closureId=closure)


async def poison(round_: Round, parts: Any) -> None:
    """How many messages nobody could handle."""
    for queue in (names.POISON_QUEUE, names.NOTICE_POISON_QUEUE):
        lying = len(await parts.records.peek(queue))
        round_.add(Metric.POISON, float(lying), queue=queue)
        if lying and round_.thorough:
            text = "messages lie in a poison queue"
            telemetry.event(log, logging.ERROR, Event.MESSAGE_POISON, text, queue=queue, count=lying)


async def _gate(round_: Round, parts: Any, row: JSON, gate: JSON) -> None:
    """Age and time left of a gate that is open, or whose approval waits to be used."""
    if gate["serial"] != row["planSerial"]:
        return
    told = {"closureId": row["closureId"], "gate": gate["gate"]}
    if gate["state"] == "open":
        reopened = gate["reopened"][-1]["at"] if gate["reopened"] else gate["openedAt"]
        round_.add(Metric.GATE_AGE, (round_.now - _at(reopened)).total_seconds(), **told)
        _left(round_, "answer-by", _at(reopened), _at(gate["answerBy"]), told)
    elif gate["state"] == "approved" and gate["executeBy"] and await _unused(parts, row, gate):
        _left(round_, "execute-by", _at(gate["closedAt"]), _at(gate["executeBy"]), told)


async def _unused(parts: Any, row: JSON, gate: JSON) -> bool:
    """Whether nothing was done on this approval yet: from the first use on, its execute-by has no meaning."""
    return await parts.ledger.mark(row["closureId"], f"used-{gate['gate']}", gate["serial"]) is None


def _left(round_: Round, limit: str, since: datetime, until: datetime, told: dict[str, Any]) -> None:
    left = (until - round_.now).total_seconds()
    round_.add(Metric.GATE_LEFT, left, **told, limit=limit)
    near = min(NEAR.total_seconds(), SHARE * (until - since).total_seconds())
    if round_.thorough and 0 < left < near:
        said = {**told, "limit": limit, "at": iso(until), "secondsLeft": round(left)}
        telemetry.event(log, logging.WARNING, Event.GATE_EXPIRING, "a gate is about to expire", **said)


async def _judge(round_: Round, parts: Any, row: JSON, answered: bool | None) -> JSON:
    """The row, flagged or cleared; the flag is written when it changes only."""
    ledger, closure, now = parts.ledger, row["closureId"], round_.now
    found = await ledger.mark(closure, WATCH, 0)
    before = _watch_of(found) if found and found.get("since") else None
    standing = await _standing(parts, row, before, answered, now)
    after = stuck.watched(before, standing, now, timedelta(seconds=parts.clock.days(1.0)), row["epoch"])
    if after != before:
        await ledger.set_mark(closure, WATCH, 0, _document(after))
    flagged = bool(row.get("stuck"))
    if after is None or not stuck.is_stuck(after, now):
        if flagged:
            telemetry.event(log, logging.INFO, Event.CLOSURE_MOVED, "the closure goes on", closureId=closure)
            cleared: JSON = await ledger.change(closure, lambda fresh: fresh.update(stuck=None))
            return cleared
        return row
    flag = {"since": iso(after.since), "reason": after.reason}
    said = {"closureId": closure, "phase": row["phase"], **flag}
    telemetry.event(log, logging.ERROR, Event.CLOSURE_STUCK, "the closure is stuck", **said)
    if row.get("stuck") == flag:
        return row
    marked: JSON = await ledger.change(closure, lambda fresh: fresh.update(stuck=flag))
    return marked


async def _standing(parts: Any, row: JSON, before: Watch | None, answered: bool | None, now: datetime) -> Standing:
    ledger, closure, serial = parts.ledger, row["closureId"], row["planSerial"]
    marks = await ledger.marks(closure)
    tasks = await ledger.tasks(closure)
    standings = await ledger.subscriptions(closure)
    gate = await ledger.gate(closure, row["gate"]["name"], row["gate"]["serial"]) if row["gate"] else None
    signs = [_at(row["createdAt"]), *(_at(doc["at"]) for (mark, _), doc in marks.items() if mark not in _OWN)]
    signs += [_at(doc["at"]) async for _, _, _, _, doc in ledger.shards(closure, serial)]
    signs += [_at(doc["at"]) for doc in standings.values()]
    signs += [_at(doc["lookedAt"] or doc["openedAt"]) for doc in tasks]
    if gate:
        signs += [_at(gate[key]) for key in ("openedAt", "closedAt") if gate[key]]
    started = marks.get((f"started-{Phase.QUIET}", serial))
    quiet = row["phase"] == Phase.QUIET and started is not None
    return Standing(
        status=row["status"],
        phase=row["phase"],
        control=row["control"],
        signed=max(signs),
        obeyed=row["status"] == OBEYED.get(row["control"], row["status"]),
        gate_answered=answered,
        answer_by=_at(gate["answerBy"]) if gate else None,
        dates=tuple(_dates([*(task for task in tasks if task["state"] == "open"), *standings.values()])),
        slowed_until=max(_slowed(row), default=None),
        quiet_until=_at(started["at"]) + _days(parts, row["request"]["quietDays"]) if quiet and started else None,
        window_open=row["phase"] in _ROLLBACK or _is_open(parts, now),
        restarted=before is not None and row["epoch"] > before.epoch,
    )


def _is_open(parts: Any, now: datetime) -> bool:
    return parts.policy.window is None or window.is_open(parts.policy.window, now)


def _dates(docs: list[JSON]) -> Iterator[datetime]:
    return (_at(doc["nextAt"]) for doc in docs if doc.get("nextAt"))


def _slowed(row: JSON) -> Iterator[datetime]:
    slowed = (blocker for blocker in row["blockers"] if blocker["what"].endswith("-slowed"))
    return (_at(blocker["earliest"]) for blocker in slowed if blocker.get("earliest"))


def _days(parts: Any, days: float) -> timedelta:
    return timedelta(seconds=parts.clock.days(days))


def _watch_of(doc: JSON) -> Watch:
    return Watch(_at(doc["since"]), _at(doc["signed"]), doc["reason"], doc["epoch"])


def _document(after: Watch | None) -> JSON:
    if after is None:
        return {"since": None}
    return {
        "since": iso(after.since),
        "signed": iso(after.signed),
        "reason": after.reason,
        "epoch": after.epoch,
    }


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
