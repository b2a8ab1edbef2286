"""The plan against a fresh listing, page by page: neither lies in memory whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from activities.base import Halt, clear_blocker
from activities.guard import Clearance, planned_ids
from tenantclosure.policy import drift
from tenantclosure.policy.canonical import canonical
from tenantclosure.policy.drift import First, Staying, staying
from tenantclosure.scratch import Ids
from tenantclosure.wiring import Parts

SHOWN = 50
"""How many ids of a difference are shown to people."""


@dataclass(frozen=True, slots=True)
class Found:
    """`plan` holds the plan's ids, each in the part of its shard, those that are listed marked; `listed` counts these
    by shard. `staying` are items of the plan that must stay as they are now, by id; rules name them, so they are few.
    """

    plan: Ids
    listed: Counter[int]
    staying: dict[str, Staying]


@asynccontextmanager
async def compared(parts: Parts, clearance: Clearance, family: str, *, items: bool = False) -> AsyncIterator[Found]:
    """Look at the tenant afresh. Halts with `drift` when there is something nobody approved.

    With `items` a mark's note is the item as it is listed.
    """
    known = spared_ids(clearance)
    with Ids() as plan:
        await planned_ids(parts, clearance, family, plan)
        found, added = Found(plan, Counter(), {}), First(SHOWN)
        async for page in clearance.directory.pages(family):
            shards = plan.parts(item.id for item in page)
            here = drift.compare(frozenset(shards), known, (item.id for item in page))
            added.take(here.added)
            left = [item for item in page if item.id in shards]
            plan.note((item.id, canonical(item.to_dict()).decode() if items else "") for item in left)
            found.listed.update(shards[id_] for id_ in here.left)
            found.staying.update(staying(clearance.spared, family, known, left))
        await clear_blocker(parts, clearance.row["closureId"], "listing")
        if added.count:
            raise Halt("drift", f"{added.count} new in {family}: {', '.join(added.ids)}")
        yield found


def spared_ids(clearance: Clearance) -> frozenset[str]:
    """Ids that the plan itself keeps."""
    return frozenset(entry["id"] for entry in clearance.manifest["kept"]) | {clearance.keeper}
