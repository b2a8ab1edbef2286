"""The parts of one closure: tasks, report, audit."""

from __future__ import annotations

import re
from dataclasses import asdict

import azure.functions as func

from tenantclosure import names
from tenantclosure.errors import RecordMissing
from web.answers import json_answer, raw_answer
from web.closures import MOST_SHARD, number, row_of
from web.problems import refuse
from web.refusals import door_chain
from web.route import Call
from web.tasks import shown_tasks

DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
FORMS = {"html": "text/html", "json": "application/json", "csv": "text/csv"}
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
"""The report is one file that brings its style along; nothing else in it may act."""


async def show_tasks(call: Call) -> func.HttpResponse:
    """Manual tasks, open ones first."""
    row = await row_of(call)
    return json_answer({"items": await shown_tasks(call.parts, row["closureId"])})


async def show_report(call: Call) -> func.HttpResponse:
    """The final report in one of its three forms. A large CSV comes in parts; the header Link leads to the next."""
    row = await row_of(call)
    form = call.req.params.get("format") or "html"
    if form not in FORMS:
        raise refuse(400, "invalid-request", "The report has no such form.", "Use html, json or csv.", field="format")
    closure, part = row["closureId"], number(call.req, "part", 1, least=1, most=MOST_SHARD)
    try:
        body = await call.parts.records.read_blob(names.report_path(closure, form, part))
    except RecordMissing:
        if part > 1:
            remedy = "Begin with the first one, and follow the header Link."
            raise refuse(404, "unknown-part", f"The report has no part {part}.", remedy, field="part") from None
        raise refuse(
            404, "no-report", "The report is not written yet.", "It comes when the closure has ended."
        ) from None
    headers = {"Content-Security-Policy": REPORT_POLICY}
    if form == "csv":
        found = await call.parts.ledger.mark(closure, names.REPORT, 0)
        parts = int(found["parts"]) if found else 1
        name = closure if parts == 1 else f"{closure}-{part}-of-{parts}"
        headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
        if part < parts:
            headers["Link"] = f'</api/closures/{closure}/report?format=csv&part={part + 1}>; rel="next"'
    return raw_answer(body, FORMS[form], headers=headers)


async def show_audit(call: Call) -> func.HttpResponse:
    """The audit chain as NDJSON, or with `verify=1` what a check of it found."""
    closure = (await row_of(call))["closureId"]
    return await _chain(call, closure, await call.parts.ledger.audit_lines(closure))


async def show_refusals(call: Call) -> func.HttpResponse:
    """One day's chain of refused decisions by callers nobody knows, read and checked like a closure's."""
    day = call.req.route_params["day"]
    chain = door_chain(day) if DAY.fullmatch(day) else ""
    lines = await call.parts.ledger.audit_lines(chain) if chain else []
    if not lines:
        detail = "Nobody unknown was refused on such a day."
        raise refuse(404, "no-refusals", detail, "Name a day (UTC) as YYYY-MM-DD.", field="day")
    return await _chain(call, chain, lines)


async def _chain(call: Call, name: str, lines: list[bytes]) -> func.HttpResponse:
    verify = call.req.params.get("verify")
    if verify not in (None, "", "1", "true"):
        raise refuse(400, "invalid-request", "verify is not 1.", "Use verify=1 to check the chain.", field="verify")
    if verify:
        return json_answer({"closureId": name, **asdict(await call.parts.ledger.audit_verdict(name))})
    return raw_answer(b"".join(line + b"\n" for line in lines), "application/x-ndjson")
