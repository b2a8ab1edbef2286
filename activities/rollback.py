"""Rollback: the turn to it, and its plan: what of our work can still be undone, frozen under a digest of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

from activities.base import Order, activity
from activities.freeze import still_frozen
from activities.guard import pinned, read_manifest, unhindered
from activities.history import read_history
from activities.undoable import Undoable
from tenantclosure import names
from tenantclosure.errors import RailBroken, RecordMissing
from tenantclosure.names import Control, Phase, Rail, Status, Word
from tenantclosure.policy import rails, rollback
from tenantclosure.policy.canonical import canonical, digest
from tenantclosure.policy.planner import manifest
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts


@activity
async def begin_rollback(parts: Parts, order: Order) -> Order:
    """Turn a closure whose operator asked for it to its rollback: the next plan serial, without a plan yet.

    Once the tenant is being handed over nothing can be undone any more: then the closure goes on as it was.
    """
    closure = order["closureId"]
    rails.check_fence(await parts.ledger.closure(closure), order["epoch"])
    marks = await parts.ledger.marks(closure)
    late = any(mark == names.HAND_OVER_BEGUN for mark, _ in marks)

    def edit(row: JSON) -> None:
        rails.check_fence(row, order["epoch"])
        if row["control"] != Control.ROLLBACK:
            return  # it has begun already
        row["control"] = Control.RUN
        if late:
            row["rollback"]["serial"] = 0
            return
        serial = row["planSerial"] + 1
        row["rollback"].update(serial=serial, plan=rollback.plan_before(row))
        row.update(planSerial=serial, digest=None, gate=None, phase=Phase.GATE_ROLLBACK, status=Status.PLANNING)

    if late:
        why = "The tenant is being handed over: nothing can be undone any more."
        await parts.ledger.audit(closure, Word.ROLLBACK_ENDED, None, {"serial": 0, "why": why})
    await parts.ledger.change(closure, edit)
    return {}


@activity
async def plan_rollback(parts: Parts, order: Order) -> Order:
    """Freeze the plan of a rollback, or tell of the one that is frozen.

    Returns {items, waves: [{family, operation, shards}]}; `items` counts what people have to agree to. The
    freeze of sign-ups is not among them: every end that is not `closed` puts that back.
    """
    row = await unhindered(parts, order)
    document = await read_manifest(parts, row) if row["digest"] is not None else await _freeze(parts, row)
    if digest(document) != row["digest"] and row["digest"] is not None:
        raise RailBroken(Rail.DIGEST, "The stored plan is not the one the closure froze.")
    waves = [
        {"family": family, "operation": operation, "shards": len(document["families"][family]["shards"])}
        for family, operation in rollback.WAVES
    ]
    return {"items": rollback.items(document), "waves": waves}


async def _freeze(parts: Parts, row: JSON) -> dict[str, Any]:
    """Look at everything afresh and store shards, what is impossible, and the manifest; then put it on the row."""
    directory, closure, serial = await pinned(parts, row), row["closureId"], row["planSerial"]
    keeper = rails.check_keeper(await directory.find_user(row["keeper"]), await directory.global_administrators())
    own = await directory.own_service_principal()
    async with read_history(parts, row) as history:
        plan = Undoable(parts, row, directory, history, (keeper.id, own.id if own else None))
        await parts.records.write_pieces(rollback.path(closure, serial, "impossible"), plan.lines())
    if await still_frozen(parts, closure, directory):
        plan.others.append(rollback.UNDO_FREEZE)
    document = {
        **manifest(row, keeper, own, plan.families, []),
        "kind": rollback.KIND,
        "rollback": {name: row["rollback"][name] for name in ("number", "askedBy", "at", "endsAs")},
        "others": plan.others,
        # The list lies beside the plan, which holds its hash: what people agree to says what does not come back.
        "impossible": {
            "count": plan.lost.total(),
            "families": dict(plan.lost),
            "sha256": plan.whole.hexdigest(),
        },
    }
    return await _put_on_row(parts, row, document)


async def _put_on_row(parts: Parts, row: JSON, document: dict[str, Any]) -> dict[str, Any]:
    closure, serial = row["closureId"], row["planSerial"]
    await parts.records.write_blob(names.manifest_path(closure, serial), canonical(document))
    counts = rollback.counts(document)
    told = {"serial": serial, "digest": digest(document), "counts": counts, "impossible": document["impossible"]}
    await parts.ledger.audit(closure, Word.ROLLBACK_PLANNED, None, told)
    await parts.ledger.change(closure, lambda row: row.update(digest=told["digest"], planned=counts))
    return document


async def check_impossible(parts: Parts, closure: str, document: JSON) -> None:
    """Raises RailBroken unless the list of what can't be undone is the one that a rollback's plan holds the hash of."""
    whole = hashlib.sha256()
    try:
        async for piece in parts.records.read_pieces(rollback.path(closure, document["serial"], "impossible")):
            whole.update(piece)
    except RecordMissing:
        pass
    if whole.hexdigest() != document["impossible"]["sha256"]:
        raise RailBroken(Rail.SHARD_HASH, "The list of what can't be undone was changed after it was approved.")


async def read_impossible(parts: Parts, closure: str, document: JSON) -> AsyncIterator[JSON]:
    """What a rollback's plan says can't be undone: {family, id, name, why}. Raises RailBroken if it was changed."""
    await check_impossible(parts, closure, document)
    if document["impossible"]["count"]:
        async for line in parts.records.read_lines(rollback.path(closure, document["serial"], "impossible")):
            yield json.loads(line)
