"""Before and after a wave: a fresh listing against the plan, the quota that is left, and the proof that items
are gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from itertools import islice

from activities.base import Order, activity, clear_blocker, note_blocker
from activities.compare import SHOWN, Found, compared
from activities.freeze import look_at_freeze
from activities.guard import Clearance, cleared, read_shard
from activities.integrity import check_records
from activities.journal import AGAIN, Journal
from activities.kept import keep, tell
from tenantclosure import names
from tenantclosure.names import Family, Outcome, Word
from tenantclosure.policy import timing
from tenantclosure.policy.canonical import canonical
from tenantclosure.policy.drift import First
from tenantclosure.policy.planner import part_of
from tenantclosure.scratch import Ids
from tenantclosure.wiring import Parts

LINE = 1000
"""Ids of what is left that are written at once."""


def reviewed_mark(family: str) -> str:
    """Mark of the newest review of what refused to go: {returned, harmless, roles (ours), grown (when they grew)}."""
    return f"reviewed-{family}"


def gone_mark(family: str) -> str:
    """Mark of what vanished by itself since the plan was frozen: {count, items (the first of them)}."""
    return f"gone-{family}"


@activity
async def open_wave(parts: Parts, order: Order) -> Order:
    """{shards, privilegedFrom}: the tenant holds nothing of this family that people have not seen.

    Called before each wave, when all records are looked at too. What vanished by itself is recorded, what must stay by
    now is kept and told.
    """
    clearance = await cleared(parts, order)
    await check_records(parts, order["closureId"])
    family = order["family"]
    entry = part_of(clearance.manifest, family)
    async with compared(parts, clearance, family) as found:
        await _record_gone(parts, order, clearance, found)
        await keep(parts, order, clearance, found)
        await tell(parts, order["closureId"], family, found.staying.values())
    await look_at_freeze(parts, order, clearance.directory)
    return {
        "shards": len(entry["shards"]),
        "privilegedFrom": entry["privilegedFrom"],
    }


@activity
async def confirm_wave(parts: Parts, order: Order) -> Order:
    """{confirmed}: a fresh, complete listing shows nothing that we removed; what stays on becomes a blocker by name.

    What must stay is no loss: it has its outcome and a blocker of its own (activities.kept).
    """
    clearance = await cleared(parts, order, writes=False)
    async with compared(parts, clearance, order["family"]) as found:
        return await _confirm(parts, order, found)


async def _confirm(parts: Parts, order: Order, found: Found) -> Order:
    family, closure, serial = order["family"], order["closureId"], order["serial"]
    left = found.listed.total()
    # What was restored after it had gone stays listed as well: nothing is deleted twice (review_refused).
    reviewed = await parts.ledger.mark(closure, reviewed_mark(family), serial) or {}
    refused = int(reviewed.get("returned", 0))
    async for _, name, operation, _, counts in parts.ledger.shards(closure, serial):
        if name == family and operation == "delete":
            refused += sum(counts.get(outcome, 0) for outcome in AGAIN)
    if left > refused and order["tries"] < timing.CONFIRM_TRIES:
        return {"confirmed": False, "left": left}
    evidence = f"{closure}/evidence-{serial}/{family}-left.json"
    told = {"listedAt": parts.clock.now().isoformat(), "refused": refused}
    await parts.records.write_pieces(evidence, _left(found, told))
    what, held = f"{family}-left", left - len(found.staying)
    if held and family != Family.SERVICE_PRINCIPALS:
        remedy = "Remove what holds them, then resume."
        named = (id_ for id_ in found.plan.each(marked=True) if id_ not in found.staying)
        await note_blocker(parts, closure, what, f"{held} {family} are still listed.", remedy, [*islice(named, SHOWN)])
    else:
        await clear_blocker(parts, closure, what)
    await parts.ledger.set_mark(closure, f"confirmed-{family}", serial, {"left": left, "refused": refused})
    return {"confirmed": True, "left": left}


async def _left(found: Found, told: Order) -> AsyncIterator[bytes]:
    """{left, listedAt, refused} in canonical form: every id that is left, however many they are."""
    comma, ids = b"", found.plan.each(marked=True)
    yield b'{"left":['
    while some := [*islice(ids, LINE)]:
        yield comma + canonical(some)[1:-1]
        comma = b","
    yield b"]," + canonical(told)[1:]


async def _record_gone(parts: Parts, order: Order, clearance: Clearance, found: Found) -> None:
    """Keep how many items of the plan vanished by themselves, and which (the first of them); told again only when they
    have become more.
    """
    closure, serial, family = order["closureId"], order["serial"], order["family"]
    vanished, ours_by_shard = First(SHOWN), Counter[int]()
    async for _, name, operation, shard, noted in parts.ledger.shards(closure, serial):
        if (name, operation) == (family, "delete"):
            ours_by_shard[shard] = int(noted.get(Outcome.REMOVED, 0))
    with Ids() as registered:
        if family == Family.SERVICE_PRINCIPALS:
            await _register(parts, clearance, registered)
        for shard, entry in enumerate(part_of(clearance.manifest, family)["shards"]):
            if found.listed[shard] + ours_by_shard[shard] >= entry["count"]:
                continue  # what is not there has gone by our hand; one that came back may hide one that vanished
            items = await read_shard(parts, clearance, family, shard)
            there = found.plan.notes(item.id for item in items)
            taken = registered.parts(str(item.facts.get("appId")) for item in items)
            ids = {item.id for item in items if item.id not in there and str(item.facts.get("appId")) not in taken}
            if not ids:
                continue
            journal = await Journal(parts.records, names.evidence_path(closure, serial, family, "delete", shard)).read()
            ours = {id_ for id_, outcome in journal.outcomes.items() if outcome == Outcome.REMOVED}
            # One whose answer was lost may have gone by our hand.
            vanished.take(ids - ours - journal.unsure - journal.in_doubt.keys())
    before = await parts.ledger.mark(closure, gone_mark(family), serial)
    if vanished.count > (before["count"] if before else 0):
        told = {"count": vanished.count, "items": vanished.ids}
        await parts.ledger.audit(closure, Word.ITEMS_GONE, None, {"serial": serial, "family": family, **told})
        await parts.ledger.set_mark(closure, gone_mark(family), serial, told)


async def _register(parts: Parts, clearance: Clearance, ids: Ids) -> None:
    """Application ids of the plan's registrations: their enterprise applications go with them, by our hand."""
    for shard in range(len(clearance.manifest["families"][Family.APPLICATIONS]["shards"])):
        items = await read_shard(parts, clearance, Family.APPLICATIONS, shard)
        ids.add(str(item.facts["appId"]) for item in items if item.facts.get("appId"))
