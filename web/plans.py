"""The plan over the API: manifest and digest, a family's items a shard at a time, a search, the whole as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

import azure.functions as func

from tenantclosure.policy import rollback
from tenantclosure.ports import JSON
from tenantclosure.rendering.outcomes_csv import safe
from web.answers import json_answer, raw_answer
from web.closures import MOST_SERIAL, MOST_SHARD, number, row_of
from web.plan_pages import LONGEST_SEARCH, difference_of, downloads, impossible_of, search, shard_items
from web.problems import refuse
from web.route import Call
from web.view import manifest_of

COLUMNS = ("family", "id", "name", "upn")


async def show_plan(call: Call) -> func.HttpResponse:
    """A plan's manifest and digest and what it holds other than the one before; with `family` items of it. A
    rollback's plan comes with the first 200 entries of what can't be undone.

    `shard` is one shard of the family's items, `q` a search over all its shards, `format=csv` the family as a file. A
    large one is several, each from a `shard` on; the header Link leads to the next.
    """
    row, asked = await row_of(call), call.req.params
    form, wanted = asked.get("format") or "json", (asked.get("q") or "").strip()
    if form not in ("json", "csv"):
        raise refuse(400, "invalid-request", "The plan has no such form.", "Use json or csv.", field="format")
    if len(wanted) > LONGEST_SEARCH:
        remedy = f"Shorten q to {LONGEST_SEARCH} characters."
        raise refuse(400, "invalid-request", f"q is longer than {LONGEST_SEARCH} characters.", remedy, field="q")
    family = asked.get("family") or ""
    if (form == "csv" or wanted) and not family:
        remedy = "Name the family whose items you want."
        raise refuse(400, "invalid-request", "family is missing.", remedy, field="family")
    serial = number(call.req, "serial", row["planSerial"], least=1, most=MOST_SERIAL)
    shard = number(call.req, "shard", 0, least=0, most=MOST_SHARD)
    closure, manifest = row["closureId"], await manifest_of(call.parts, row["closureId"], serial)
    if manifest is None:
        raise refuse(
            404, "no-plan", f"There is no plan {serial} of this closure yet.", "Wait until the survey is done."
        )
    shards = _shards(manifest, family) if family else 0
    if form == "csv":
        return await _csv(call.parts, closure, serial, family, manifest["families"][family], shard)
    answer = {
        "closureId": closure,
        "serial": serial,
        "digest": row["digest"] if serial == row["planSerial"] else None,
        "manifest": manifest,
        "difference": await difference_of(call.parts, closure, serial),
        "items": [],
        "next": None,
    }
    if manifest.get("kind") == rollback.KIND:
        answer["impossible"] = await impossible_of(call.parts, closure, manifest)
    if wanted:
        items, more = await search(call.parts, closure, serial, family, shards, wanted)
        answer.update(family=family, items=items, more=more)
    elif family:
        answer.update(await _shard(call.parts, closure, serial, family, shard, shards))
    return json_answer(answer)


def _shards(manifest: JSON, family: str) -> int:
    listing = manifest["families"].get(family)
    if listing is None:
        known = ", ".join(sorted(manifest["families"]))
        remedy = f"Use one of: {known}."
        raise refuse(404, "unknown-family", f"The plan has no family {family[:40]}.", remedy, field="family")
    return len(listing.get("shards") or ())


async def _shard(parts: Any, closure: str, serial: int, family: str, shard: int, shards: int) -> JSON:
    if shard > max(shards - 1, 0):
        detail = f"{family} has {shards} shards; there is no shard {shard}."
        raise refuse(404, "unknown-shard", detail, "Count from 0, or follow next.", field="shard")
    more = f"/api/closures/{closure}/plan?serial={serial}&family={family}&shard={shard + 1}"
    return {
        "family": family,
        "shard": shard,
        "shards": shards,
        "items": await shard_items(parts, closure, serial, family, shard) if shards else [],
        "next": more if shard + 1 < shards else None,
    }


async def _csv(parts: Any, closure: str, serial: int, family: str, listing: JSON, shard: int) -> func.HttpResponse:
    """A family, or a part of a large one, as a file that a spreadsheet opens without running anything in it."""
    files = downloads(listing)
    starts = [*(start for start, *_ in files), len(listing.get("shards") or ())]
    if shard not in starts[:-1]:
        detail = f"No file of {family} begins with shard {shard}."
        raise refuse(404, "unknown-shard", detail, "Leave shard out, and follow the header Link.", field="shard")
    place = starts.index(shard)
    data = bytearray(b"\xef\xbb\xbf" + _lines([COLUMNS]))
    for one in range(shard, starts[place + 1]):
        data += _lines(_cells(family, item) for item in await shard_items(parts, closure, serial, family, one))
    name = f"{closure}-plan-{serial}-{family}" + (f"-{place + 1}-of-{len(files)}" if len(files) > 1 else "")
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    if place + 1 < len(files):
        here = f"/api/closures/{closure}/plan?serial={serial}&family={family}&format=csv"
        headers["Link"] = f'<{here}&shard={starts[place + 1]}>; rel="next"'
    return raw_answer(bytes(data), "text/csv", headers=headers)


def _cells(family: str, item: JSON) -> tuple[object, ...]:
    return family, item["id"], item.get("name", ""), (item.get("facts") or {}).get("upn", "")


def _lines(table: Iterable[Iterable[object]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows([safe(cell) for cell in row] for row in table)
    return out.getvalue().encode("utf-8", errors="replace")
