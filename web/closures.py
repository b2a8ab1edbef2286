"""Filing a closure, and reading one or all of them."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import azure.functions as func

from tenantclosure import names
from tenantclosure.errors import RecordMissing
from tenantclosure.intake import admit
from tenantclosure.ports import JSON
from web.answers import json_answer
from web.body import json_body
from web.poison import poison_list
from web.problems import refuse
from web.route import Call
from web.starting import only_host, start
from web.view import closure_view

log = logging.getLogger(__name__)

CLOSURE_ID = re.compile(r"[0-9a-f-]{36}-\d{1,9}", re.ASCII)
"""Form of a closure's id; anything else is nobody's key and is not looked up."""
MOST = 100
USUAL = 20
MOST_SERIAL, MOST_SHARD = 999, 99_999
"""Largest serial and shard that a query may name; keys of records hold three and five digits."""


async def file_closure(call: Call) -> func.HttpResponse:
    """Take a request in; only surveying and planning follow until people approve."""
    document = json_body(call.req)
    await only_host(call.parts.ledger)
    row = await admit(document, call.who, call.parts)
    try:
        await start(call.client, call.parts.ledger, row)
    except Exception:  # the closure is on record; the sweep starts it within a minute
        log.warning("%s is filed but could not be started yet", row["closureId"], exc_info=True)
    here = f"/api/closures/{row['closureId']}"
    answer = {"closureId": row["closureId"], "status": row["status"], "links": links(row["closureId"])}
    return json_answer(answer, 202, {"Location": here, "Retry-After": "5"})


async def list_closures(call: Call) -> func.HttpResponse:
    """Closures by id, a page at a time, and the requests that came over the queue and were refused."""
    after, top = call.req.params.get("after", ""), number(call.req, "top", USUAL, least=1, most=MOST)
    rows, more = await page_of_rows(call.parts, after, top)
    items = await asyncio.gather(*(closure_view(call.parts, row) for row in rows))
    following = f"/api/closures?after={rows[-1]['closureId']}&top={top}" if more else None
    return json_answer({"items": items, "next": following, "poison": await poison_list(call.parts.records)})


async def show_closure(call: Call) -> func.HttpResponse:
    """One closure's status document."""
    row = await row_of(call)
    return json_answer({**await closure_view(call.parts, row), "links": links(row["closureId"])})


async def row_of(call: Call) -> JSON:
    """The row of the closure in the path. Raises RequestRefused (404)."""
    return await closure_row(call.parts, call.closure_id)


async def closure_row(parts: Any, closure: str) -> JSON:
    """A closure's row. Raises RequestRefused (404)."""
    row = await known_row(parts, closure)
    if row is None:
        raise refuse(
            404,
            "unknown-closure",
            f"There is no closure {closure[:80]}.",
            "Look its id up in GET /api/closures.",
            field="closureId",
        )
    return row


async def known_row(parts: Any, closure: str) -> JSON | None:
    """A closure's row, if a text that came from outside is the id of one."""
    if not CLOSURE_ID.fullmatch(closure):
        return None
    try:
        row: JSON = await parts.ledger.closure(closure)
    except RecordMissing:
        return None
    return row


async def page_of_rows(parts: Any, after: str, top: int) -> tuple[list[JSON], bool]:
    """Up to `top` rows whose id comes after `after`, and whether more follow."""
    rows: list[JSON] = []
    async for row in parts.ledger.closures():
        if row["closureId"] <= after:
            continue
        if len(rows) == top:
            return rows, True
        rows.append(row)
    return rows, False


def number(req: func.HttpRequest, name: str, usual: int, *, least: int, most: int) -> int:
    """A whole number of the query. Raises RequestRefused."""
    raw = req.params.get(name)
    if raw is None or raw == "":
        return usual
    if not (raw.isascii() and raw.isdigit() and len(raw) < 10 and least <= int(raw) <= most):
        remedy = f"Use a whole number from {least} to {most}."
        raise refuse(400, "invalid-request", f"{name} is not a number in range.", remedy, field=name)
    return int(raw)


def links(closure: str) -> JSON:
    """Where the rest of a closure is found. Never a management URL of the durable extension."""
    here = f"/api/closures/{closure}"
    below = {part: f"{here}/{part}" for part in ("plan", "tasks", "blockers", "report", "audit")}
    return {"self": here, "page": f"/closures/{closure}", **below, "gates": [str(gate) for gate in names.Gate]}
