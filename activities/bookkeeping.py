"""Where a closure stands: progress for a run that opens, phase marks, control, a new plan serial, the end."""

from __future__ import annotations

from activities.base import Order, activity
from activities.guard import unhindered
from tenantclosure.names import Control, Phase, Status, Word
from tenantclosure.policy import rails
from tenantclosure.wiring import Parts

LEAST_POLL = 0.5
"""Shortest wait between two looks in seconds, however short a rehearsal's day is."""
_STATUS = {
    Phase.PREFLIGHT: Status.PLANNING,
    Phase.SURVEY: Status.PLANNING,
    Phase.GATE_PLAN: Status.WAITING_APPROVAL,
    Phase.GATE_DELETE: Status.WAITING_APPROVAL,
    Phase.SYNC_OFF: Status.WAITING,
    Phase.PURCHASES: Status.WAITING,
    Phase.QUIET: Status.WAITING,
    Phase.CANCEL: Status.WAITING,
    Phase.DELETE_SUBSCRIPTIONS: Status.WAITING,
    Phase.READINESS: Status.WAITING,
    Phase.DELETE_TENANT: Status.WAITING,
}


@activity
async def read_progress(parts: Parts, order: Order) -> Order:
    """How far the closure is: {result, done: [phases], run: {serial, tenantId, domain, daySeconds, lanes, …}}."""
    ledger = parts.ledger
    row = await ledger.closure(order["closureId"])
    rails.check_fence({**row, "result": None}, order["epoch"])
    serial = row["planSerial"]
    marks = await ledger.marks(order["closureId"])
    if not any(mark == "run" and number == order["epoch"] for mark, number in marks):
        await ledger.audit(order["closureId"], Word.CLOSURE_STARTED, None, {"epoch": order["epoch"]})
        await ledger.set_mark(order["closureId"], "run", order["epoch"], {})
    if row["result"] is not None:
        await ledger.end(order["closureId"], row["result"])  # a crash may have left the lease
    settings = parts.settings
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
        },
    }


@activity
async def begin_phase(parts: Parts, order: Order) -> Order:
    """Show the phase on the row and keep when it first began; an abort or pause stops here."""
    ledger, closure, phase = parts.ledger, order["closureId"], order["phase"]
    if phase == Phase.REPORT:
        rails.check_fence(await ledger.closure(closure), order["epoch"])
    else:
        await unhindered(parts, order)
    status = _STATUS.get(Phase(phase), Status.RUNNING)
    await ledger.change(closure, lambda row: row.update(phase=phase, status=status))
    begun = await ledger.mark(closure, f"started-{phase}", order["serial"])
    if begun is None:
        await ledger.audit(closure, Word.PHASE_STARTED, None, {"phase": phase, "serial": order["serial"]})
        begun = await ledger.set_mark(closure, f"started-{phase}", order["serial"], {})
    return {"since": begun["at"]}


@activity
async def end_phase(parts: Parts, order: Order) -> Order:
    """Set the phase's mark: no later run does it again."""
    ledger, closure = parts.ledger, order["closureId"]
    if await ledger.mark(closure, order["phase"], order["serial"]) is None:
        await ledger.audit(closure, Word.PHASE_ENDED, None, {"phase": order["phase"], "serial": order["serial"]})
        await ledger.set_mark(closure, order["phase"], order["serial"], {})
    return {}


@activity
async def check_control(parts: Parts, order: Order) -> Order:
    """Whether the closure is paused. With `halt` a pause or an abort stops the story here."""
    if order.get("halt"):
        await unhindered(parts, order)
    row = await parts.ledger.closure(order["closureId"])
    rails.check_fence(row, order["epoch"])
    paused = row["control"] == Control.PAUSE
    status = Status.PAUSED if paused else Status.RUNNING
    if row["status"] != status:
        await parts.ledger.change(order["closureId"], lambda row: row.update(status=status))
    return {"paused": paused}


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
    """Write the result and give the tenant's lease back."""
    row = await parts.ledger.closure(order["closureId"])
    rails.check_fence({**row, "result": None}, order["epoch"])
    if row["result"] is None:
        await parts.ledger.audit(order["closureId"], Word.CLOSURE_ENDED, None, {"result": order["result"]})
    await parts.ledger.end(order["closureId"], order["result"])
    return {}
