"""Before and after a wave: a fresh listing against the plan, the quota that is left, and the proof that items
are gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from activities.base import Halt, Order, activity, clear_blocker, note_blocker
from activities.freeze import look_at_freeze
from activities.guard import Clearance, cleared, planned_ids, read_shard
from activities.integrity import check_records
from activities.journal import AGAIN, Journal
from activities.kept import keep, tell
from tenantclosure import names
from tenantclosure.names import Family, Outcome, Word
from tenantclosure.policy import drift, pacing, timing
from tenantclosure.policy.canonical import canonical
from tenantclosure.policy.drift import Drift, Staying, staying
from tenantclosure.wiring import Parts

SHOWN = 50
"""How many ids of a difference are shown to people."""


def reviewed_mark(family: str) -> str:
    """Mark of the newest review of what refused to go: {returned, harmless, roles (ours), grown (when they grew)}."""
    return f"reviewed-{family}"


def gone_mark(family: str) -> str:
    """Mark of what vanished by itself since the plan was frozen: {count, items (the first of them)}."""
    return f"gone-{family}"


@dataclass(frozen=True, slots=True)
class Found:
    """A fresh listing against the plan; `staying` are items of the plan that must stay as they are now, by id."""

    drift: Drift
    staying: dict[str, Staying]


@activity
async def open_wave(parts: Parts, order: Order) -> Order:
    """{shards, privilegedFrom, tokens}: the tenant holds nothing of this family that people have not seen.

    Called before each wave, when all records are looked at too. What vanished by itself is recorded, what must stay by
    now is kept and told.
    """
    clearance = await cleared(parts, order)
    await check_records(parts, order["closureId"])
    family = order["family"]
    entry = clearance.manifest["families"][family]
    found = await _compare(parts, clearance, family)
    await _record_gone(parts, order, clearance, frozenset(found.drift.gone))
    await keep(parts, order, clearance, found.staying)
    await tell(parts, order["closureId"], family, found.staying.values())
    await look_at_freeze(parts, order, clearance.directory)
    return {
        "shards": len(entry["shards"]),
        "privilegedFrom": entry["privilegedFrom"],
        "tokens": await tokens(parts, order["closureId"]),
    }


@activity
async def confirm_wave(parts: Parts, order: Order) -> Order:
    """{confirmed}: a fresh, complete listing shows nothing that we removed; what stays on becomes a blocker by name.

    What must stay is no loss: it has its outcome and a blocker of its own (activities.kept).
    """
    clearance = await cleared(parts, order, writes=False)
    family, closure, serial = order["family"], order["closureId"], order["serial"]
    found = await _compare(parts, clearance, family)
    left = found.drift.left
    # What was restored after it had gone stays listed as well: nothing is deleted twice (review_refused).
    reviewed = await parts.ledger.mark(closure, reviewed_mark(family), serial) or {}
    refused = int(reviewed.get("returned", 0))
    async for _, name, operation, _, counts in parts.ledger.shards(closure, serial):
        if name == family and operation == "delete":
            refused += sum(counts.get(outcome, 0) for outcome in AGAIN)
    if len(left) > refused and order["tries"] < timing.CONFIRM_TRIES:
        return {"confirmed": False, "left": len(left)}
    document = {"listedAt": parts.clock.now().isoformat(), "left": list(left), "refused": refused}
    await parts.records.write_blob(f"{closure}/evidence-{serial}/{family}-left.json", canonical(document))
    what, held = f"{family}-left", [id_ for id_ in left if id_ not in found.staying]
    if held and family != Family.SERVICE_PRINCIPALS:
        remedy = "Remove what holds them, then resume."
        await note_blocker(parts, closure, what, f"{len(held)} {family} are still listed.", remedy, held[:SHOWN])
    else:
        await clear_blocker(parts, closure, what)
    await parts.ledger.set_mark(closure, f"confirmed-{family}", serial, {"left": len(left), "refused": refused})
    return {"confirmed": True, "left": len(left)}


async def _compare(parts: Parts, clearance: Clearance, family: str) -> Found:
    """Halts with `drift` when there is something nobody approved."""
    planned = await planned_ids(parts, clearance, family)
    known = spared_ids(clearance)
    listed: list[str] = []
    stays: dict[str, Staying] = {}
    async for page in clearance.directory.pages(family):
        listed += [item.id for item in page]
        stays |= staying(clearance.spared, family, known, page)
    await clear_blocker(parts, clearance.row["closureId"], "listing")
    found = drift.compare(planned, known, listed)
    halt_if_grown(family, found)
    return Found(found, {id_: one for id_, one in stays.items() if id_ in planned})


def spared_ids(clearance: Clearance) -> frozenset[str]:
    """Ids that the plan itself keeps."""
    return frozenset(entry["id"] for entry in clearance.manifest["kept"]) | {clearance.keeper}


def halt_if_grown(family: str, found: Drift) -> None:
    """Stop the phase with the ids that nobody approved; people are asked about the plan that holds them."""
    if found.added:
        raise Halt("drift", f"{len(found.added)} new in {family}: {', '.join(found.added[:SHOWN])}")


async def _record_gone(parts: Parts, order: Order, clearance: Clearance, gone: frozenset[str]) -> None:
    """Keep how many items of the plan vanished by themselves, and which (the first of them); told again only when they
    have become more.
    """
    closure, serial, family = order["closureId"], order["serial"], order["family"]
    vanished: list[str] = []
    registered = await _registered(parts, clearance) if gone and family == Family.SERVICE_PRINCIPALS else frozenset()
    for shard in range(len(clearance.manifest["families"][family]["shards"]) if gone else 0):
        items = await read_shard(parts, clearance, family, shard)
        ids = {item.id for item in items if item.id in gone and item.facts.get("appId") not in registered}
        if not ids:
            continue
        journal = await Journal(parts.records, names.evidence_path(closure, serial, family, "delete", shard)).read()
        ours = {id_ for id_, outcome in journal.outcomes.items() if outcome == Outcome.REMOVED}
        # One whose answer was lost may have gone by our hand.
        vanished += ids - ours - journal.unsure - journal.in_doubt.keys()
    before = await parts.ledger.mark(closure, gone_mark(family), serial)
    if len(vanished) > (before["count"] if before else 0):
        told = {"count": len(vanished), "items": sorted(vanished)[:SHOWN]}
        await parts.ledger.audit(closure, Word.ITEMS_GONE, None, {"serial": serial, "family": family, **told})
        await parts.ledger.set_mark(closure, gone_mark(family), serial, told)


async def _registered(parts: Parts, clearance: Clearance) -> frozenset[str]:
    """Application ids of the plan's registrations: their enterprise applications go with them, by our hand."""
    found: set[str] = set()
    for shard in range(len(clearance.manifest["families"][Family.APPLICATIONS]["shards"])):
        items = await read_shard(parts, clearance, Family.APPLICATIONS, shard)
        found |= {str(item.facts["appId"]) for item in items if item.facts.get("appId")}
    return frozenset(found)


async def tokens(parts: Parts, closure: str) -> float:
    """What the service's bucket holds at least, counted from the writes this closure has made so far."""
    made = [
        (datetime.fromisoformat(counts["at"]), counts["writes"])
        async for *_, counts in parts.ledger.shards(closure)
        if counts.get("writes")
    ]
    return pacing.tokens_left(parts.settings.burst, parts.settings.rate, made, parts.clock.now())
