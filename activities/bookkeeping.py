"""Where a closure stands: progress for a run that opens, phase marks, control, a new plan serial, the end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from activities.approval import seconds_left, settle
from activities.base import Halt, Order, activity, clear_blocker, phase_status
from activities.guard import closed_for, show_status, undisputed, unhindered
from activities.integrity import check_records
from activities.usage import keep_usage
from tenantclosure import outbox, telemetry
from tenantclosure.names import Control, Phase, Result, Status, Word
from tenantclosure.policy import rails, timing
from tenantclosure.ports import JSON
from tenantclosure.signals import Event
from tenantclosure.wiring import Parts

log = logging.getLogger(__name__)

LEAST_POLL = 0.5
"""Shortest wait between two looks in seconds, however short a rehearsal's day is."""


@activity
async def read_progress(parts: Parts, order: Order) -> Order:
    """How far the closure is: {result, done: [phases], run: {serial, tenantId, domain, daySeconds, lanes, …}}.

    Once a rollback has begun, `run` holds its serial in `rollback`, and in `endsAs` the result the closure ends with.
    """
    ledger = parts.ledger
    row = await ledger.closure(order["closureId"])
    rails.check_fence({**row, "result": None}, order["epoch"])
    serial = row["planSerial"]
    marks = await ledger.marks(order["closureId"])
    if not any(mark == "run" and number == order["epoch"] for mark, number in marks):
        await ledger.audit(order["closureId"], Word.CLOSURE_STARTED, None, {"epoch": order["epoch"]})
        await ledger.set_mark(order["closureId"], "run", order["epoch"], {})
    if row["result"] is not None:
        # A crash may have left the lease, and told nobody.
        await ledger.end(order["closureId"], row["result"], _fence(order))
        await outbox.tell_ended(parts, row)
    settings, rollback = parts.settings, row.get("rollback") or {}
    rolling_back = rollback.get("serial") == serial
    return {
        "result": row["result"],
        "done": [str(phase) for phase in Phase if (str(phase), serial) in marks],
        "run": {
            "serial": serial,
            "tenantId": row["tenantId"],
            "domain": row["domain"],
            "daySeconds": row["daySeconds"],
            "leastPoll": LEAST_POLL,
            "quietDays": row["request"]["quietDays"],
            "keeps": bool(row["request"]["keep"]),
            "lanes": settings.lanes,
            "rate": settings.rate,
            "burst": settings.burst,
            "tenantType": row.get("tenantType") or "AAD",
            "rollback": serial if rolling_back else None,
            "endsAs": rollback["endsAs"] if rolling_back else None,
        },
    }


@activity
async def begin_phase(parts: Parts, order: Order) -> Order:
    """Show the phase on the row and keep when it first began; an abort, a pause or a touched record stops here."""
    ledger, closure, phase = parts.ledger, order["closureId"], order["phase"]
    if phase == Phase.REPORT:
        rails.check_fence(await ledger.closure(closure), order["epoch"])
    else:
        await unhindered(parts, order)
        await check_records(parts, closure)
    await ledger.change(closure, lambda row: row.update(phase=phase, status=phase_status(phase)))
    begun = await ledger.mark(closure, f"started-{phase}", order["serial"])
    if begun is None:
        await ledger.audit(closure, Word.PHASE_STARTED, None, {"phase": phase, "serial": order["serial"]})
        begun = await ledger.set_mark(closure, f"started-{phase}", order["serial"], {})
    return {"since": begun["at"]}


@activity
async def end_phase(parts: Parts, order: Order) -> Order:
    """Set the phase's mark: no later run does it again. Whatever listing broke off in it has been whole since.

    `spent` is what the run has used so far ({phase: usage}).
    """
    ledger, closure = parts.ledger, order["closureId"]
    await keep_usage(parts, order)
    await clear_blocker(parts, closure, "listing")
    if await ledger.mark(closure, order["phase"], order["serial"]) is None:
        await ledger.audit(closure, Word.PHASE_ENDED, None, {"phase": order["phase"], "serial": order["serial"]})
        await ledger.set_mark(closure, order["phase"], order["serial"], {})
        begun = await ledger.mark(closure, f"started-{order['phase']}", order["serial"])
        if begun is not None:
            now = parts.clock.now()
            telemetry.phase_ended(closure, str(order["phase"]), order["serial"], begun["at"], now)
    return {}


@activity
async def check_control(parts: Parts, order: Order) -> Order:
    """{paused, seconds}: whether the closure still has to wait, and how long at most (None: not known).

    `held` says why it waits: paused, revoked or window. While an approval is taken back its gate is looked after from
    here; a veto or silence stops the story. With `halt` everything that may hold a closure stops it here. `left`
    tells, when the order asks, the seconds until `length` seconds have passed since the phase began.
    """
    closure = order["closureId"]
    if order.get("halt"):
        await undisputed(parts, order)
    row = await parts.ledger.closure(closure)
    rails.check_fence(row, order["epoch"])
    held, seconds = None, None
    if row["control"] == Control.PAUSE:
        held = Status.PAUSED
    elif row["control"] == Control.RUN and order.get("held") == "revoked" and row["gate"]:
        gate = await settle(parts, row, row["gate"]["name"], row["gate"]["serial"])
        if gate["state"] == "open":
            held, seconds = Status.WAITING_APPROVAL, seconds_left(row, gate, parts.clock.now())
        elif gate["state"] != "approved":
            raise Halt(gate["state"], f"gate {gate['gate']}")
    elif row["control"] == Control.RUN and order.get("held") == "window":
        seconds = closed_for(parts)
        held = Status.WAITING if seconds else None
    await show_status(parts, closure, held or phase_status(row["phase"], decided=True))
    look: Order = {"paused": held is not None, "seconds": seconds}
    if "length" in order:
        look["left"] = timing.left_of(order["since"], order["length"], parts.clock.now())
    return look


@activity
async def replan(parts: Parts, order: Order) -> Order:
    """The tenant has grown: go to the next plan serial, whose phases and gates start afresh."""
    row = await unhindered(parts, order)
    if row["planSerial"] == order["serial"]:
        await parts.ledger.audit(
            order["closureId"], Word.PLAN_DRIFTED, None, {"serial": order["serial"], "added": order["detail"]}
        )
        await parts.ledger.change(
            order["closureId"], lambda row: row.update(planSerial=order["serial"] + 1, digest=None, gate=None)
        )
    return {}


@activity
async def end_closure(parts: Parts, order: Order) -> Order:
    """Write the result, give the tenant's lease back, and tell people."""
    row = await parts.ledger.closure(order["closureId"])
    _fence(order)(row)
    turned = row["control"] == Control.ROLLBACK and order["result"] != Result.CLOSED
    if row["result"] is None and not turned:
        await parts.ledger.audit(order["closureId"], Word.CLOSURE_ENDED, None, {"result": order["result"]})
    if not await parts.ledger.end(order["closureId"], order["result"], _fence(order)):
        raise Halt("rollback")  # asked for while the report was written
    ended = await parts.ledger.closure(order["closureId"])
    if row["result"] is None:
        _tell(ended, parts.clock.now())
    await outbox.tell_ended(parts, ended)
    return {}


def _tell(ended: JSON, now: datetime) -> None:
    """Telemetry of a closure's end."""
    result = str(ended["result"])
    telemetry.event(log, logging.INFO, Event.CLOSURE_ENDED, "the closure has ended", result=result)
    if result == Result.FAILED:
        telemetry.event(log, logging.ERROR, Event.CLOSURE_FAILED, "the closure has failed", result=result)
    telemetry.closure_ended(ended["closureId"], result, ended["createdAt"], now)


def _fence(order: Order) -> Callable[[JSON], None]:
    """That this run is still the closure's newest, whether or not it has ended."""
    return lambda row: rails.check_fence({**row, "result": None}, order["epoch"])
