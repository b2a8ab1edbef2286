"""Pages people look at: the list of closures, one closure, and problems in plain words. No script anywhere."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import azure.functions as func
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tenantclosure.names import Outcome, Phase, Status
from tenantclosure.ports import JSON
from web.answers import page_answer, raw_answer
from web.closures import MOST, number, page_of_rows, row_of
from web.poison import poison_list
from web.problems import headers_of, refuse
from web.route import Call
from web.view import closure_view

HERE = Path(__file__).parent
FILES = {"closure.css": "text/css", "mark.svg": "image/svg+xml"}
"""What the static door hands out; a name from outside never becomes a path."""

LABELS = {
    Phase.PREFLIGHT: "Check the request",
    Phase.SURVEY: "Survey and plan",
    Phase.GATE_PLAN: "Approve the plan",
    Phase.FREEZE: "Freeze sign-ups",
    Phase.SYNC_OFF: "Turn directory sync off",
    Phase.PURCHASES: "End self-service purchases",
    Phase.QUIET: "Quiet period",
    Phase.USERS: "Delete users",
    Phase.CANCEL: "Cancel subscriptions",
    Phase.DELETE_SUBSCRIPTIONS: "Delete subscriptions",
    Phase.MFA_OFF: "Turn MFA off",
    Phase.APPLICATIONS: "Remove applications",
    Phase.READINESS: "Check readiness",
    Phase.GATE_DELETE: "Approve the tenant's end",
    Phase.DELETE_TENANT: "Delete the tenant",
    Phase.REPORT: "Write the report",
}

_environment = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def moment(text: str | None) -> str:
    """A wire time as people read it, to the minute, in UTC."""
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC" if text else ""


def span(seconds: float) -> str:
    """A length of time in its two largest units."""
    left = max(0, round(seconds))
    words = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if left >= size:
            words.append(f"{left // size} {unit}")
            left %= size
        if len(words) == 2:
            break
    return " ".join(words) or "0 s"


_environment.filters["moment"] = moment


async def closures_page(call: Call) -> func.HttpResponse:
    """The list of closures and of refused queue messages."""
    after, top = call.req.params.get("after", ""), number(call.req, "top", 50, least=1, most=MOST)
    rows, more = await page_of_rows(call.parts, after, top)
    views = await asyncio.gather(*(closure_view(call.parts, row) for row in rows))
    return page_answer(
        _environment.get_template("closures.html").render(
            closures=views,
            following=rows[-1]["closureId"] if more else None,
            top=top,
            poison=await poison_list(call.parts.records),
            refresh=15,
            labels=LABELS,
        )
    )


async def closure_page(call: Call) -> func.HttpResponse:
    """One closure: where it stands, what is missing, what people have to do."""
    row = await row_of(call)
    view, tasks, steps = await asyncio.gather(
        closure_view(call.parts, row), call.parts.ledger.tasks(row["closureId"]), _timeline(call.parts, row)
    )
    left = None
    if view["eta"]:
        left = span((datetime.fromisoformat(view["eta"]) - call.parts.clock.now()).total_seconds())
    return page_answer(
        _environment.get_template("closure.html").render(
            view=view,
            request=row["request"],
            tasks=[task for task in tasks if task["state"] == "open"],
            proven=[task for task in tasks if task["state"] != "open"],
            steps=steps,
            left=left,
            bars=[_bar(family, tally) for family, tally in view["counts"].items()],
            outcomes=list(Outcome),
            labels=LABELS,
            refresh=None if row["status"] == Status.ENDED else 5,
        )
    )


def problem_page(document: JSON) -> func.HttpResponse:
    """A problem document for people."""
    html = _environment.get_template("problem.html").render(problem=document, refresh=None)
    return page_answer(html, document["status"], headers_of(document))


async def static_file(call: Call) -> func.HttpResponse:
    """The style sheet and the mark."""
    name = call.req.route_params["file"]
    if name not in FILES:
        raise refuse(404, "not-found", "There is no such file.", "Go to /closures.")
    return raw_answer((HERE / "static" / name).read_bytes(), FILES[name], headers={"Cache-Control": "max-age=3600"})


async def _timeline(parts: Any, row: JSON) -> list[JSON]:
    """Every phase with its state and times; a mark in Records says that it is done."""
    closure, serial, order = row["closureId"], row["planSerial"], list(Phase)
    marks = await parts.ledger.marks(closure)
    here = order.index(Phase(row["phase"])) if row["phase"] in order else -1
    ended = row["status"] == Status.ENDED
    steps = []
    for place, phase in enumerate(order):
        done, began = marks.get((phase, serial)), marks.get((f"started-{phase}", serial))
        if done or place < here or (ended and row["result"] == "closed"):
            state = "done"
        elif place == here:
            state = "stopped" if ended else "now"
        else:
            state = "ahead"
        steps.append(
            {
                "label": LABELS[phase],
                "state": state,
                "from": began["at"] if began else None,
                "to": done["at"] if done else None,
            }
        )
    return steps


def _bar(family: str, tally: JSON) -> JSON:
    """One family's outcomes as pieces of a bar 300 wide."""
    gone = tally[Outcome.REMOVED] + tally[Outcome.ABSENT]
    stuck = tally[Outcome.REFUSED] + tally[Outcome.FAILED]
    whole = max(tally["planned"], gone + stuck, 1)
    return {
        "family": family,
        "tally": tally,
        "gone": round(300 * gone / whole, 1),
        "stuck": round(300 * stuck / whole, 1),
        "done": gone,
    }
