"""Manual tasks that stand by themselves: open one, and probe whether it is done. Subscriptions open their own."""

from __future__ import annotations

import contextlib
from typing import Any

from activities.base import Order, activity
from activities.guard import undisputed, unhindered
from tenantclosure.errors import RecordMissing
from tenantclosure.names import Family, TaskKind
from tenantclosure.policy import timing
from tenantclosure.policy.manual_tasks import manual_task
from tenantclosure.wiring import Parts


@activity
async def open_task(parts: Parts, order: Order) -> Order:
    """Open the task with its clicks; the instance that waits for it is named in it."""
    row = await _free(parts, order)
    task = manual_task(
        order["kind"],
        order["target"],
        order["name"],
        row=row,
        portals=parts.portals(),
        instance=order["instance"],
        why=order.get("why", "No API does this."),
    )
    await parts.ledger.open_task(order["closureId"], task)
    return {"taskId": task["taskId"]}


@activity
async def probe_task(parts: Parts, order: Order) -> Order:
    """{proven, proof, seconds until the next look}."""
    await _free(parts, order)
    if order["kind"] == TaskKind.DELETE_TENANT:
        proof = await _tenant_gone(parts, order)
        seconds = order["daySeconds"] * timing.MINUTE
    else:
        proof = await _sync_off(parts, order)
        seconds = order["daySeconds"] * 15 * timing.MINUTE
    if proof is None:
        return {"proven": False, "proof": "", "seconds": max(seconds, order["leastPoll"])}
    with contextlib.suppress(RecordMissing):  # nobody was asked: an API had begun it
        await parts.ledger.prove_task(order["closureId"], f"{order['kind']}-{order['target']}".lower(), proof)
    return {"proven": True, "proof": proof, "seconds": 0}


async def _free(parts: Parts, order: Order) -> dict[str, Any]:
    """The row, when the closure is not held; after the hand-over no approval can be taken back any more."""
    handed_over = order["kind"] == TaskKind.DELETE_TENANT
    return await (unhindered(parts, order) if handed_over else undisputed(parts, order))


async def _sync_off(parts: Parts, order: Order) -> str | None:
    """The organization's flag is off and no user is synchronised any more (tenant-facts C2)."""
    directory = parts.directory(order["tenantId"])
    if (await directory.organization()).sync_enabled:
        return None
    async for page in directory.pages(Family.USERS):
        if any(item.facts.get("synced") for item in page):
            return None
    return "the organization is not synchronised and no user is"


async def _tenant_gone(parts: Parts, order: Order) -> str | None:
    """Several answers "no such tenant" in a row, from the cloud where it was seen alive (tenant-facts B)."""
    outside, seen = parts.outside(order["tenantId"]), []
    for _ in range(timing.GONE_SIGHTINGS):
        sighting = await outside.sighting()
        if sighting != "gone":
            return None
        seen.append(parts.clock.now().isoformat())
        await parts.clock.sleep(order["leastPoll"])
    await parts.ledger.set_mark(order["closureId"], "tenant-gone", order["serial"], {"sightings": seen})
    return f"{len(seen)} sightings from outside: no such tenant"
