"""The sweep: each minute every live closure is seen to have a run, and lost wake-ups are raised again.

0. The host says that it is there; nothing else happens while another host works on the same Records.
1. A lease whose closure has ended is given back (a crash between the two writes).
2. A closure whose instance is gone, finished or failed is restarted from Records under the next epoch.
3. An order just given, a gate that Records hold the answer to, a task just reported done: woken for once more.
4. A message whose queue entry was lost is queued again; that a closure ended is told even if its run died right then.
5. People hear of a manual task they were not told of, and are reminded of what has been open for too long.
6. Operations hear how it all stands, and which closure is stuck (`web.watching`); records are purged after their time
   (`web.purging`).
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from tenantclosure import outbox, telemetry
from tenantclosure.errors import RailBroken, RecordMissing
from tenantclosure.names import Status
from tenantclosure.policy.approvers import judged
from tenantclosure.ports import JSON
from tenantclosure.signals import Event, Metric
from web import purging, watching
from web.starting import LIVE, AlreadyHandled, restart, start
from web.waking import waiters, wake, wake_closure

log = logging.getLogger(__name__)

YOUNG = timedelta(seconds=60)
"""A closure this young may still be in the hands of the door that filed it."""
REMEMBERED = timedelta(minutes=15)
"""How long a report of a done task is repeated; afterwards the task's own probes find out."""
LONGEST_PAUSE = timedelta(hours=1)
TOLD = timedelta(days=1)
"""How long after its end a closure's messages are looked after."""
MINUTE = timedelta(minutes=1)
ROUND = 10
"""Minutes between two looks at ended closures, whose rows are all read for it, and two at what may be stuck."""


async def sweep(client: Any, parts: Any) -> None:
    """Look after every live closure; trouble with one does not keep the others waiting.

    While another host works on the same Records nothing is touched: each would start the other's closures afresh.
    """
    with telemetry.sweeping():
        try:
            await _sweep(client, parts)
        except Exception:
            telemetry.event(log, logging.ERROR, Event.SWEEP_FAILED, "the sweep could not do its work")
            raise


async def _sweep(client: Any, parts: Any) -> None:
    now = parts.clock.now()
    before = await parts.ledger.host_at()
    if (other := await parts.ledger.hold_host()) is not None:
        said = f"the host {other} works on the same records: this one does nothing"
        telemetry.event(log, logging.ERROR, Event.HOST_REFUSED, said)
        return
    round_ = watching.Round(now, thorough=now.minute % ROUND == 0)
    if before is not None:
        round_.add(Metric.SWEEP_LAG, max(0.0, (now - before - MINUTE).total_seconds()))
    for closure in await parts.ledger.live():
        with telemetry.concerning(closureId=closure):
            await _one(client, parts, closure, round_)
    await watching.poison(round_, parts)
    round_.end()
    if round_.thorough:
        await _ended(client, parts)


async def _one(client: Any, parts: Any, closure: str, round_: watching.Round) -> None:
    try:
        if (row := await _look_after(client, parts, closure)) is not None:
            await watching.watch(round_, parts, row, answered=await _gate_answered(parts, row))
    except AlreadyHandled:
        log.info("%s was looked after by somebody else", closure)
    except Exception:  # the next sweep tries this one again
        log.warning("the sweep could not look after %s", closure, exc_info=True)
        telemetry.event(log, logging.ERROR, Event.SWEEP_FAILED, "the sweep could not look after a closure")
    await _messages(parts, closure)


async def _gate_answered(parts: Any, row: JSON) -> bool | None:
    """Whether Records hold what the open gate comes to; None while none is open."""
    told = row["gate"]
    gate = await parts.ledger.gate(row["closureId"], told["name"], told["serial"]) if told else None
    if gate is None or gate["state"] != "open":
        return None
    return await _answered(parts, gate, row["closureId"], parts.clock.now())


async def _ended(client: Any, parts: Any) -> None:
    """Closures that ended lately: the end is told (again: nothing happens), and what is pending goes out. Those that
    ended long ago are purged, one portion at a time.
    """
    now, due = parts.clock.now(), list[JSON]()
    async for row in parts.ledger.closures():
        if row["status"] != Status.ENDED:
            continue
        if now - _at(row["endedAt"]) < TOLD:
            await _messages(parts, row["closureId"], row)
        elif purging.is_due(row, parts.settings.retention_days, now):
            due.append(row)
    await purging.purge(client, parts, due)


async def _messages(parts: Any, closure: str, ended: JSON | None = None) -> None:
    try:
        if ended:
            await outbox.tell_ended(parts, ended)
        elif tasks := await parts.ledger.tasks(closure):
            await outbox.remind_tasks(parts, await parts.ledger.closure(closure), tasks)
        await outbox.requeue(parts, closure)
    except Exception:  # the next sweep tries this one again
        log.warning("the sweep could not look after the messages of %s", closure, exc_info=True)


async def _look_after(client: Any, parts: Any, closure: str) -> JSON | None:
    """The row of a live closure, which has a run now or will have one."""
    ledger = parts.ledger
    try:
        row: JSON = await ledger.closure(closure)
    except RecordMissing:
        return None
    if row["status"] == Status.ENDED:
        await ledger.give_back(closure)  # unless somebody is just opening it again for a rollback
        return None
    state = await client.get_orchestration_state(row["instanceId"], fetch_payloads=False)
    now = parts.clock.now()
    if state is None and row["epoch"] == 1 and now - _at(row["createdAt"]) < YOUNG:
        # Same id as the door uses: whoever comes second finds it running.
        await start(client, ledger, row)
    elif state is None:
        await _restart(client, ledger, row, "unknown")
    elif state.runtime_status.name not in LIVE:
        if state.runtime_status.name == "FAILED" and now - _aware(state.last_updated_at, now) < _pause(row["epoch"]):
            return row
        await _restart(client, ledger, row, state.runtime_status.name.lower())
    else:
        await _wake_again(client, parts, row, now)
    return row


async def _restart(client: Any, ledger: Any, row: JSON, state: str) -> None:
    fresh = await restart(client, ledger, row, None, f"its instance was {state}")
    text = "a run was gone, another goes on from Records"
    telemetry.event(log, logging.WARNING, Event.RUN_RESTARTED, text, reason=state, epoch=fresh["epoch"])


async def _wake_again(client: Any, parts: Any, row: JSON, now: datetime) -> None:
    closure, told = row["closureId"], row["gate"]
    if now - _at(row["updatedAt"]) < REMEMBERED and row["status"] != watching.OBEYED.get(row["control"], row["status"]):
        await wake_closure(client, parts.ledger, row)
    if told:
        gate = await parts.ledger.gate(closure, told["name"], told["serial"])
        # Only when Records hold the answer: an event a minute would grow the waiting instance's history for nothing.
        if gate and gate["state"] == "open" and await _answered(parts, gate, closure, now):
            await wake(client, *waiters(row, told, gate), row["instanceId"])
    for task in await parts.ledger.tasks(closure):
        waited_for = task["state"] == "open" or task.get("attested")
        if waited_for and task["reports"] and now - _at(task["reports"][-1]["at"]) < REMEMBERED:
            await wake(client, *waiters(row, task), row["instanceId"])


async def _answered(parts: Any, gate: JSON, closure: str, now: datetime) -> bool:
    """Whether whoever waits at the gate would find an answer, or a decision that stops the closure."""
    try:
        said = await parts.ledger.decisions(closure)
    except RailBroken:
        return True
    return bool(said) and judged(gate, parts.policy, said, now).state != "open"


def _pause(epoch: int) -> timedelta:
    """How long a failed run rests before the next: none the first time, then 1, 2, 4 ... minutes, at most an hour."""
    return timedelta() if epoch == 1 else min(LONGEST_PAUSE, timedelta(minutes=2 ** min(epoch - 2, 10)))


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _aware(moment: datetime, like: datetime) -> datetime:
    """The client's timestamps are UTC, but not all backends say so."""
    return moment if moment.tzinfo else moment.replace(tzinfo=like.tzinfo)
