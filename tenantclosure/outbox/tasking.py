"""Telling people what they have to do, and bringing it to mind: the requester and the request's helpers."""

from __future__ import annotations

from collections.abc import Sequence

from tenantclosure.ledger import iso
from tenantclosure.names import Control, Notice, Status
from tenantclosure.outbox.posting import MAIL, TEAMS, post, short_hash
from tenantclosure.policy.reminding import reminders_due
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts

_OVER = frozenset({Control.ABORT, Control.ROLLBACK})


async def tell_tasks(parts: Parts, row: JSON, tasks: Sequence[JSON]) -> None:
    """Write to people about open tasks they don't know of: one mail each, one card. Harmless when repeated.

    `tasks` are documents of the ledger; those of an earlier telling are left out.
    """
    new = [task for task in tasks if task["state"] == "open" and not task.get("toldAt")]
    if not new or over(row):
        return
    await _post(parts, row, Notice.TASK, new, "", card=True)
    for task in new:
        await parts.ledger.tell_task(row["closureId"], task["taskId"])


async def tell_escalated(parts: Parts, row: JSON, task_id: str) -> None:
    """Write to people that Support is asked about a task. Harmless when repeated."""
    task = await parts.ledger.task(row["closureId"], task_id)
    if task is None or task["state"] != "open" or task.get("escalationToldAt") or over(row):
        return
    await _post(parts, row, Notice.TASK_REMIND, [task], "escalated", card=False)
    now = iso(parts.clock.now())
    await parts.ledger.change_task(row["closureId"], task_id, lambda doc: doc.update(escalationToldAt=now))


async def remind_tasks(parts: Parts, row: JSON, tasks: Sequence[JSON]) -> None:
    """For the sweep: tell again what was lost, and bring to mind what has been open for 24 hours, 72 hours, 7 days.

    At most one mail of each kind a person, whatever the number of tasks; `tasks` are all of the closure's.
    """
    if over(row):
        return
    for task in tasks:
        if task.get("escalatedAt") and not task.get("escalationToldAt"):  # a crash came before the telling
            await tell_escalated(parts, row, task["taskId"])
    told = [task for task in tasks if task.get("toldAt")]
    await tell_tasks(parts, row, tasks)
    if parts.mailer is None:
        return
    now, day = parts.clock.now(), row["daySeconds"]
    due = {task["taskId"]: reminders_due(task, now, day) for task in told}
    late = [task for task in told if due[task["taskId"]] > task.get("reminders", 0)]
    if late:
        about = ",".join(str(due[task["taskId"]]) for task in late)
        await _post(parts, row, Notice.TASK_REMIND, late, about, card=False)
    for task in late:
        await parts.ledger.remind_task(row["closureId"], task["taskId"], due[task["taskId"]])


def over(row: JSON) -> bool:
    """Whether nobody has to do anything for this closure any more: it has ended, or is being undone or aborted."""
    return row["status"] == Status.ENDED or row["control"] in _OVER or bool(row.get("rollback"))


def still_open(notice: JSON, tasks: Sequence[JSON | None]) -> list[JSON]:
    """Those of a notice's tasks that people still have to do: open, and in the life it was written about."""
    lives = {one["taskId"]: one["life"] for one in notice["detail"].get("tasks") or ()}
    return [
        task for task in tasks if task and task["state"] == "open" and task.get("life", 1) == lives.get(task["taskId"])
    ]


async def _post(parts: Parts, row: JSON, kind: str, tasks: Sequence[JSON], about: str, *, card: bool) -> None:
    lives = [{"taskId": task["taskId"], "life": task.get("life", 1)} for task in tasks]
    named = short_hash(",".join(sorted(f"{one['taskId']}#{one['life']}" for one in lives)) + f"|{about}")
    detail: JSON = {"tasks": lives, "escalated": about == "escalated"}
    for person in _people(row) if parts.mailer is not None else ():
        await post(parts, row, None, kind, named, detail, person, MAIL)
    if card and parts.channel is not None:
        await post(parts, row, None, kind, named, detail, None, TEAMS)


def _people(row: JSON) -> list[JSON]:
    """The requester and the request's helpers, each once; looked up in the hosting tenant when a mail goes out."""
    who = row["requester"]
    people = {str(who["upn"]).lower(): {key: who.get(key) or "" for key in ("tenantId", "objectId", "upn", "name")}}
    for upn in row["request"].get("helpers") or ():
        people.setdefault(upn.lower(), {"tenantId": "", "objectId": "", "upn": upn, "name": ""})
    return list(people.values())
