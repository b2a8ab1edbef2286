"""What a plan holds other than the plan before it, for the people who approved that one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from tenantclosure import names
from tenantclosure.errors import RecordMissing
from tenantclosure.names import REMOVED_FAMILIES, Family, Outcome
from tenantclosure.policy.canonical import canonical
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts

SHOWN = 200
"""How many added items of a family are named."""


async def write_difference(parts: Parts, closure: str, manifest: dict[str, Any]) -> None:
    """Store {from, to, families: {family: {added, gone, removed, items}}} beside the plan of this manifest.

    `added` are items that the plan before did not hold, the first 200 of them by name; `removed` those of that plan
    which we removed, `gone` those that vanished by themselves. Only ids are held in memory.
    """
    serial = manifest["serial"]
    before = json.loads(await parts.records.read_blob(names.manifest_path(closure, serial - 1)))
    staying = {entry["id"] for entry in manifest["kept"]}
    families = {}
    for family in REMOVED_FAMILIES:
        known = {item["id"] async for item in _items(parts, closure, before, family)}
        left, added = set(known), 0
        items: list[dict[str, str]] = []
        async for item in _items(parts, closure, manifest, family):
            left.discard(item["id"])
            if item["id"] in known:
                continue
            added += 1
            if len(items) < SHOWN:
                upn = str((item.get("facts") or {}).get("upn") or "")
                items.append({"id": item["id"], "name": item["name"], "upn": upn})
        left -= staying
        removed = len(left & await _removed(parts, closure, before, family))
        families[str(family)] = {"added": added, "gone": len(left) - removed, "removed": removed, "items": items}
    document = {"from": serial - 1, "to": serial, "families": families}
    await parts.records.write_blob(names.difference_path(closure, serial), canonical(document))


async def _items(parts: Parts, closure: str, manifest: dict[str, Any], family: str) -> AsyncIterator[JSON]:
    for shard in range(len(manifest["families"][family]["shards"])):
        async for line in parts.records.read_lines(names.shard_path(closure, manifest["serial"], family, shard)):
            yield json.loads(line)


async def _removed(parts: Parts, closure: str, manifest: dict[str, Any], family: str) -> set[str]:
    """Ids of a plan's family that we removed ourselves, as the evidence says."""
    if family == Family.SUBSCRIPTIONS:
        standings = await parts.ledger.subscriptions(closure)
        return {item for item, standing in standings.items() if standing.get("outcome") == Outcome.REMOVED}
    removed = set()
    for shard in range(len(manifest["families"][family]["shards"])):
        path = names.evidence_path(closure, manifest["serial"], family, "delete", shard)
        try:
            async for line in parts.records.read_lines(path):
                entry = json.loads(line)
                if entry["t"] == "outcome" and entry["outcome"] == Outcome.REMOVED:
                    removed.add(entry["id"])
        except RecordMissing:
            continue  # this shard was never begun
    return removed
