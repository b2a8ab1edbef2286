"""What was planned and must stay by now: kept in the evidence before anything is sent, and told to people by name.

A fresh listing decides, by the planner's own rules, before each wave; what changes after it is seen before the next
one. What has changed back may be removed again: people have approved it, and the review opens it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from activities.base import Order, clear_blocker, note_blocker
from activities.compare import Found
from activities.guard import Clearance, read_shard
from activities.journal import AGAIN, Journal
from activities.shards import FOUND_DELETED, note_shard
from tenantclosure import names
from tenantclosure.ledger import iso
from tenantclosure.names import Outcome
from tenantclosure.policy.drift import Staying
from tenantclosure.policy.outcomes import unanswered
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts

SHOWN = 50
"""How many of them a blocker names."""
REMEDY = "Undo the change, and they are removed in a later wave; otherwise they stay as if the plan had kept them."


async def keep(parts: Parts, order: Order, clearance: Clearance, found: Found) -> None:
    """Give what must stay and is still to be sent the outcome `kept`, so that no shard of the wave sends it."""
    family, shards = order["family"], found.plan.parts(found.staying)
    for shard in sorted(set(shards.values())):
        ids = {item.id for item in await read_shard(parts, clearance, family, shard)}
        mine = {id_: one for id_, one in found.staying.items() if shards[id_] == shard}
        path = names.evidence_path(order["closureId"], order["serial"], family, order["operation"], shard)
        journal = await Journal(parts.records, path).read()
        # One whose answer was lost may have gone, however it is listed.
        doubt = [id_ for id_ in mine if id_ in journal.in_doubt]
        gone = await _gone(clearance, family, doubt)
        at = iso(parts.clock.now())
        lines = [unanswered(id_, Outcome.REMOVED, FOUND_DELETED, at) for id_ in gone]
        lines += kept_lines(journal, {id_: one for id_, one in mine.items() if id_ not in gone}, at)
        if lines:
            await journal.answered(lines)
            await note_shard(parts, order, shard, journal, done=all(map(journal.settled, ids)))


def kept_lines(journal: Journal, staying: Mapping[str, Staying], at: str) -> list[JSON]:
    """Outcome lines for those that the evidence does not keep for this reason yet. What has gone stays gone."""
    return [
        unanswered(id_, Outcome.KEPT, one.why, at)
        for id_, one in staying.items()
        if journal.outcomes.get(id_) in (None, *AGAIN)
        and (id_ in journal.reopened or journal.kept.get(id_, {}).get("reason") != one.why)
    ]


async def tell(parts: Parts, closure: str, family: str, staying: Iterable[Staying]) -> None:
    """Put them on the closure's row as a blocker, or take it off when there are none."""
    found, what = list(staying), f"{family}-changed"
    if not found:
        await clear_blocker(parts, closure, what)
        return
    reasons = "; ".join(sorted({one.reason for one in found}))
    why = f"{len(found)} of the planned {family} must stay now, because of a change: {reasons}."
    await note_blocker(parts, closure, what, why, REMEDY, sorted(one.name for one in found)[:SHOWN])


async def _gone(clearance: Clearance, family: str, ids: list[str]) -> set[str]:
    gone: set[str] = set()
    for start in range(0, len(ids), 20):
        chunk = ids[start : start + 20]
        states = await clearance.directory.states_of(family, chunk)
        gone |= {id_ for id_ in chunk if states[id_] != "present"}
    return gone
