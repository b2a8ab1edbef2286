"""What a closure's rollbacks came to, for its report."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from activities.history import manifest_of
from activities.rollback import read_impossible
from tenantclosure.names import Gate, Outcome
from tenantclosure.policy import rollback
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts

FIRST = 1000
"""Entries of one list that are kept by name; the CSV has them all."""


async def rollbacks(parts: Parts, row: JSON) -> list[JSON]:
    """Every rollback that was planned: {serial, number, askedBy, at, state, planned, counts, restored, left,
    impossible}.

    `state` is done, empty (there was nothing to bring back, so nobody was asked), vetoed, expired, unapproved (it was
    given up before people decided) or unfinished. `planned` are counts by family. The last three are lists of items
    with outcome or reason, by name, as far as FIRST of each; `counts` says how many there are.
    """
    closure, found = row["closureId"], []
    async for manifest, ended in _planned(parts, row):
        lists: dict[str, list[JSON]] = {"restored": [], "left": [], "impossible": []}
        counts = dict.fromkeys(lists, 0)
        async for name, entry in _entries(parts, closure, manifest, ended):
            counts[name] += 1
            if counts[name] <= FIRST:
                lists[name].append(entry)
        found.append(
            {
                "serial": manifest["serial"],
                **{name: manifest["rollback"][name] for name in ("number", "askedBy", "at")},
                "state": await _state(parts, closure, manifest, ended),
                "planned": rollback.counts(manifest),
                "counts": counts,
                **lists,
            }
        )
    return found


async def beside_evidence(parts: Parts, row: JSON) -> AsyncIterator[tuple[str, JSON]]:
    """What no shard's evidence tells of the rollbacks, for the CSV: (what was done or looked at, entry)."""
    async for manifest, ended in _planned(parts, row):
        async for name, entry in _entries(parts, row["closureId"], manifest, ended):
            if name == "impossible":
                yield "rollback", {**entry, "outcome": name}
            elif "what" in entry:
                yield entry["what"], entry


async def _planned(parts: Parts, row: JSON) -> AsyncIterator[tuple[JSON, bool]]:
    """Manifest of every rollback, and whether it came to its end."""
    for serial in range(2, row["planSerial"] + 1):
        manifest = await manifest_of(parts, row["closureId"], serial)
        if manifest is not None and manifest.get("kind") == rollback.KIND:
            mark = f"rollback-{manifest['rollback']['number']}"
            yield manifest, await parts.ledger.mark(row["closureId"], mark, serial) is not None


async def _entries(parts: Parts, closure: str, manifest: JSON, ended: bool) -> AsyncIterator[tuple[str, JSON]]:
    """Every entry of one rollback with the name of its list."""
    if ended:
        async for line in parts.records.read_lines(rollback.path(closure, manifest["serial"], "outcomes")):
            entry = json.loads(line)
            yield "restored" if entry["outcome"] == Outcome.RESTORED else "left", entry
    async for entry in read_impossible(parts, closure, manifest):
        yield "impossible", entry


async def _state(parts: Parts, closure: str, manifest: JSON, ended: bool) -> str:
    if ended:
        return "done"
    if not rollback.items(manifest):
        return "empty"
    gate = await parts.ledger.gate(closure, Gate.ROLLBACK, manifest["serial"])
    if gate is None or gate["state"] == "open":
        return "unapproved"
    return "unfinished" if gate["state"] == "approved" else str(gate["state"])
