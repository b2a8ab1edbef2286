"""The sweep: each minute every live closure is seen to have a run, and lost wake-ups are raised again.

0. The host says that it is there; nothing else happens while another host works on the same Records.
1. A lease whose closure has ended is given back (a crash between the two writes).
2. A closure whose instance is gone, finished or failed is restarted from Records under the next epoch.
3. An order just given, a gate that Records hold the answer to, a task just reported done: woken for once more.
4. A message whose queue entry was lost is queued again; that a closure ended is told even if its run died right then.
5. People hear of a manual task they were not told of, and are reminded of what has been open for too long.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from tenantclosure import outbox
from tenantclosure.errors import RailBroken, RecordMissing
from tenantclosure.names import Control, Status
from tenantclosure.policy.approvers import judged
from tenantclosure.ports import JSON
from web.starting import LIVE, AlreadyHandled, restart, start
from web.waking import waiters, wake, wake_closure

log = logging.getLogger(__name__)

YOUNG = timedelta(seconds=60)
"""A closure this young may still be in the hands of the door that filed it."""
REMEMBERED = timedelta(minutes=15)
"""How long a report of a done task is repeated; afterwards the task's own probes find out."""
_OBEYED = {Control.PAUSE: Status.PAUSED, Control.ABORT: Status.ENDED, Control.ROLLBACK: None}
"""The status that shows that an operator's word was heard; of a rollback the word itself is taken back."""
LONGEST_PAUSE = timedelta(hours=1)
TOLD = timedelta(days=1)
"""How long after its end a closure's messages are looked after."""
ROUND = 10
"""Minutes between two looks at ended closures: their rows are all read for it."""


async def sweep(client: Any, parts: Any) -> None:
    """Look after every live closure; trouble with one does not keep the others waiting.

    While another host works on the same Records nothing is touched: each would start the other's closures afresh.
    """
    if (other := await parts.ledger.hold_host()) is not None:
        log.error("the host %s works on the same records: this one does nothing", other)
        return
    for closure in await parts.ledger.live():
        try:
            await _look_after(client, parts, closure)
        except AlreadyHandled:
            log.info("%s was looked after by somebody else", closure)
        except Exception:  # the next sweep tries this one again
            log.warning("the sweep could not look after %s", closure, exc_info=True)
        await _messages(parts, closure)
    if parts.clock.now().minute % ROUND == 0:
        await _ended(parts)


async def _ended(parts: Any) -> None:
    """Closures that ended lately: the end is told (again: nothing happens), and what is pending goes out."""
    now = parts.clock.now()
    async for row in parts.ledger.closures():
        if row["status"] == Status.ENDED and now - _at(row["endedAt"]) < TOLD:
            await _messages(parts, row["closureId"], row)


async def _messages(parts: Any, closure: str, ended: JSON | None = None) -> None:
    try:
        if ended:
            await outbox.tell_ended(parts, ended)
        elif tasks := await parts.ledger.tasks(closure):
            await outbox.remind_tasks(parts, await parts.ledger.closure(closure), tasks)
        await outbox.requeue(parts, closure)
    except Exception:  # the next sweep tries this one again
        log.warning("the sweep could not look after the messages of %s", closure, exc_info=True)


async def _look_after(client: Any, parts: Any, closure: str) -> None:
    ledger = parts.ledger
    try:
        row = await ledger.closure(closure)
    except RecordMissing:
        return
    if row["status"] == Status.ENDED:
        await ledger.give_back(closure)  # unless somebody is just opening it again for a rollback
        return
    state = await client.get_orchestration_state(row["instanceId"], fetch_payloads=False)
    now = parts.clock.now()
    if state is None and row["epoch"] == 1 and now - _at(row["createdAt"]) < YOUNG:
        # Same id as the door uses: whoever comes second finds it running.
        await start(client, ledger, row)
    elif state is None:
        await restart(client, ledger, row, None, "its instance was unknown")
    elif state.runtime_status.name not in LIVE:
        if state.runtime_status.name == "FAILED" and now - _aware(state.last_updated_at, now) < _pause(row["epoch"]):
            return
        await restart(client, ledger, row, None, f"its instance was {state.runtime_status.name.lower()}")
    else:
        await _wake_again(client, parts, row, now)


async def _wake_again(client: Any, parts: Any, row: JSON, now: datetime) -> None:
    closure, told = row["closureId"], row["gate"]
    if now - _at(row["updatedAt"]) < REMEMBERED and row["status"] != _OBEYED.get(row["control"], row["status"]):
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
