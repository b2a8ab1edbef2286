"""The table of doors: every HTTP route with the roles it asks for and the answers it gives."""

from __future__ import annotations

import azure.functions as func

from tenantclosure.ports import JSON
from web import (
    approving,
    blockers,
    callbacks,
    closures,
    control,
    decisions,
    details,
    openapi,
    pages,
    plan_pages,
    plans,
    rollback,
)
from web.answers import json_answer
from web.roles import APPROVERS, OPERATORS, PUBLIC, READERS
from web.route import Answer, Call, Route

ONE = "api/closures/{closureId}"
STEERING = (400, 404, 409, 413, 415)
DECIDING = (400, 403, 404, 409, 410, 413, 415)

AFTER = ("Closure id after which the page begins.", {"type": "string"})
TOP = ("Closures on a page.", {"type": "integer", "minimum": 1, "maximum": closures.MOST})
SERIAL = ("Which plan; the latest if left out.", {"type": "integer", "minimum": 1, "maximum": closures.MOST_SERIAL})
SHARD = ("Which shard of them, from 0.", {"type": "integer", "minimum": 0, "maximum": closures.MOST_SHARD})
FAMILY = ("Family whose items are wanted.", {"type": "string", "enum": list(plan_pages.PARTS)})
SEARCH = (
    "Only items with this in name, address or id; at most 200 are shown.",
    {"type": "string", "maxLength": plan_pages.LONGEST_SEARCH},
)
HTML = (Answer(200, "A page.", media="text/html"),)


PART = ("Which part of a large CSV, from 1.", {"type": "integer", "minimum": 1, "maximum": closures.MOST_SHARD})


def _one_of(meaning: str, *words: str) -> tuple[str, JSON]:
    return meaning, {"type": "string", "enum": list(words)}


async def show_openapi(call: Call) -> func.HttpResponse:
    """This API in OpenAPI 3.1."""
    return json_answer(openapi.document(ROUTES))


def _steering(word: str, handler, summary: str) -> Route:  # type: ignore[no-untyped-def]  # a handler of web.control
    return Route(
        f"{word}_closure",
        "POST",
        f"{ONE}/{word}",
        OPERATORS,
        handler,
        summary,
        (Answer(202, "What the closure was told.", "Control"),),
        wakes=True,
        body="Comment",
        problems=STEERING,
    )


ROUTES: tuple[Route, ...] = (
    Route(
        "file_closure",
        "POST",
        "api/closures",
        OPERATORS,
        closures.file_closure,
        "File a closure request. Only surveying and planning follow until people approve.",
        (Answer(202, "Filed; Location says where it is followed.", "Filed"),),
        wakes=True,
        body="ClosureRequest",
        problems=(400, 409, 413, 415, 503),
    ),
    Route(
        "list_closures",
        "GET",
        "api/closures",
        READERS,
        closures.list_closures,
        "Closures by id, a page at a time, with refused queue messages.",
        (Answer(200, "A page.", "ClosurePage"),),
        query={"after": AFTER, "top": TOP},
        problems=(400,),
    ),
    Route(
        "show_closure",
        "GET",
        ONE,
        READERS,
        closures.show_closure,
        "Where one closure stands.",
        (Answer(200, "Its status document.", "Closure"),),
        problems=(404,),
    ),
    Route(
        "show_plan",
        "GET",
        f"{ONE}/plan",
        READERS,
        plans.show_plan,
        "The plan's manifest and digest, and what is new in it; with family items of it, a shard at a time, those a "
        "search finds, or all as CSV.",
        (Answer(200, "The plan.", "Plan"), Answer(200, "The family, from `shard` on.", media="text/csv")),
        query={
            "serial": SERIAL,
            "family": FAMILY,
            "shard": SHARD,
            "q": SEARCH,
            "format": _one_of("json (the default), or csv with a family.", "json", "csv"),
        },
        problems=(400, 404),
    ),
    Route(
        "show_tasks",
        "GET",
        f"{ONE}/tasks",
        READERS,
        details.show_tasks,
        "Manual tasks: what no API can do, with exact steps.",
        (Answer(200, "All tasks, open and proven.", "Items"),),
        problems=(404,),
    ),
    Route(
        "show_blockers",
        "GET",
        f"{ONE}/blockers",
        READERS,
        blockers.show_blockers,
        "What stands in the way of deleting the tenant, check by check, and the earliest date it can be closed.",
        (Answer(200, "Blockers, checks and the closing date.", "Blockers"),),
        problems=(404,),
    ),
    Route(
        "show_report",
        "GET",
        f"{ONE}/report",
        READERS,
        details.show_report,
        "The final report.",
        tuple(Answer(200, "The report.", media=media) for media in details.FORMS.values()),
        query={"format": _one_of("html is the default.", *details.FORMS), "part": PART},
        problems=(400, 404),
    ),
    Route(
        "show_audit",
        "GET",
        f"{ONE}/audit",
        READERS,
        details.show_audit,
        "The audit chain, or with verify=1 what a check of it found.",
        (Answer(200, "One line per event.", media="application/x-ndjson"), Answer(200, "The verdict.", "Verdict")),
        query={"verify": _one_of("1 to check the chain instead of reading it.", "1", "true")},
        problems=(400, 404),
    ),
    Route(
        "show_refusals",
        "GET",
        "api/refusals/{day}",
        READERS,
        details.show_refusals,
        "Decisions refused on a day because nobody knew who sent them; a hash chain like a closure's audit.",
        (Answer(200, "One line per event.", media="application/x-ndjson"), Answer(200, "The verdict.", "Verdict")),
        query={"verify": _one_of("1 to check the chain instead of reading it.", "1", "true")},
        problems=(400, 404),
    ),
    Route(
        "decide_at_gate",
        "POST",
        f"{ONE}/gates/{{gate}}/decisions",
        APPROVERS,
        decisions.decide,
        "Approve, veto or revoke at a gate, until what it approved has been carried out.",
        (Answer(202, "The decision is on record.", "Decided"),),
        wakes=True,
        body="Decision",
        problems=(400, 404, 409, 413, 415),
        via="api",
    ),
    _steering("pause", control.pause, "Stop before the next wave."),
    _steering("unpause", control.unpause, "End a pause."),
    _steering("resume", control.resume, "Start a closure that hangs afresh from Records."),
    _steering("abort", control.abort, "End a closure before its next wave; what is deleted stays deleted."),
    Route(
        "rollback_closure",
        "POST",
        f"{ONE}/rollback",
        OPERATORS,
        rollback.roll_back,
        "Undo what can be undone, also of a closure that has ended; people approve the rollback's plan first.",
        (Answer(202, "What the closure was told.", "Control"),),
        wakes=True,
        body="Comment",
        problems=STEERING,
    ),
    Route(
        "report_task_done",
        "POST",
        f"{ONE}/tasks/{{taskId}}/done",
        OPERATORS,
        control.report_done,
        "Say that a manual task is done; its probe decides whether it is.",
        (Answer(202, "The task with the report.", "Reported"),),
        wakes=True,
        body="Comment",
        problems=STEERING,
    ),
    Route(
        "approval_callback",
        "POST",
        "api/callbacks/approvals",
        PUBLIC,
        callbacks.take_callback,
        "A Teams workflow reports that it reached a person, or where the policy allows it what the person said.",
        (Answer(202, "It is on record.", "CallbackTaken"),),
        wakes=True,
        body="Callback",
        problems=(400, 404, 409, 413, 415),
        application=True,
        via="teams",
    ),
    Route(
        "show_openapi",
        "GET",
        "api/openapi.json",
        PUBLIC,
        show_openapi,
        "This document.",
        (Answer(200, "OpenAPI 3.1."),),
    ),
    Route(
        "closures_page",
        "GET",
        "closures",
        READERS,
        pages.closures_page,
        "The list of closures for people.",
        HTML,
        page=True,
        query={"after": AFTER, "top": TOP},
        problems=(400,),
    ),
    Route(
        "closure_page",
        "GET",
        "closures/{closureId}",
        READERS,
        pages.closure_page,
        "One closure for people.",
        HTML,
        page=True,
        problems=(404,),
    ),
    Route(
        "plan_page",
        "GET",
        "closures/{closureId}/plan",
        READERS,
        plan_pages.plan_page,
        "The full plan for people: a family's items, or those a search finds.",
        HTML,
        page=True,
        query={"serial": SERIAL, "family": FAMILY, "shard": SHARD, "q": SEARCH},
        problems=(400, 404),
    ),
    Route(
        "blockers_page",
        "GET",
        "closures/{closureId}/blockers",
        READERS,
        blockers.blockers_page,
        "What stands in the way for people: every check of the portal's page, and the earliest closing date.",
        HTML,
        page=True,
        problems=(404,),
    ),
    Route(
        "report_page",
        "GET",
        "closures/{closureId}/report",
        READERS,
        pages.report_page,
        "The final report for people.",
        HTML,
        page=True,
        problems=(404,),
    ),
    Route(
        "show_gate_page",
        "GET",
        "closures/{closureId}/gates/{gate}",
        APPROVERS,
        approving.show_gate,
        "The approver's page at a gate. It only shows.",
        HTML,
        page=True,
        problems=(404,),
    ),
    Route(
        "answer_gate_page",
        "POST",
        "closures/{closureId}/gates/{gate}",
        APPROVERS,
        approving.answer_gate,
        "The approver's answer, from the form of that page.",
        (Answer(303, "The decision is on record; back to the page.", media=""),),
        wakes=True,
        page=True,
        body="DecisionForm",
        problems=DECIDING,
        via="page",
    ),
    Route(
        "show_approval_page",
        "GET",
        "approvals/{token}",
        PUBLIC,
        approving.show_link,
        "The page that a personal link in a message opens. It only shows.",
        HTML,
        page=True,
        problems=(404, 409, 410),
        link=True,
    ),
    Route(
        "answer_approval_page",
        "POST",
        "approvals/{token}",
        PUBLIC,
        approving.answer_link,
        "The addressee's answer, from the form of that page. It uses the link up.",
        HTML,
        wakes=True,
        page=True,
        body="DecisionForm",
        problems=DECIDING,
        link=True,
        via="link",
    ),
    Route(
        "static_file",
        "GET",
        "static/{file}",
        PUBLIC,
        pages.static_file,
        "Style sheet, script and mark of the pages.",
        tuple(Answer(200, "The file.", media=media) for media in pages.FILES.values()),
        page=True,
        query={"v": ("Which version; only for the browser's cache.", {"type": "string"})},
        problems=(404,),
    ),
)
