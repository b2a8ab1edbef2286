"""What a closure has done to the tenant so far, read back from the approved plans and their evidence."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from activities.journal import Journal
from tenantclosure import names
from tenantclosure.errors import RailBroken, RecordMissing
from tenantclosure.model.inventory import Item
from tenantclosure.names import Family, Gate, Outcome, Rail
from tenantclosure.policy import rails, rollback
from tenantclosure.policy.canonical import digest
from tenantclosure.ports import JSON
from tenantclosure.scratch import Shelf
from tenantclosure.wiring import Parts

_WORKED: tuple[tuple[str, str], ...] = (
    (Family.USERS, "block"),
    (Family.USERS, "delete"),
    (Family.DOMAINS, "delete"),
    (Family.APPLICATIONS, "delete"),
    (Family.SERVICE_PRINCIPALS, "delete"),
    *rollback.WAVES,
)
"""Families and operations that leave evidence, in the order in which one plan works them."""


@dataclass(slots=True)
class History:
    """What lies removed by our hand, by family and on temporary disk, and the subscriptions that were planned."""

    shelf: Shelf
    ours: dict[str, rollback.Ours] = field(default_factory=dict)
    subscriptions: dict[str, Item] = field(default_factory=dict)

    def of(self, family: str) -> rollback.Ours:
        """What we did to one family."""
        if family not in self.ours:
            removed, blocked, taken = (self.shelf.mapping(_dump, _load) for _ in range(3))
            self.ours[str(family)] = rollback.Ours(removed, blocked, taken)
        return self.ours[family]

    def put_back(self, family: str, id_: str) -> None:
        """A look has shown that this is undone: what becomes of it later is not ours."""
        if family == Family.SUBSCRIPTIONS:
            self.subscriptions.pop(id_, None)
        elif family == rollback.USERS_ENABLED:
            self.of(Family.USERS).blocked.pop(id_, None)
        else:
            self.of(family).removed.pop(id_, None)
            self.of(family).taken.pop(id_, None)


@asynccontextmanager
async def read_history(parts: Parts, row: JSON) -> AsyncIterator[History]:
    """Replay every plan before the one in force; the disk it takes is given back at the end.

    Raises RailBroken when a plan with evidence is not the one people approved, or when evidence names an item that is
    in no approved shard: what nobody approved to remove was not removed by us, and is not ours to restore.
    """
    with Shelf() as shelf:
        found = History(shelf)
        for serial in range(1, row["planSerial"]):
            manifest = await manifest_of(parts, row["closureId"], serial)
            if manifest is not None:
                await _replay(parts, row["closureId"], manifest, found)
        found.of(Family.SERVICE_PRINCIPALS).with_registrations(found.of(Family.APPLICATIONS).removed)
        yield found


async def manifest_of(parts: Parts, closure: str, serial: int) -> dict[str, Any] | None:
    """A plan's manifest; None when that plan was never frozen."""
    try:
        manifest: dict[str, Any] = json.loads(await parts.records.read_blob(names.manifest_path(closure, serial)))
    except RecordMissing:
        return None
    return manifest


async def _replay(parts: Parts, closure: str, manifest: dict[str, Any], found: History) -> None:
    serial, families = manifest["serial"], manifest["families"]
    gate = Gate.ROLLBACK if manifest.get("kind") == rollback.KIND else Gate.PLAN
    doc = await parts.ledger.gate(closure, gate, serial)
    approved = doc is not None and doc["digest"] == digest(manifest)
    for family, operation in _WORKED:
        for shard, entry in enumerate(families.get(family, {}).get("shards", ())):
            journal = await Journal(
                parts.records, names.evidence_path(closure, serial, family, operation, shard)
            ).read()
            if not journal.outcomes and not journal.in_doubt:
                continue  # never begun
            if not approved:
                raise RailBroken(Rail.DIGEST, f"Plan {serial} has evidence, but is not the one that was approved.")
            items = await _items(parts, closure, serial, family, shard, entry)
            if not {*journal.outcomes, *journal.in_doubt} <= items.keys():
                raise RailBroken(Rail.SHARD_HASH, f"The evidence of plan {serial} names an item that is not in it.")
            base = Family.USERS if family == rollback.USERS_ENABLED else family
            found.of(base).replay(operation, items, journal.outcomes, _in_doubt(journal))
    async for entry in _put_back(parts, closure, manifest):
        found.put_back(entry["family"], entry["id"])
    shards = families.get(Family.SUBSCRIPTIONS, {}).get("shards", ()) if approved else ()
    for shard, entry in enumerate(shards):
        for id_, item in (await _items(parts, closure, serial, Family.SUBSCRIPTIONS, shard, entry)).items():
            # The newest plan knows best who sells it, the first one what it was like before anything was done.
            before = found.subscriptions.get(id_, item).facts
            kept = {name: before[name] for name in ("status", "state") if name in before}
            found.subscriptions[id_] = Item(id_, item.name, {**item.facts, **kept})


async def _put_back(parts: Parts, closure: str, manifest: dict[str, Any]) -> AsyncIterator[JSON]:
    """What a finished rollback has put back: {family, id, …}; nothing of another plan."""
    if manifest.get("kind") != rollback.KIND:
        return
    try:
        async for line in parts.records.read_lines(rollback.path(closure, manifest["serial"], "outcomes")):
            entry = json.loads(line)
            if entry["outcome"] == Outcome.RESTORED:
                yield entry
    except RecordMissing:
        return


def _in_doubt(journal: Journal) -> set[str]:
    """Ids that may have gone by our hand although no answer says so; the recycle bin tells."""
    return {*journal.in_doubt} | {id_ for id_ in journal.unsure if journal.outcomes.get(id_) == Outcome.ABSENT}


async def _items(
    parts: Parts, closure: str, serial: int, family: str, shard: int, entry: dict[str, Any]
) -> dict[str, Item]:
    try:
        data = await parts.records.read_blob(names.shard_path(closure, serial, family, shard))
    except RecordMissing:
        raise RailBroken(Rail.SHARD_HASH, "A shard of an earlier plan is missing.") from None
    rails.check_shard(data, entry)
    return {item.id: item for item in (Item.from_dict(json.loads(line)) for line in data.splitlines())}


def _dump(item: Item) -> str:
    return json.dumps(item.to_dict())


def _load(text: str) -> Item:
    return Item.from_dict(json.loads(text))
