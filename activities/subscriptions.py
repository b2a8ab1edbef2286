"""Subscriptions: which ones a phase has to end, and one round of one of them: look, decide, at most one call."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from activities.base import Order, activity
from activities.guard import Clearance, cleared, in_window, read_shard
from tenantclosure.errors import RailBroken, ServiceTrouble
from tenantclosure.ledger import iso
from tenantclosure.model.inventory import Answer, Item
from tenantclosure.names import Family, Outcome, Rail, Word
from tenantclosure.policy.manual_tasks import manual_task
from tenantclosure.policy.subscriptions import Observed, Provider, Step, next_step
from tenantclosure.policy.timing import moment
from tenantclosure.wiring import Parts


@activity
async def list_subscriptions(parts: Parts, order: Order) -> Order:
    """{items: [ids]} of the plan's subscriptions that these providers own and that are not deprovisioned yet."""
    clearance = await cleared(parts, order, writes=False)
    standings = await parts.ledger.subscriptions(order["closureId"])
    items = [
        item.id
        for item in await _planned(parts, clearance)
        if item.facts["provider"] in order["providers"] and standings.get(item.id, {}).get("stage") != "deprovisioned"
    ]
    return {"items": items}


@activity
async def advance_subscription(parts: Parts, order: Order) -> Order:
    """One round. Returns {done, stage, seconds}; done means the phase's goal is reached."""
    clearance = await cleared(parts, order, writes=False)
    ledger, closure, now = parts.ledger, order["closureId"], parts.clock.now()
    item = next((one for one in await _planned(parts, clearance) if one.id == order["item"]), None)
    if item is None:
        raise RailBroken(Rail.DIGEST, f"The subscription {order['item']} is not in the plan.")
    standing = await ledger.subscription(closure, item.id) or {"calls": {}}
    seen = await _look(parts, clearance, item)
    provider = item.facts["provider"]
    gone = seen.azure == "Deleted" if provider == Provider.AZURE else seen.graph in ("Deleted", "absent")
    standing["goneAt"] = (standing.get("goneAt") or iso(now)) if gone else None
    standing["wasThere"] = standing.get("wasThere", False) or not gone
    step = next_step(provider, order["goal"], seen, standing, now, order["daySeconds"])
    if step.kind == "call":
        await in_window(parts, clearance.row)
        standing = await _call(parts, clearance, item, step, standing)
        step = next_step(provider, order["goal"], seen, standing, now, order["daySeconds"])
    if step.kind == "task":
        await _open_task(parts, clearance, item, step, order["instance"])
    await _prove_tasks(parts, closure, item, step)
    seconds = max(step.days * order["daySeconds"], order["leastPoll"])
    if step.next_at is not None:
        left = (moment(step.next_at) - now).total_seconds()
        seconds = max(seconds, min(left, order["daySeconds"])) if left > 0 else seconds
    await ledger.note_subscription(
        closure,
        item.id,
        {
            **standing,
            "name": item.name,
            "provider": provider,
            "stage": step.stage,
            "reason": step.reason,
            "outcome": _outcome(standing, step),
            "seen": {"graph": seen.graph, "azure": seen.azure},
            "nextAt": None if step.kind == "done" else iso(now + timedelta(seconds=seconds)),
            "dueAt": step.next_at,
        },
    )
    return {"done": step.kind == "done", "stage": step.stage, "seconds": seconds if step.kind != "call" else 0.0}


async def _planned(parts: Parts, clearance: Clearance) -> list[Item]:
    entry = clearance.manifest["families"][Family.SUBSCRIPTIONS]
    items: list[Item] = []
    for shard in range(len(entry["shards"])):
        items += await read_shard(parts, clearance, Family.SUBSCRIPTIONS, shard)
    return items


async def _look(parts: Parts, clearance: Clearance, item: Item) -> Observed:
    tenant = clearance.row["tenantId"]
    if item.facts["provider"] == Provider.AZURE:
        return Observed(azure=await parts.billing(tenant).azure_state(item.id))
    graph, lifecycle = "absent", None
    async for page in clearance.directory.pages(Family.SUBSCRIPTIONS):
        for row in page:
            if row.id == item.id:
                graph, lifecycle = str(row.facts.get("status")), row.facts.get("nextLifecycle")
    billing = partner = None
    if item.facts["provider"] == Provider.MCA:
        found = await parts.billing(tenant).billing_subscription(item.facts["armId"])
        billing = found.facts if found else None
    if item.facts["provider"] == Provider.CSP and (center := parts.partner(tenant)) is not None:
        found = await center.subscription(str(item.facts.get("commerceSubscriptionId")))
        partner = found.facts if found else None
    return Observed(graph=graph, next_lifecycle=lifecycle, billing=billing, partner=partner)


async def _call(parts: Parts, clearance: Clearance, item: Item, step: Step, standing: dict[str, Any]) -> dict[str, Any]:
    """Make the one call and keep its answer; a refusal is an answer, trouble is raised and tried again."""
    tenant, closure = clearance.row["tenantId"], clearance.row["closureId"]
    kind = "cancel" if step.what.startswith("cancel") else step.what
    answer: Answer
    if item.facts["provider"] == Provider.AZURE:
        answer = await parts.billing(tenant).cancel_azure(item.id)
    elif item.facts["provider"] == Provider.MCA:
        billing, arm_id = parts.billing(tenant), item.facts["armId"]
        answer = await (billing.cancel_billing(arm_id) if kind == "cancel" else billing.stop_renewal(arm_id))
    else:
        center, customer_id = parts.partner(tenant), str(item.facts.get("commerceSubscriptionId"))
        assert center is not None, "a partner row was seen"
        answer = await (center.cancel(customer_id) if kind == "cancel" else center.stop_renewal(customer_id))
    if answer.transient:
        raise ServiceTrouble(f"{step.what} of {item.id} was answered {answer.status} {answer.code}.")
    detail = {
        "write": step.what,
        "id": item.id,
        "status": answer.status,
        "code": answer.code,
        "requestId": answer.request_id,
    }
    await parts.ledger.audit(closure, Word.WRITE_MADE, None, detail)
    refused = not (answer.done or answer.absent)
    call = {"status": answer.status, "refused": refused, "why": f"{answer.status} {answer.code} {answer.message}"[:200]}
    made = {**standing, "calls": {**standing.get("calls", {}), kind: call}, "actedAt": iso(parts.clock.now())}
    await parts.ledger.note_subscription(closure, item.id, made)
    return made


async def _open_task(parts: Parts, clearance: Clearance, item: Item, step: Step, instance: str) -> None:
    task = manual_task(
        step.what, item.id, item.name, row=clearance.row, portals=parts.portals(), instance=instance, why=step.reason
    )
    await parts.ledger.open_task(clearance.row["closureId"], task)


async def _prove_tasks(parts: Parts, closure: str, item: Item, step: Step) -> None:
    """Tasks of this subscription that the fresh look has overtaken are proven by it."""
    for task in await parts.ledger.tasks(closure):
        if (
            task["target"] == item.id
            and task["state"] == "open"
            and not (step.kind == "task" and task["kind"] == step.what)
        ):
            await parts.ledger.prove_task(closure, task["taskId"], f"{step.stage}: {step.reason}")


def _outcome(standing: dict[str, Any], step: Step) -> str | None:
    if step.stage != "deprovisioned":
        return None
    return Outcome.REMOVED if standing["wasThere"] else Outcome.ABSENT
