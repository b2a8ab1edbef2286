"""Before and after a wave: a fresh listing against the plan, the quota that is left, and the proof that items
are gone.
"""

from __future__ import annotations

from datetime import datetime

from activities.base import Halt, Order, activity, clear_blocker, note_blocker
from activities.freeze import look_at_freeze
from activities.guard import Clearance, cleared, planned_ids
from tenantclosure.names import Family
from tenantclosure.policy import drift, pacing, timing
from tenantclosure.policy.canonical import canonical
from tenantclosure.wiring import Parts

SHOWN = 50
"""How many ids of a difference are shown to people."""


def reviewed_mark(family: str) -> str:
    """Mark of the newest review of what refused to go: {returned, harmless, roles (ours), grown (when they grew)}."""
    return f"reviewed-{family}"


@activity
async def open_wave(parts: Parts, order: Order) -> Order:
    """{shards, privilegedFrom, tokens}: the tenant holds nothing of this family that people have not seen.

    With `going` only the quota is read again (between the ordinary and the privileged shards of one family).
    """
    clearance = await cleared(parts, order)
    family = order["family"]
    entry = clearance.manifest["families"][family]
    if not order.get("going"):
        found = await _compare(parts, clearance, family)
        if found.added:
            raise Halt("drift", f"{len(found.added)} new in {family}: {', '.join(found.added[:SHOWN])}")
        await look_at_freeze(parts, order, clearance.directory)
    return {
        "shards": len(entry["shards"]),
        "privilegedFrom": entry["privilegedFrom"],
        "tokens": await tokens(parts, order["closureId"]),
    }


@activity
async def confirm_wave(parts: Parts, order: Order) -> Order:
    """{confirmed}: a fresh, complete listing shows nothing that we removed; what stays on becomes a blocker by name."""
    clearance = await cleared(parts, order, writes=False)
    family, closure, serial = order["family"], order["closureId"], order["serial"]
    found = await _compare(parts, clearance, family)
    if found.added:
        raise Halt("drift", f"{len(found.added)} new in {family}: {', '.join(found.added[:SHOWN])}")
    # What was restored after it had gone stays listed as well: nothing is deleted twice (review_refused).
    reviewed = await parts.ledger.mark(closure, reviewed_mark(family), serial) or {}
    refused = int(reviewed.get("returned", 0))
    async for _, name, operation, _, counts in parts.ledger.shards(closure, serial):
        if name == family and operation == "delete":
            refused += counts.get("refused", 0) + counts.get("failed", 0)
    if len(found.left) > refused and order["tries"] < timing.CONFIRM_TRIES:
        return {"confirmed": False, "left": len(found.left)}
    document = {"listedAt": parts.clock.now().isoformat(), "left": list(found.left), "refused": refused}
    await parts.records.write_blob(f"{closure}/evidence-{serial}/{family}-left.json", canonical(document))
    what = f"{family}-left"
    if found.left and family != Family.SERVICE_PRINCIPALS:
        await note_blocker(
            parts,
            closure,
            what,
            f"{len(found.left)} {family} are still listed.",
            "Remove what holds them, then resume.",
            list(found.left[:SHOWN]),
        )
    else:
        await clear_blocker(parts, closure, what)
    await parts.ledger.set_mark(closure, f"confirmed-{family}", serial, {"left": len(found.left), "refused": refused})
    return {"confirmed": True, "left": len(found.left)}


async def _compare(parts: Parts, clearance: Clearance, family: str) -> drift.Drift:
    planned = await planned_ids(parts, clearance, family)
    spared = frozenset(entry["id"] for entry in clearance.manifest["kept"]) | {clearance.keeper}
    listed: list[str] = []
    async for page in clearance.directory.pages(family):
        listed += [item.id for item in page]
    await clear_blocker(parts, clearance.row["closureId"], "listing")
    return drift.compare(planned, spared, listed)


async def tokens(parts: Parts, closure: str) -> float:
    """What the service's bucket holds at least, counted from the writes this closure has made so far."""
    made = [
        (datetime.fromisoformat(counts["at"]), counts["writes"])
        async for *_, counts in parts.ledger.shards(closure)
        if counts.get("writes")
    ]
    return pacing.tokens_left(parts.settings.burst, parts.settings.rate, made, parts.clock.now())
