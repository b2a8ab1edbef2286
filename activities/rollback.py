"""Rollback: the turn to it, and its plan: what of our work can still be undone, frozen under a digest of its own."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from typing import Any

from activities.base import Order, activity
from activities.freeze import still_frozen
from activities.guard import pinned, read_manifest, unhindered
from activities.history import History, read_history
from activities.leftovers import of_people, of_sellers
from tenantclosure import names
from tenantclosure.errors import RailBroken, RecordMissing
from tenantclosure.model.inventory import Item
from tenantclosure.names import Control, Family, Phase, Rail, Status, Word
from tenantclosure.policy import rails, rollback
from tenantclosure.policy.canonical import canonical, digest
from tenantclosure.policy.planner import Shards, family_entry, manifest
from tenantclosure.ports import JSON, Directory
from tenantclosure.wiring import Parts

AT_ONCE, CHUNK, BLOCK = 8, 20, 2000
"""Look-ups side by side, ids in one look-up, ids whose states are kept together so that none is asked twice."""


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
    history = await read_history(parts, row)
    lost: list[JSON] = []
    planned: dict[str, list[Item]] = {}
    for family in map(str, rollback.RESTORED):
        removed = history.of(family).removed
        states = await _states(parts, row, directory, family, sorted(removed))
        planned[family], gone = rollback.sorted_out(family, removed, states)
        lost += gone
    planned[rollback.USERS_ENABLED] = await _let_in(directory, history, planned[Family.USERS])
    everything = frozenset(item.id for items in planned.values() for item in items)
    rails.check_spared(everything, keeper.id, own.id if own else None)
    others, late = await of_sellers(parts, row, directory, history)
    lost += [*late, *await of_people(parts, row, directory, history)]
    if await still_frozen(parts, closure, directory):
        others.append(rollback.UNDO_FREEZE)
    families = {}
    for family, _ in rollback.WAVES:
        families[family] = await _shards(parts, closure, serial, family, planned[family])
    document = {
        **manifest(row, keeper, own, families, []),
        "kind": rollback.KIND,
        "rollback": {name: row["rollback"][name] for name in ("number", "askedBy", "at", "endsAs")},
        "others": others,
        "impossible": await _keep_impossible(parts, closure, serial, lost),
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


async def _states(parts: Parts, row: JSON, directory: Directory, family: str, ids: list[str]) -> dict[str, str]:
    """Where each of these is: `present`, `deleted` or `gone`. Stored block by block, so that a long look-up that
    meets trouble goes on where it was.
    """
    found: dict[str, str] = {}
    for number, start in enumerate(range(0, len(ids), BLOCK)):
        block = ids[start : start + BLOCK]
        path = rollback.path(row["closureId"], row["planSerial"], f"{family}-{number}")
        try:
            known: dict[str, str] = json.loads(await parts.records.read_blob(path))
        except RecordMissing:
            known = await look_up(directory, family, block)
            await parts.records.write_blob(path, canonical(known))
        found.update(known)
    return found


async def look_up(directory: Directory, family: str, ids: list[str]) -> dict[str, str]:
    """States of any number of items by point reads, a few batches side by side."""
    free = asyncio.Semaphore(AT_ONCE)

    async def look(chunk: list[str]) -> dict[str, str]:
        async with free:
            return await directory.states_of(family, chunk)

    chunks = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
    found: dict[str, str] = {}
    for states in await asyncio.gather(*map(look, chunks)):
        found.update(states)
    return found


async def _let_in(directory: Directory, history: History, restored: list[Item]) -> list[Item]:
    blocked = history.of(Family.USERS).blocked
    enabled: dict[str, bool] = {}
    if blocked:
        async for page in directory.pages(Family.USERS):
            enabled.update({item.id: bool(item.facts.get("enabled", True)) for item in page})
    return rollback.let_in(blocked, restored, enabled)


async def _shards(parts: Parts, closure: str, serial: int, family: str, items: list[Item]) -> dict[str, Any]:
    shards = Shards(parts.settings.shard_size)
    for item in items:
        shards.add(item, last=False)
    shards.finish()
    for number, data in shards.take():
        await parts.records.write_blob(names.shard_path(closure, serial, family, number), data)
    return family_entry(shards)


async def _keep_impossible(parts: Parts, closure: str, serial: int, lost: list[JSON]) -> dict[str, Any]:
    """Store the list beside the plan, which holds its hash: what people agree to says what does not come back."""
    data = b"".join(canonical(entry) + b"\n" for entry in lost)
    await parts.records.write_blob(rollback.path(closure, serial, "impossible"), data)
    return {
        "count": len(lost),
        "families": dict(Counter(entry["family"] for entry in lost)),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


async def read_impossible(parts: Parts, closure: str, document: JSON) -> list[JSON]:
    """What a rollback's plan says can't be undone: [{family, id, name, why}]. Raises RailBroken if it was changed."""
    try:
        data = await parts.records.read_blob(rollback.path(closure, document["serial"], "impossible"))
    except RecordMissing:
        data = b""
    if hashlib.sha256(data).hexdigest() != document["impossible"]["sha256"]:
        raise RailBroken(Rail.SHARD_HASH, "The list of what can't be undone was changed after it was approved.")
    return [json.loads(line) for line in data.splitlines()]
