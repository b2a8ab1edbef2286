"""The parts of one closure: plan, tasks, blockers, report, audit."""

from __future__ import annotations

import json
from dataclasses import asdict

import azure.functions as func

from tenantclosure import names
from tenantclosure.errors import RecordMissing
from tenantclosure.policy import audit_chain
from web.answers import json_answer, raw_answer
from web.closures import number, row_of
from web.problems import refuse
from web.route import Call
from web.view import manifest_of

FORMS = {"html": "text/html", "json": "application/json", "csv": "text/csv"}
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
"""The report is one file that brings its style along; nothing else in it may act."""


async def show_plan(call: Call) -> func.HttpResponse:
    """A plan's manifest and digest; with `family`, one shard of its items."""
    row = await row_of(call)
    serial = number(call.req, "serial", row["planSerial"], least=1, most=999)
    manifest = await manifest_of(call.parts, row["closureId"], serial)
    if manifest is None:
        raise refuse(
            404, "no-plan", f"There is no plan {serial} of this closure yet.", "Wait until the survey is done."
        )
    answer = {
        "closureId": row["closureId"],
        "serial": serial,
        "digest": row["digest"] if serial == row["planSerial"] else None,
        "manifest": manifest,
        "items": [],
        "next": None,
    }
    family = call.req.params.get("family")
    if family:
        answer.update(await _shard(call, row["closureId"], serial, manifest, family))
    return json_answer(answer)


async def _shard(call: Call, closure: str, serial: int, manifest: dict, family: str) -> dict:  # type: ignore[type-arg]
    listing = manifest["families"].get(family)
    if listing is None:
        known = ", ".join(sorted(manifest["families"]))
        remedy = f"Use one of: {known}."
        raise refuse(404, "unknown-family", f"The plan has no family {family[:40]}.", remedy, field="family")
    shards = len(listing.get("shards") or ())
    shard = number(call.req, "shard", 0, least=0, most=max(shards - 1, 0))
    items = []
    if shards:
        path = names.shard_path(closure, serial, family, shard)
        items = [json.loads(line) async for line in call.parts.records.read_lines(path)]
    more = f"/api/closures/{closure}/plan?serial={serial}&family={family}&shard={shard + 1}"
    return {
        "family": family,
        "shard": shard,
        "shards": shards,
        "items": items,
        "next": more if shard + 1 < shards else None,
    }


async def show_tasks(call: Call) -> func.HttpResponse:
    """Manual tasks as the ledger holds them."""
    row = await row_of(call)
    return json_answer({"items": await call.parts.ledger.tasks(row["closureId"])})


async def show_blockers(call: Call) -> func.HttpResponse:
    """What stands in the way of deleting the tenant."""
    return json_answer({"items": (await row_of(call))["blockers"]})


async def show_report(call: Call) -> func.HttpResponse:
    """The final report in one of its three forms."""
    row = await row_of(call)
    form = call.req.params.get("format") or "html"
    if form not in FORMS:
        raise refuse(400, "invalid-request", "The report has no such form.", "Use html, json or csv.", field="format")
    try:
        body = await call.parts.records.read_blob(names.report_path(row["closureId"], form))
    except RecordMissing:
        raise refuse(
            404, "no-report", "The report is not written yet.", "It comes when the closure has ended."
        ) from None
    headers = {"Content-Security-Policy": REPORT_POLICY}
    if form == "csv":
        headers["Content-Disposition"] = f'attachment; filename="{row["closureId"]}.csv"'
    return raw_answer(body, FORMS[form], headers=headers)


async def show_audit(call: Call) -> func.HttpResponse:
    """The audit chain as NDJSON, or with `verify=1` what a check of it found."""
    row = await row_of(call)
    lines = await call.parts.ledger.audit_lines(row["closureId"])
    if call.req.params.get("verify") in ("1", "true"):
        return json_answer({"closureId": row["closureId"], **asdict(audit_chain.verify(lines))})
    return raw_answer(b"".join(line + b"\n" for line in lines), "application/x-ndjson")
