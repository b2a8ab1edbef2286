"""The plan in full: items a shard at a time, a search over all of them, who is kept, what has changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlencode

import azure.functions as func

from tenantclosure import names
from tenantclosure.errors import RecordMissing
from tenantclosure.names import REMOVED_FAMILIES, Family
from tenantclosure.policy import rollback
from tenantclosure.ports import JSON
from web.answers import page_answer
from web.closures import MOST_SERIAL, MOST_SHARD, number, row_of
from web.pages import render, signed
from web.problems import refuse
from web.route import Call
from web.view import manifest_of

MOST_HITS = 200
"""Hits that a search shows."""
LONGEST_SEARCH = 200
"""Characters of a search."""
DOWNLOAD = 50_000
"""Items in one file, unless a shard alone has more."""
AT_ONCE = 8
"""Shards that a search reads side by side."""

PARTS = (*map(str, REMOVED_FAMILIES), rollback.USERS_ENABLED)
"""Every part of a plan that has items of its own, in the order of the tabs."""
FACTS: dict[str, tuple[str, ...]] = {
    Family.USERS: ("upn",),
    rollback.USERS_ENABLED: ("upn",),
    Family.SUBSCRIPTIONS: ("status", "skuPartNumber", "provider"),
    Family.APPLICATIONS: ("appId",),
    Family.SERVICE_PRINCIPALS: ("appId", "type"),
}
"""What of an item's facts helps people to recognise it."""


async def plan_page(call: Call) -> func.HttpResponse:
    """One family of a plan: a shard of its items, or what a search over all its shards found."""
    row = await row_of(call)
    closure, asked = row["closureId"], call.req.params
    serial = number(call.req, "serial", row["planSerial"], least=1, most=MOST_SERIAL)
    shard = number(call.req, "shard", 0, least=0, most=MOST_SHARD)
    wanted = (asked.get("q") or "").strip()
    if len(wanted) > LONGEST_SEARCH:
        remedy = f"Shorten it to {LONGEST_SEARCH} characters."
        raise refuse(400, "invalid-request", "The search is too long.", remedy, field="q")
    manifest = await manifest_of(call.parts, closure, serial)
    if manifest is None:
        detail = f"There is no plan {serial} of this closure yet."
        raise refuse(404, "no-plan", detail, "Wait until the survey is done.", field="serial")
    families = [family for family in PARTS if family in manifest["families"]]
    family = asked.get("family") or _fullest(manifest, families)
    if family not in families:
        remedy = f"Use one of: {', '.join(families)}."
        raise refuse(404, "unknown-family", f"The plan has no family {family[:40]}.", remedy, field="family")
    csv = {"serial": serial, "family": family, "format": "csv"}
    shards = len(manifest["families"][family].get("shards") or ())
    if shard > max(shards - 1, 0):
        raise refuse(404, "unknown-shard", "The list has no such page.", "Begin with the first one.", field="shard")
    if wanted:
        items, more = await search(call.parts, closure, serial, family, shards, wanted)
    else:
        items, more = (await shard_items(call.parts, closure, serial, family, shard) if shards else []), False
    return page_answer(
        render(
            "plan.html",
            row=row,
            serial=serial,
            digest=row["digest"] if serial == row["planSerial"] else None,
            tabs=[_tab(closure, serial, manifest, name, family) for name in families],
            family=family,
            count=manifest["families"][family]["count"],
            items=[_shown(family, item) for item in items],
            wanted=wanted,
            more=more,
            most=MOST_HITS,
            first=sum(part["count"] for part in (manifest["families"][family].get("shards") or ())[:shard]) + 1,
            before=_here(closure, serial, family, shard=shard - 1) if shard and not wanted else "",
            after=_here(closure, serial, family, shard=shard + 1) if shard + 1 < shards and not wanted else "",
            here=_here(closure, serial, family),
            shard=shard,
            shards=shards,
            downloads=[
                (f"/api/closures/{closure}/plan?{urlencode(csv | ({'shard': start} if start else {}))}", first, last)
                for start, first, last in downloads(manifest["families"][family])
            ],
            rollback=manifest.get("kind") == rollback.KIND,
            others=rollback.told(manifest.get("others", ())),
            impossible=await impossible_of(call.parts, closure, manifest),
            beyond=manifest.get("impossible", {}).get("count", 0),
            kept=[entry for entry in manifest["kept"] if entry["family"] == family],
            difference=await difference_of(call.parts, closure, serial),
            person=signed(call),
        )
    )


async def difference_of(parts: Any, closure: str, serial: int) -> JSON | None:
    """What a plan holds other than the one before it, or None: {from, to, families: {family: {added, gone, items}}}."""
    try:
        found: JSON = json.loads(await parts.records.read_blob(names.difference_path(closure, serial)))
    except RecordMissing:
        return None
    return found


async def impossible_of(parts: Any, closure: str, manifest: JSON) -> list[JSON]:
    """The first MOST_HITS entries of what a rollback's plan can't undo: {family, id, name, why}; [] of other plans."""
    found: list[JSON] = []
    if manifest.get("impossible", {}).get("count"):
        async for line in parts.records.read_lines(rollback.path(closure, manifest["serial"], "impossible")):
            found.append(json.loads(line))
            if len(found) == MOST_HITS:
                break
    return found


def downloads(listing: JSON) -> list[tuple[int, int, int]]:
    """The files that a family is downloaded as, one for most tenants: (first shard, first item, last item)."""
    files, last = [(0, 1, 0)], 0
    for shard, part in enumerate(listing.get("shards") or ()):
        if last >= files[-1][1] and last + part["count"] - files[-1][1] >= DOWNLOAD:
            files.append((shard, last + 1, last))
        last += part["count"]
        files[-1] = (*files[-1][:2], last)
    return files


async def search(
    parts: Any, closure: str, serial: int, family: str, shards: int, wanted: str
) -> tuple[list[JSON], bool]:
    """Up to MOST_HITS items whose name, address or id holds these words, in any case, and whether there are more."""
    needle, hits = wanted.casefold(), list[JSON]()
    async for item in _every(parts, closure, serial, family, shards):
        upn = str((item.get("facts") or {}).get("upn") or "")
        if any(needle in text.casefold() for text in (str(item.get("name", "")), upn, str(item["id"]))):
            if len(hits) == MOST_HITS:
                return hits, True
            hits.append(item)
    return hits, False


async def _every(parts: Any, closure: str, serial: int, family: str, shards: int) -> AsyncIterator[JSON]:
    for start in range(0, shards, AT_ONCE):
        some = range(start, min(start + AT_ONCE, shards))
        for items in await asyncio.gather(*(shard_items(parts, closure, serial, family, shard) for shard in some)):
            for item in items:
                yield item


async def shard_items(parts: Any, closure: str, serial: int, family: str, shard: int) -> list[JSON]:
    """One shard of a plan's family."""
    path = names.shard_path(closure, serial, family, shard)
    return [json.loads(line) async for line in parts.records.read_lines(path)]


def _fullest(manifest: JSON, families: list[str]) -> str:
    """The family a reader most likely came for: users, or the first that holds anything."""
    held = [family for family in families if manifest["families"][family]["count"]]
    return (held or families or [str(Family.USERS)])[0]


def _tab(closure: str, serial: int, manifest: JSON, name: str, chosen: str) -> JSON:
    count = manifest["families"][name]["count"]
    return {"family": name, "count": count, "url": _here(closure, serial, name), "here": name == chosen}


def _here(closure: str, serial: int, family: str, **more: int) -> str:
    return f"/closures/{closure}/plan?{urlencode({'serial': serial, 'family': family, **more})}"


def _shown(family: str, item: Mapping[str, Any]) -> JSON:
    facts = item.get("facts") or {}
    known = [str(facts[name]) for name in FACTS.get(family, ()) if facts.get(name)]
    return {"id": str(item["id"]), "name": str(item.get("name", "")), "facts": known}
