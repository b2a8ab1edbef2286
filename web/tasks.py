"""Manual tasks as the API, the page and the command show them: the ledger's document and when we look again."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from tenantclosure.ports import JSON

SAID = {
    "open": "open",
    "reported": "reported done, not proven yet",
    "escalated": "not seen in time; Support is asked as well",
    "proven": "proven",
    "attested": "done on a person's word",
}
"""Every `standing` in words."""


async def shown_tasks(parts: Any, closure: str) -> list[JSON]:
    """A closure's tasks as people see them, open ones first, oldest first."""
    ledger = parts.ledger
    tasks, standings = await asyncio.gather(ledger.tasks(closure), ledger.subscriptions(closure))
    now = parts.clock.now()
    views = [task_view(task, standings.get(task.get("target", "")), now) for task in tasks]
    return sorted(views, key=lambda view: (view["state"] != "open", view["openedAt"], view["taskId"]))


def task_view(task: JSON, subscription: JSON | None, now: datetime) -> JSON:
    """A task and what is known beyond its document; `subscription` is where the one stands that it is about.

    Adds `standing` (a key of SAID) and its words as `standingText`, `overdue`, and from the subscription `nextAt` and
    `seen` where the task itself has none.
    """
    told = subscription or {}
    is_open, deadline, standing = task["state"] == "open", task.get("deadline"), _standing(task)
    return {
        **task,
        "standing": standing,
        "standingText": SAID[standing],
        "nextAt": (task.get("nextAt") or told.get("nextAt")) if is_open else None,
        "seen": (task.get("seen") or told.get("reason") or "") if is_open else "",
        "overdue": bool(is_open and deadline and datetime.fromisoformat(deadline) < now),
    }


def _standing(task: JSON) -> str:
    if task["state"] != "open":
        return "attested" if task.get("attested") else "proven"
    if task.get("escalatedAt"):
        return "escalated"
    return "reported" if task["reports"] else "open"
