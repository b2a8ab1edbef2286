"""What stands in the way of deleting the tenant: every check of the portal's page, and the earliest closing date."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import azure.functions as func

from tenantclosure import names
from tenantclosure.names import Status
from tenantclosure.policy.readiness import STATES, UNKNOWN
from tenantclosure.policy.selling import dated
from tenantclosure.ports import JSON
from tenantclosure.rendering.pictures import closing_lanes
from web.answers import json_answer, page_answer
from web.closures import row_of
from web.pages import PAGE_SECONDS, render, signed
from web.route import Call
from web.tasks import shown_tasks

NAMED = 25
"""Names that the page shows of one check; the API has up to a hundred, the rest is counted."""
_TEXTS = ("name", "id", "cause", "remedy", "owner", "provider", "product", "stage")


async def show_blockers(call: Call) -> func.HttpResponse:
    """The row's blockers, the checks behind them and the closing date."""
    row = await row_of(call)
    return json_answer({"items": row["blockers"], **await newest_look(call.parts, row["closureId"])})


async def blockers_page(call: Call) -> func.HttpResponse:
    """The same for people: which licence blocks the deletion, who can clear it, and when."""
    row = await row_of(call)
    closure = row["closureId"]
    look, tasks = await asyncio.gather(newest_look(call.parts, closure), shown_tasks(call.parts, closure))
    ended = row["status"] == Status.ENDED
    return page_answer(
        render(
            "blockers.html",
            row=row,
            look=look,
            lanes=closing_lanes(look["closing"], look["at"]),
            passed=_passed(look["closing"], call.parts.clock.now()),
            tasks={task["taskId"]: task for task in tasks},
            named=NAMED,
            ended=ended,
            refresh=None if ended else PAGE_SECONDS,
            person=signed(call),
        )
    )


async def newest_look(parts: Any, closure: str) -> JSON:
    """{checks, closing, at} of the newest look that was kept, of whatever plan; empty before the first one."""
    marks = await parts.ledger.marks(closure)
    found = [(serial, doc) for (mark, serial), doc in marks.items() if mark == names.CHECKS]
    doc = max(found, key=lambda one: one[0])[1] if found else {}
    rows = doc.get("checks")
    return {
        "checks": [_check(row) for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else [],
        "closing": _closing(doc.get("closing")),
        "at": _time(doc.get("at")),
    }


# A mark may have been written by another version of this program: what is missing or odd is shown as nothing.
def _check(row: Mapping[str, Any]) -> JSON:
    items = row.get("items")
    some = [_item(one) for one in items] if isinstance(items, list) else []
    state = row.get("state")
    return {
        "check": _text(row.get("check")),
        "title": _text(row.get("title")) or _text(row.get("check")).replace("-", " ").capitalize(),
        "state": state if state in STATES else UNKNOWN,
        **{name: _text(row.get(name)) for name in ("cause", "remedy", "owner")},
        "earliest": _time(row.get("earliest")),
        "count": max(_number(row.get("count")), len(some)),
        "items": some,
    }


def _item(one: Any) -> JSON:
    """Older looks kept a name and nothing else."""
    told = one if isinstance(one, Mapping) else {"name": one}
    task = told.get("task")
    return {
        **{name: _text(told.get(name)) for name in _TEXTS},
        "waits": told.get("waits") is True,
        "earliest": _time(told.get("earliest")),
        "task": task if isinstance(task, str) else None,
    }


def _closing(told: Any) -> JSON | None:
    if not isinstance(told, Mapping):
        return None
    undated = told.get("undated")
    people = [one for one in undated if isinstance(one, Mapping)] if isinstance(undated, list) else []
    return {
        "earliest": _time(told.get("earliest")),
        "path": [_leg(leg) for leg in _legs(told.get("path"))],
        "lanes": [
            {**_leg(leg), "critical": leg.get("critical") is True, "soft": leg.get("soft") is True}
            for leg in _legs(told.get("lanes"))
        ],
        "more": _number(told.get("more")),
        "undated": [{name: _text(one.get(name)) for name in ("what", "why", "who")} for one in people],
    }


def _legs(told: Any) -> list[Mapping[str, Any]]:
    legs = told if isinstance(told, list) else []
    return [leg for leg in legs if isinstance(leg, Mapping) and _time(leg.get("from")) and _time(leg.get("to"))]


def _leg(leg: Mapping[str, Any]) -> JSON:
    return {
        "what": _text(leg.get("what")),
        "why": _text(leg.get("why")),
        "from": _time(leg.get("from")),
        "to": _time(leg.get("to")),
    }


def _passed(closing: JSON | None, now: datetime) -> bool:
    """Whether the earliest date has come: then only people and looks are missing."""
    date = dated(closing["earliest"]) if closing else None
    return date is not None and date <= now


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _time(value: Any) -> str | None:
    date = dated(value)
    try:
        return None if date is None else date.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:  # the calendar's last day, somewhere else in the world
        return None
