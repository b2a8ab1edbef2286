"""What an operator can do to a live closure: pause, unpause, resume, abort, report a task done.

Whoever does any of it is an operator of this closure from then on, and decides at none of its later gates.
"""

from __future__ import annotations

import azure.functions as func

from tenantclosure import names
from tenantclosure.model.people import Person
from tenantclosure.names import Control, Word
from tenantclosure.ports import JSON
from web.answers import json_answer
from web.body import fields, json_body, text
from web.checks import must_live
from web.closures import row_of
from web.problems import refuse
from web.route import Call
from web.starting import AlreadyHandled, only_host, restart
from web.tasks import task_view
from web.waking import waiters, wake, wake_closure

COMMENT_ONLY = frozenset({"comment"})


async def pause(call: Call) -> func.HttpResponse:
    """Stop before the next wave; nothing already sent is taken back."""
    return await _steer(call, Word.CLOSURE_PAUSED, {Control.RUN}, Control.PAUSE)


async def unpause(call: Call) -> func.HttpResponse:
    """End a pause."""
    return await _steer(call, Word.CLOSURE_UNPAUSED, {Control.PAUSE}, Control.RUN)


async def abort(call: Call) -> func.HttpResponse:
    """End the closure before the next wave. What is deleted stays deleted; what Azure is deleting nobody can stop."""
    row = await row_of(call)
    must_live(row)
    marks = await call.parts.ledger.marks(row["closureId"])
    verdict = marks.get((names.DIRECTORY_VERDICT, row["planSerial"]), {})
    if (names.DIRECTORY_DELETION, row["planSerial"]) in marks and verdict.get("state") != "refused":
        raise refuse(
            409,
            "carried-out",
            "Azure has been told to delete the tenant, and nothing stops that any more.",
            "Wait for the end: it is proven from outside.",
        )
    return await _steer(call, Word.CLOSURE_ABORTED, {Control.RUN, Control.PAUSE}, Control.ABORT)


async def resume(call: Call) -> func.HttpResponse:
    """Start the closure afresh from Records, for one that hangs; done phases are not repeated."""
    comment = comment_of(call)
    await row_of(call)
    await only_host(call.parts.ledger)
    row = await call.parts.ledger.change(call.closure_id, lambda fresh: steered(fresh, call.who))
    try:
        row = await restart(call.client, call.parts.ledger, row, call.who.to_dict(), comment)
    except AlreadyHandled:
        row = await row_of(call)
        must_live(row)
    return told(row)


async def report_done(call: Call) -> func.HttpResponse:
    """Keep that somebody says a manual task is done: that brings its probe forward, and only the probe proves it.

    Of an attestable task the word itself is the proof, because nothing else could be.
    """
    comment = comment_of(call)
    row = await row_of(call)
    task_id = call.req.route_params["taskId"]
    # Looked for among those there are: what a path says may be longer than any key.
    known = {task["taskId"]: task for task in await call.parts.ledger.tasks(row["closureId"])}
    task = known.get(task_id)
    if task is None:
        raise refuse(
            404,
            "unknown-task",
            f"This closure has no task {task_id[:80]}.",
            f"Look its id up in GET /api/closures/{row['closureId']}/tasks.",
            field="taskId",
        )
    must_live(row)
    if task["state"] != "open":
        raise refuse(409, "task-proven", "This task is proven done already.", "Nothing is left to do here.")
    row = await call.parts.ledger.change(call.closure_id, lambda fresh: steered(fresh, call.who))
    task = await call.parts.ledger.report_task(row["closureId"], task_id, call.who, comment)
    await wake(call.client, *waiters(row, task), row["instanceId"])
    subscription = await call.parts.ledger.subscription(row["closureId"], task["target"])
    view = task_view(task, subscription, call.parts.clock.now())
    return json_answer({"task": view, "told": _told(view)}, 202)


def _told(view: JSON) -> str:
    """What a report came to, in a sentence or two."""
    if view["standing"] == "attested":
        return "Your word is the proof, kept with your name and the time: the task is done."
    if view["state"] != "open":
        return "It is proven done."
    later = f" otherwise again at {view['nextAt']}." if view["nextAt"] else " otherwise again from time to time."
    return f"Reported, not proven yet. {view.get('probe', '')} We look now,{later}"


async def _steer(call: Call, word: Word, allowed: set[Control], wanted: Control) -> func.HttpResponse:
    comment = comment_of(call)
    await row_of(call)

    def edit(fresh: JSON) -> None:
        must_live(fresh)
        if fresh["control"] not in allowed:
            now = Control(fresh["control"])
            raise refuse(409, "wrong-state", _STANDS[now], _WAYS[now], control=now)
        fresh["control"] = wanted
        steered(fresh, call.who)

    row = await call.parts.ledger.change(call.closure_id, edit)
    await call.parts.ledger.audit(call.closure_id, word, call.who.to_dict(), {"comment": comment})
    await wake_closure(call.client, call.parts.ledger, row)
    return told(row)


_STANDS = {
    Control.RUN: "This closure is not paused.",
    Control.PAUSE: "This closure is paused already.",
    Control.ABORT: "This closure is being aborted already.",
    Control.ROLLBACK: "A rollback of this closure is about to begin.",
}
_WAYS = {
    Control.RUN: "Pause it first, or leave it running.",
    Control.PAUSE: "Unpause it to go on.",
    Control.ABORT: "Wait until it has ended.",
    Control.ROLLBACK: "Wait until it has begun; then it can be paused, aborted, or vetoed at its gate.",
}


def comment_of(call: Call) -> str:
    """The comment of an order, whose body holds nothing else. Raises RequestRefused (400)."""
    return text(fields(json_body(call.req), COMMENT_ONLY), "comment", needed=False)


def steered(row: JSON, person: Person) -> None:
    """Note an operator of this closure. Raises RequestRefused when it has ended."""
    must_live(row)
    operators = row.setdefault("operators", [])
    if person.key not in operators:
        operators.append(person.key)


def told(row: JSON) -> func.HttpResponse:
    """What a closure was told."""
    return json_answer(
        {"closureId": row["closureId"], "status": row["status"], "control": row["control"], "epoch": row["epoch"]}, 202
    )
