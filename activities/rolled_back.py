"""What a closure's rollbacks came to, for its report."""

from __future__ import annotations

import json

from activities.history import manifest_of
from activities.rollback import read_impossible
from tenantclosure.names import Gate
from tenantclosure.policy import rollback
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts


async def rollbacks(parts: Parts, row: JSON) -> list[JSON]:
    """Every rollback that was planned: {serial, number, askedBy, at, state, planned, restored, left, impossible}.

    `state` is done, empty (there was nothing to bring back, so nobody was asked), vetoed, expired, unapproved (it was
    given up before people decided) or unfinished. `planned` are counts by family; the others are items with outcome or
    reason, by name.
    """
    closure, found = row["closureId"], []
    for serial in range(2, row["planSerial"] + 1):
        manifest = await manifest_of(parts, closure, serial)
        if manifest is None or manifest.get("kind") != rollback.KIND:
            continue
        told: JSON = {"restored": [], "left": [], "impossible": await read_impossible(parts, closure, manifest)}
        number, state = manifest["rollback"]["number"], await _state(parts, closure, manifest)
        if state == "done":
            told = json.loads(await parts.records.read_blob(rollback.path(closure, serial, "outcomes")))
        found.append(
            {
                "serial": serial,
                "number": number,
                **{name: manifest["rollback"][name] for name in ("askedBy", "at")},
                "state": state,
                "planned": rollback.counts(manifest),
                **{name: told[name] for name in ("restored", "left", "impossible")},
            }
        )
    return found


async def _state(parts: Parts, closure: str, manifest: JSON) -> str:
    serial, number = manifest["serial"], manifest["rollback"]["number"]
    if await parts.ledger.mark(closure, f"rollback-{number}", serial) is not None:
        return "done"
    if not rollback.items(manifest):
        return "empty"
    gate = await parts.ledger.gate(closure, Gate.ROLLBACK, serial)
    if gate is None or gate["state"] == "open":
        return "unapproved"
    return "unfinished" if gate["state"] == "approved" else str(gate["state"])
