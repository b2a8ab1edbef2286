"""Pages people look at: the list of closures, one closure, its report, problems in plain words; and their files."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import azure.functions as func
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tenantclosure import names, wiring
from tenantclosure.errors import RecordMissing
from tenantclosure.ledger import iso
from tenantclosure.names import OUTCOMES, Status
from tenantclosure.policy import window
from tenantclosure.ports import JSON
from tenantclosure.rendering import wording
from web import shown
from web.answers import page_answer, raw_answer
from web.closures import MOST, number, page_of_rows, row_of
from web.details import REPORT_POLICY
from web.poison import notice_poison, poison_list
from web.problems import headers_of, refuse
from web.route import Call
from web.tasks import shown_tasks
from web.view import closure_view, known_of

HERE = Path(__file__).parent
FILES = {"closure.css": "text/css", "closure.js": "text/javascript", "mark.svg": "image/svg+xml"}
"""What the static door hands out; a name from outside never becomes a path."""
LIST_SECONDS, PAGE_SECONDS = 15, 5
"""How often an open page looks for news."""
BLOCKERS = 4
"""Blockers that a closure's own page shows; the page of blockers has them all."""


@cache
def asset(name: str) -> str:
    """A static file's address; it changes with the content, so browsers may keep the file."""
    return f"/static/{name}?v={hashlib.sha256((HERE / 'static' / name).read_bytes()).hexdigest()[:8]}"


def _left(until: str) -> str:
    return shown.left(until, wiring.parts().clock.now())


_environment = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(
    moment=shown.moment,
    day=shown.day,
    left=_left,
    short=shown.short,
    plain=shown.plain,
    number=shown.number,
    family=wording.family_name,
)
_environment.globals.update(
    asset=asset,
    amounts=shown.amounts,
    last_words=shown.last_words,
    labels=shown.LABELS,
    states=shown.STATES,
    stuck_reasons=shown.STUCK,
    gates=shown.GATES,
    said_words=wording.SAID,
    doors=shown.DOORS,
)


def render(template: str, **context: Any) -> str:
    """A page's HTML from one of our templates; every value is escaped, and what UTF-8 can't hold is replaced.

    With `refresh` the open page looks for news every so many seconds.
    """
    html = _environment.get_template(template).render({"refresh": None, **context})
    return html.encode("utf-8", "replace").decode()


async def closures_page(call: Call) -> func.HttpResponse:
    """The list of closures, of refused queue messages and of messages that reached nobody."""
    after, top = call.req.params.get("after", ""), number(call.req, "top", 50, least=1, most=MOST)
    rows, more = await page_of_rows(call.parts, after, top)
    views = await asyncio.gather(*(closure_view(call.parts, row) for row in rows))
    return page_answer(
        render(
            "closures.html",
            closures=views,
            following=rows[-1]["closureId"] if more else None,
            top=top,
            poison=[shown.about(entry) for entry in await poison_list(call.parts.records)],
            undelivered=[shown.about(entry) for entry in await notice_poison(call.parts.records)],
            refresh=LIST_SECONDS,
            person=signed(call),
        )
    )


async def closure_page(call: Call) -> func.HttpResponse:
    """One closure: where it stands, what is missing, what people have to do."""
    row = await row_of(call)
    closure, ledger = row["closureId"], call.parts.ledger
    known = await known_of(call.parts, closure)
    view, marks, tasks = await asyncio.gather(
        closure_view(call.parts, row, known), ledger.marks(closure), shown_tasks(call.parts, closure)
    )
    left = None
    if view["eta"]:
        left = shown.span((datetime.fromisoformat(view["eta"]) - call.parts.clock.now()).total_seconds())
    return page_answer(
        render(
            "closure.html",
            view=view,
            request=row["request"],
            stories=shown.stories(known.gates, known.decisions),
            unreached=shown.unreached(known.notices),
            tasks=tasks,
            steps=shown.timeline(row, marks),
            files=marks.get((names.REPORT, 0), {}).get("parts", 1),
            left=left,
            opens=_opens(call.parts, row),
            bars=[shown.bar(family, tally) for family, tally in view["counts"].items()],
            outcomes=[str(outcome) for outcome in OUTCOMES],
            few=BLOCKERS,
            refresh=None if row["status"] == Status.ENDED else PAGE_SECONDS,
            person=signed(call),
        )
    )


async def report_page(call: Call) -> func.HttpResponse:
    """The stored report, which brings its own style along; before there is one, when it comes."""
    row = await row_of(call)
    try:
        body = await call.parts.records.read_blob(names.report_path(row["closureId"], "html"))
    except RecordMissing:
        return page_answer(render("no_report.html", row=row, person=signed(call)), 404)
    return raw_answer(body, "text/html", headers={"Content-Security-Policy": REPORT_POLICY})


def problem_page(document: JSON) -> func.HttpResponse:
    """A problem document for people; its `signIn`, if there is one, leads back to the page they asked for."""
    html = render("problem.html", problem=document)
    return page_answer(html, document["status"], headers_of(document))


async def static_file(call: Call) -> func.HttpResponse:
    """The style sheet, the script and the mark."""
    name = call.req.route_params["file"]
    if name not in FILES:
        raise refuse(404, "not-found", "There is no such file.", "Go to /closures.")
    return raw_answer((HERE / "static" / name).read_bytes(), FILES[name], headers={"Cache-Control": "max-age=3600"})


def signed(call: Call) -> JSON | None:
    """Who is signed in, for the page's head."""
    return {"upn": call.person.upn, "name": call.person.name} if call.person else None


def _opens(parts: Any, row: JSON) -> str | None:
    """When the deletion window opens next, if a closure that waits finds it closed."""
    hours, now = parts.policy.window, parts.clock.now()
    if hours is None or row["status"] != Status.WAITING or window.is_open(hours, now):
        return None
    return iso(window.next_opening(hours, now))
