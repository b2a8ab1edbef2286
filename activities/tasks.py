"""Manual tasks: open one and tell people, probe those that stand by themselves, ask Support about those that don't
come true. Subscriptions and refused items are looked at by their own activities.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from activities import fenced
from activities.base import Order, activity
from activities.fenced import READ_ONLY
from activities.guard import undisputed, unhindered
from tenantclosure import outbox
from tenantclosure.ledger import iso
from tenantclosure.names import Family, TaskKind, task_id
from tenantclosure.policy import timing
from tenantclosure.policy.manual_tasks import manual_task
from tenantclosure.policy.reminding import late, to_escalate
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts

SIGHTED = "sighted"
"""Mark of the preflight: the tenant was seen alive from outside, so its end can be seen from there as well."""
SYNC_SEEN_OFF = "sync-seen-off"
"""Mark: since when the organization's own flag says that it is not synchronised."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: `proof` if it is done, otherwise what was `seen`, and `since` when it could be done."""

    proof: str = ""
    seen: str = ""
    since: str | None = None


async def assign(parts: Parts, row: JSON, task: JSON) -> JSON:
    """Open a manual task (policy.manual_tasks.manual_task) and write to people about it, each life of it once.

    Whoever only opens one may leave the telling to the sweep, which comes within a minute.
    """
    opened = await parts.ledger.open_task(row["closureId"], task)
    await outbox.tell_tasks(parts, row, [opened])
    return opened


@activity
async def open_task(parts: Parts, order: Order) -> Order:
    """Open the task with its clicks; the instance that waits for it is named in it."""
    row = await _free(parts, order)
    why = order.get("why", "No API does this.")
    return {"taskId": (await assign(parts, row, _task(parts, row, order, order["kind"], why)))["taskId"]}


@activity
async def probe_task(parts: Parts, order: Order) -> Order:
    """{proven, proof, seconds until the next look}. What was reported or begun long ago and does not show goes to
    Support as well; the task itself stays open.
    """
    row = await _free(parts, order)
    probe, minutes = _PROBES[order["kind"]]
    look = await probe(parts, order)
    seconds = max(order["daySeconds"] * minutes * timing.MINUTE, order["leastPoll"])
    await settle(parts, row, order, look, seconds)
    return {"proven": bool(look.proof), "proof": look.proof, "seconds": 0 if look.proof else seconds}


async def settle(parts: Parts, row: JSON, order: Order, look: Look, seconds: float) -> None:
    """Keep what one look at a task found: proven, and Support's with it; otherwise what was seen, and that the next
    look comes in so many seconds. `order` is the run with the task's kind, target and name.
    """
    closure, ids = (
        order["closureId"],
        [task_id(order["kind"], order["target"]), task_id(TaskKind.ASK_SUPPORT, order["target"])],
    )
    if look.proof:
        for task in ids:  # nobody was asked where an API had begun it, nor Support where all went well
            if await parts.ledger.task(closure, task) is not None:
                await parts.ledger.prove_task(closure, task, look.proof)
        return
    await _escalate(parts, row, order, look)
    next_at = iso(parts.clock.now() + timedelta(seconds=seconds))
    for task in ids:
        await parts.ledger.look_at_task(closure, task, look.seen, next_at)


async def _escalate(parts: Parts, row: JSON, order: Order, look: Look) -> None:
    """Ask Support, once, about what was reported done, or begun by an API, 96 hours ago and can't be seen."""
    closure, day, now = order["closureId"], order["daySeconds"], parts.clock.now()
    task = await parts.ledger.task(closure, task_id(order["kind"], order["target"]))
    asked = task is not None and task["state"] == "open"
    if task is not None and to_escalate(task, now, day):
        why = f"it was reported done at {task['reports'][-1]['at']} and still does not show: {look.seen}"
    elif look.since is not None and late(look.since, now, day) and not (asked and task and task.get("escalatedAt")):
        why = f"it began at {look.since} and is not finished: {look.seen}"
    else:
        return
    support = _task(parts, row, order, TaskKind.ASK_SUPPORT, why)
    found = await parts.ledger.task(closure, support["taskId"])
    if found is None or found["state"] != "open":
        await assign(parts, row, support)
    if asked:
        await parts.ledger.escalate_task(closure, task_id(order["kind"], order["target"]), support["taskId"], why)
        await outbox.tell_escalated(parts, row, task_id(order["kind"], order["target"]))


def _task(parts: Parts, row: JSON, order: Order, kind: str, why: str) -> JSON:
    target, name, instance = order["target"], order["name"], order["instance"]
    return manual_task(kind, target, name, row=row, portals=parts.portals(), instance=instance, why=why)


async def _free(parts: Parts, order: Order) -> dict[str, Any]:
    """The row, when the closure is not held; after the hand-over no approval can be taken back any more."""
    handed_over = order["kind"] == TaskKind.DELETE_TENANT
    return await (unhindered(parts, order) if handed_over else undisputed(parts, order))


async def _begun(parts: Parts, order: Order) -> str | None:
    """Since when an API is at it: from the phase's begin where nobody was asked."""
    asked = await parts.ledger.task(order["closureId"], task_id(order["kind"], order["target"])) is not None
    return None if asked else order.get("since")


async def _sync_off(parts: Parts, order: Order) -> Look:
    """The organization's flag is off and no user is synchronised any more (tenant-facts C2)."""
    directory, ledger, closure = fenced.directory(parts, order["tenantId"], READ_ONLY), parts.ledger, order["closureId"]
    begun = await _begun(parts, order)
    if (await directory.organization()).sync_enabled:
        return Look(seen="the organization is still marked as synchronised", since=begun)
    async for page in directory.pages(Family.USERS):
        if any(item.facts.get("synced") for item in page):
            mark = await ledger.mark(closure, SYNC_SEEN_OFF, order["serial"])
            mark = mark or await ledger.set_mark(closure, SYNC_SEEN_OFF, order["serial"], {})
            seen = "synchronisation is off; users are still being converted, which may take up to 72 hours"
            return Look(seen=seen, since=begun or mark["at"])
    return Look(proof="the organization is not synchronised and no user is")


async def _tenant_gone(parts: Parts, order: Order) -> Look:
    """Several answers "no such tenant" in a row, from the cloud where it was seen alive (tenant-facts B).

    A wrong cloud looks just like a deleted tenant, so without a sighting from before nothing counts as gone.
    """
    outside, ledger, closure, seen = parts.outside(order["tenantId"]), parts.ledger, order["closureId"], []
    begun = await _begun(parts, order)  # Azure has accepted the deletion
    sighted = any(mark == SIGHTED for mark, _ in await ledger.marks(closure))
    for _ in range(timing.GONE_SIGHTINGS):
        sighting = await outside.sighting()
        if sighting == "alive":
            if not sighted:
                await ledger.set_mark(closure, SIGHTED, order["serial"], {"sighting": sighting})
            return Look(seen="the tenant still answers from outside", since=begun)
        if sighting != "gone":
            return Look(seen="it could not be told from outside whether the tenant is there", since=begun)
        if not sighted:
            return Look(seen="the tenant was never seen from this cloud, so that it is not there proves nothing")
        seen.append(parts.clock.now().isoformat())
        await parts.clock.sleep(order["leastPoll"])
    await ledger.set_mark(closure, "tenant-gone", order["serial"], {"sightings": seen})
    return Look(proof=f"{len(seen)} sightings from outside: no such tenant")


_PROBES: dict[str, tuple[Callable[[Parts, Order], Awaitable[Look]], float]] = {
    TaskKind.TURN_OFF_SYNC: (_sync_off, 15),
    TaskKind.DELETE_TENANT: (_tenant_gone, 1),
}
"""Kinds that stand by themselves: how each is probed, and minutes until the next look."""
