"""Rollback: turn a live closure to it, or open one that has ended again for it.

The door only says that it is wanted; what can be undone is looked up, planned and approved afterwards. A closure that
has ended takes its tenant's lease first, then its row goes live under the next epoch, then its run is started: after a
crash in between the sweep gives the lease back or starts the run.
"""

from __future__ import annotations

import logging
from typing import Any

import azure.functions as func

from tenantclosure import names
from tenantclosure.ledger import iso, turn_of
from tenantclosure.names import Control, Phase, Result, Status, Word
from tenantclosure.ports import JSON
from web.closures import row_of
from web.control import comment_of, steered, told
from web.problems import refuse
from web.route import Call
from web.starting import only_host, start
from web.waking import wake_closure

log = logging.getLogger(__name__)


async def roll_back(call: Call) -> func.HttpResponse:
    """Ask for a rollback. Nothing is written to the tenant before people approve its plan."""
    comment, row = comment_of(call), await row_of(call)
    await only_host(call.parts.ledger)
    await _check(call.parts, row)
    if row["status"] == Status.ENDED:
        return told(await _reopen(call, row, comment))
    await _note(call, row, comment)
    row = await call.parts.ledger.change(row["closureId"], lambda fresh: _turn(call, fresh))
    await wake_closure(call.client, call.parts.ledger, row)
    return told(row)


async def _reopen(call: Call, row: JSON, comment: str) -> JSON:
    """Make an ended closure live again, for its rollback only."""
    ledger = call.parts.ledger
    lease = await ledger.take_lease(row["closureId"], turn_of(row) + 1)
    await _note(call, row, comment)

    def edit(fresh: JSON) -> None:
        epoch = fresh["epoch"] + 1
        fresh.update(status=Status.PLANNING, phase=Phase.GATE_ROLLBACK, control=Control.ROLLBACK, gate=None)
        fresh.update(rollback=_wanted(call, fresh, fresh["result"]), result=None, endedAt=None)
        fresh.update(epoch=epoch, instanceId=names.instance_id(fresh["closureId"], epoch))
        steered(fresh, call.who)

    row = await ledger.revive(lease, edit)
    try:
        await start(call.client, ledger, row)
    except Exception:  # the closure is live on record; the sweep starts it within a minute
        log.warning("%s is to be rolled back but could not be started yet", row["closureId"], exc_info=True)
    return row


def _turn(call: Call, row: JSON) -> None:
    """Turn a live closure to its rollback, unless it may not be by now. Raises RequestRefused."""
    steered(row, call.who)
    _free(row)
    row.update(rollback=_wanted(call, row, Result.ABORTED), control=Control.ROLLBACK)


def _wanted(call: Call, row: JSON, ends_as: str) -> JSON:
    """What the row keeps of the wish; `serial` and `plan` are filled in when it begins."""
    known = row.get("rollback") or {}
    return {
        "serial": None,
        "number": turn_of(row) + 1,
        "askedBy": call.who.to_dict(),
        "at": iso(call.parts.clock.now()),
        "endsAs": ends_as,
        "plan": known.get("plan"),
    }


async def _check(parts: Any, row: JSON) -> None:
    """Raise RequestRefused (409) when nothing can be undone any more, or the wish comes at the wrong moment."""
    if row["result"] == Result.CLOSED:
        raise refuse(
            409,
            "tenant-gone",
            "This closure ended closed: the tenant is gone.",
            "A deleted tenant does not come back; read the report for what was in it.",
        )
    marks = await parts.ledger.marks(row["closureId"])
    if any(mark == names.HAND_OVER_BEGUN for mark, _ in marks):
        raise refuse(
            409,
            "handed-over",
            "The tenant was handed over for its deletion: our application can't act in it any more.",
            "If the tenant still exists, its keeper restores users in the Entra portal, under Deleted users.",
        )
    if row["status"] != Status.ENDED:
        _free(row)


def _free(row: JSON) -> None:
    """Raise RequestRefused (409) for a live closure that is ending or is being rolled back."""
    if row["control"] == Control.ABORT:
        detail, remedy = "This closure is being aborted.", "Wait until it has ended; then ask for its rollback."
        raise refuse(409, "wrong-state", detail, remedy, control=row["control"])
    begun = (row.get("rollback") or {}).get("serial") == row["planSerial"]
    if begun or row["control"] == Control.ROLLBACK:
        raise refuse(
            409,
            "rollback-live",
            "A rollback of this closure is on its way already.",
            f"Follow it at /api/closures/{row['closureId']}.",
            control=row["control"],
        )


async def _note(call: Call, row: JSON, comment: str) -> None:
    detail = {"number": turn_of(row) + 1, "comment": comment}
    await call.parts.ledger.audit(row["closureId"], Word.ROLLBACK_REQUESTED, call.who.to_dict(), detail)
