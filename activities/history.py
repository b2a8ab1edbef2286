"""What a closure has done to the tenant so far, read back from the approved plans and their evidence."""

from __future__ import annotations

import json
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
    """What lies removed by our hand, by family, the subscriptions that were planned, and every planned application."""

    ours: dict[str, rollback.Ours] = field(default_factory=dict)
    subscriptions: dict[str, Item] = field(default_factory=dict)
    principals: dict[str, Item] = field(default_factory=dict)

    def of(self, family: str) -> rollback.Ours:
        """What we did to one family."""
        return self.ours.setdefault(str(family), rollback.Ours())

    def put_back(self, family: str, id_: str) -> None:
        """A look has shown that this is undone: what becomes of it later is not ours."""
        if family == Family.SUBSCRIPTIONS:
            self.subscriptions.pop(id_, None)
        elif family == rollback.USERS_ENABLED:
            self.of(Family.USERS).blocked.pop(id_, None)
        else:
            self.of(family).removed.pop(id_, None)
            self.of(family).taken.pop(id_, None)


async def read_history(parts: Parts, row: JSON) -> History:
    """Replay every plan before the one in force.

    Raises RailBroken when a plan with evidence is not the one people approved, or when evidence names an item that is
    in no approved shard: what nobody approved to remove was not removed by us, and is not ours to restore.
    """
    found = History()
    for serial in range(1, row["planSerial"]):
        manifest = await manifest_of(parts, row["closureId"], serial)
        if manifest is not None:
            await _replay(parts, row["closureId"], manifest, found)
    found.of(Family.SERVICE_PRINCIPALS).with_registrations(found.of(Family.APPLICATIONS).removed)
    return found


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
    for entry in await _put_back(parts, closure, manifest):
        found.put_back(entry["family"], entry["id"])
    for family, known in (
        (Family.SUBSCRIPTIONS, found.subscriptions),
        (Family.SERVICE_PRINCIPALS, found.principals),
    ):
        for shard, entry in enumerate(families.get(family, {}).get("shards", ()) if approved else ()):
            for id_, item in (await _items(parts, closure, serial, family, shard, entry)).items():
                # The newest plan knows best who sells it, the first one what it was like before anything was done.
                before = known.get(id_, item).facts
                kept = {name: before[name] for name in ("status", "state", "enabled") if name in before}
                known[id_] = Item(id_, item.name, {**item.facts, **kept})


async def _put_back(parts: Parts, closure: str, manifest: dict[str, Any]) -> list[JSON]:
    """What a finished rollback has put back: [{family, id, …}]; [] of another plan."""
    if manifest.get("kind") != rollback.KIND:
        return []
    try:
        data = await parts.records.read_blob(rollback.path(closure, manifest["serial"], "outcomes"))
    except RecordMissing:
        return []
    found: list[JSON] = json.loads(data)["restored"]
    return found


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
