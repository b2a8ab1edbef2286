"""What a plan holds other than the plan before it, for the people who approved that one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from tenantclosure import names
from tenantclosure.errors import RecordMissing
from tenantclosure.names import REMOVED_FAMILIES, Family, Outcome
from tenantclosure.policy.canonical import canonical
from tenantclosure.policy.planner import part_of
from tenantclosure.ports import JSON
from tenantclosure.scratch import Ids
from tenantclosure.wiring import Parts

SHOWN = 200
"""How many added items of a family are named."""


async def write_difference(parts: Parts, closure: str, manifest: dict[str, Any]) -> None:
    """Store {from, to, families: {family: {added, gone, removed, items}}} beside the plan of this manifest.

    `added` are items that the plan before did not hold, the first 200 of them by name; `removed` those of that plan
    which we removed, `gone` those that vanished by themselves.
    """
    serial = manifest["serial"]
    before = json.loads(await parts.records.read_blob(names.manifest_path(closure, serial - 1)))
    families = {}
    for family in REMOVED_FAMILIES:
        with Ids() as known:
            families[str(family)] = await _of_family(parts, closure, before, manifest, family, known)
    document = {"from": serial - 1, "to": serial, "families": families}
    await parts.records.write_blob(names.difference_path(closure, serial), canonical(document))


async def _of_family(parts: Parts, closure: str, before: JSON, after: JSON, family: str, known: Ids) -> JSON:
    """One family's difference. `known` takes the plan before; what the new one has too, or keeps, is marked in it."""
    added, items = 0, list[dict[str, str]]()
    async for shard in _shards(parts, closure, before, family):
        known.add(item["id"] for item in shard)
    async for shard in _shards(parts, closure, after, family):
        there = known.parts(item["id"] for item in shard)
        known.mark(there)
        fresh = [item for item in shard if item["id"] not in there]
        added += len(fresh)
        items += [_named(item) for item in fresh[: SHOWN - len(items)]]
    known.mark(entry["id"] for entry in after["kept"])
    gone, removed = known.count(marked=False), 0
    async for some in _removed(parts, closure, before, family):
        ours = known.parts(some).keys() - known.notes(some).keys()
        known.mark(ours)
        removed += len(ours)
    return {"added": added, "gone": gone - removed, "removed": removed, "items": items}


def _named(item: JSON) -> dict[str, str]:
    return {"id": item["id"], "name": item["name"], "upn": str((item.get("facts") or {}).get("upn") or "")}


async def _shards(parts: Parts, closure: str, manifest: JSON, family: str) -> AsyncIterator[list[JSON]]:
    for shard in range(len(part_of(manifest, family)["shards"])):
        lines = parts.records.read_lines(names.shard_path(closure, manifest["serial"], family, shard))
        yield [json.loads(line) async for line in lines]


async def _removed(parts: Parts, closure: str, manifest: JSON, family: str) -> AsyncIterator[set[str]]:
    """Ids of a plan's family that we removed ourselves, as the evidence says, shard by shard."""
    if family == Family.SUBSCRIPTIONS:
        standings = await parts.ledger.subscriptions(closure)
        yield {item for item, standing in standings.items() if standing.get("outcome") == Outcome.REMOVED}
        return
    for shard in range(len(part_of(manifest, family)["shards"])):
        path, removed = names.evidence_path(closure, manifest["serial"], family, "delete", shard), set[str]()
        try:
            async for line in parts.records.read_lines(path):
                entry = json.loads(line)
                if entry["t"] == "outcome" and entry["outcome"] == Outcome.REMOVED:
                    removed.add(entry["id"])
        except RecordMissing:
            continue  # this shard was never begun
        yield removed
