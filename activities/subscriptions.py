"""Subscriptions: which ones a phase has to end, and one round of one of them: look, decide, at most one call."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from activities import fenced
from activities.base import Halt, Order, activity, clear_blocker
from activities.fenced import Fence
from activities.guard import Clearance, cleared, read_shard
from tenantclosure import telemetry
from tenantclosure.errors import RailBroken, ServiceTrouble
from tenantclosure.ledger import iso
from tenantclosure.model.inventory import Item
from tenantclosure.names import Family, Outcome, Rail, TaskKind, Word, task_id
from tenantclosure.policy.manual_tasks import manual_task
from tenantclosure.policy.selling import Observed, Provider, earliest_gone
from tenantclosure.policy.stages import Side, Stage, after_look
from tenantclosure.policy.subscriptions import Step
from tenantclosure.ports import JSON
from tenantclosure.providers import Providers
from tenantclosure.signals import Metric
from tenantclosure.wiring import Parts

SHOWN = 50
"""How many new subscriptions are named to people."""
_ENDING_TASKS = frozenset(
    {
        TaskKind.CANCEL_SUBSCRIPTION,
        TaskKind.TAKE_CONTROL,
        TaskKind.TURN_OFF_RENEWAL,
        TaskKind.ASK_PARTNER,
        TaskKind.EMPTY_AZURE,
    }
)
"""Tasks that are done as soon as a subscription does not renew or is disabled."""


def providers_for(parts: Parts, row: Mapping[str, Any], fence: Fence, now: datetime) -> Providers:
    """The providers of a closure's tenant; what they write asks the fence."""
    tenant = row["tenantId"]
    choices = row["request"].get("azure") or {}
    directory = fenced.directory(parts, tenant, fence)
    billing, partner = fenced.billing(parts, tenant, fence), fenced.partner(parts, tenant, fence)
    return Providers(tenant, directory, billing, partner, choices, now, row["daySeconds"])


@activity
async def list_subscriptions(parts: Parts, order: Order) -> Order:
    """{items: [ids], seconds} of the plan's subscriptions that these providers own and that are not deprovisioned.

    With `due` only those whose next look has come, or that somebody has reported on; `seconds` until the next one is.
    Halts with `drift` when the tenant has a subscription that nobody approved.
    """
    clearance = await cleared(parts, order, writes=False)
    closure, now = order["closureId"], parts.clock.now()
    planned = await planned_subscriptions(parts, clearance)
    listed = await providers_for(parts, clearance.row, clearance.fence, now).discover()
    await clear_blocker(parts, closure, "listing")
    known = {name for item in planned for name in known_as(item)}
    added = [item for item in listed if not known & known_as(item) and item.facts.get("status") != "Deleted"]
    if added:
        shown = ", ".join(f"{item.name} ({item.id})" for item in added[:SHOWN])
        raise Halt("drift", f"{len(added)} new in subscriptions: {shown}")
    there = {name for item in listed if item.facts.get("status") != "Deleted" for name in known_as(item)}
    standings, reports = await parts.ledger.subscriptions(closure), _newest_reports(await parts.ledger.tasks(closure))
    items, seconds = [], [float(order["daySeconds"])]
    for item in planned:
        standing = standings.get(item.id) or {}
        over = standing.get("stage") == Stage.DEPROVISIONED and item.id.lower() not in there
        if item.facts["provider"] not in order["providers"] or over:
            continue
        left = _left(standing, reports.get(item.id, {}), now)
        if not order.get("due") or left <= 0:
            items.append(item.id)
        else:
            seconds.append(left)
    return {"items": items, "seconds": max(min(seconds), order["leastPoll"])}


@activity
async def advance_subscription(parts: Parts, order: Order) -> Order:
    """One round. Returns {done, parked, stage, seconds}; done: the goal is reached; parked: we can't do more now."""
    clearance = await cleared(parts, order, writes=False)
    ledger, closure, now, day = parts.ledger, order["closureId"], parts.clock.now(), order["daySeconds"]
    item = next((one for one in await planned_subscriptions(parts, clearance) if one.id == order["item"]), None)
    if item is None:
        raise RailBroken(Rail.DIGEST, f"The subscription {order['item']} is not in the plan.")
    providers = providers_for(parts, clearance.row, clearance.fence, now)
    owner, provider = providers.owner(item), item.facts["provider"]
    before = await ledger.subscription(closure, item.id) or {"calls": {}, "stage": Stage.PLANNED, "since": iso(now)}
    tasks = [task for task in await ledger.tasks(closure) if task["target"] == item.id]
    before = {**before, "reports": _newest_reports(tasks).get(item.id, {})}
    seen = await providers.look(item)
    standing = after_look(provider, seen, before, now, day)
    step = owner.plan(item, order["goal"], seen, standing, now, day)
    if step.kind == "call":
        standing = await _call(parts, clearance, owner.act, item, step, standing)
        step = owner.plan(item, order["goal"], seen, standing, parts.clock.now(), day)
    if step.kind == "task":
        await _open_task(parts, clearance, item, seen, step, order.get("waiter") or order["instance"])
    for task in tasks:
        if task["state"] == "open" and _settled(task["kind"], step):
            await ledger.prove_task(closure, task["taskId"], f"{step.stage}: {step.reason}")
    seconds = max(step.days * day, order["leastPoll"])
    await _note(parts, closure, item, seen, standing, step, seconds)
    return {
        "done": step.kind == "done",
        "parked": step.parked,
        "stage": step.stage,
        "seconds": 0.0 if step.kind == "call" else seconds,
    }


async def planned_subscriptions(parts: Parts, clearance: Clearance) -> list[Item]:
    """The plan's subscriptions, from shards whose hashes are the approved ones."""
    entry = clearance.manifest["families"][Family.SUBSCRIPTIONS]
    items: list[Item] = []
    for shard in range(len(entry["shards"])):
        items += await read_shard(parts, clearance, Family.SUBSCRIPTIONS, shard)
    return items


def known_as(item: Item) -> set[str]:
    """Every id a subscription is known by, on every side."""
    keys = ("graphId", "azureId", "armId", "partnerId", "commerceSubscriptionId")
    names = {item.id, *(str(item.facts[key]) for key in keys if item.facts.get(key))}
    return {name.rpartition("/")[2].lower() for name in names}


def _newest_reports(tasks: list[JSON]) -> dict[str, dict[str, JSON]]:
    """target -> task kind -> {by, at} of the newest report that it is done."""
    found: dict[str, dict[str, JSON]] = {}
    for task in tasks:
        if task["reports"]:
            newest = max(task["reports"], key=lambda report: datetime.fromisoformat(report["at"]))
            told = {"by": newest["by"].get("upn") or newest["by"].get("name") or "somebody", "at": newest["at"]}
            found.setdefault(task["target"], {})[task["kind"]] = told
    return found


def _left(standing: JSON, reports: Mapping[str, JSON], now: datetime) -> float:
    """Seconds until the next look at a subscription is due."""
    if not standing.get("nextAt"):
        return 0.0
    looked = datetime.fromisoformat(standing["at"])
    if any(datetime.fromisoformat(told["at"]) > looked for told in reports.values()):
        return 0.0
    return (datetime.fromisoformat(standing["nextAt"]) - now).total_seconds()


async def _call(
    parts: Parts, clearance: Clearance, act: Any, item: Item, step: Step, standing: dict[str, Any]
) -> dict[str, Any]:
    """Make the one call and keep its answer; a refusal is an answer, trouble is raised and tried again."""
    closure = clearance.row["closureId"]
    answer = await act(item, step.what)
    if answer.transient:
        raise ServiceTrouble(f"{step.what} of {item.id} was answered {answer.status} {answer.code}.")
    detail = {
        "write": step.what,
        "id": item.id,
        "provider": item.facts["provider"],
        "status": answer.status,
        "code": answer.code,
        "requestId": answer.request_id,
    }
    await parts.ledger.audit(closure, Word.WRITE_MADE, None, detail)
    at = iso(parts.clock.now())
    call = {
        "status": answer.status,
        "code": answer.code,
        "refused": not (answer.done or answer.absent),
        "why": f"{answer.status} {answer.code} {answer.message}"[:200],
        "at": at,
    }
    made = {**standing, "calls": {**(standing.get("calls") or {}), step.what: call}, "actedAt": at}
    await parts.ledger.note_subscription(closure, item.id, _kept(made))
    return made


async def _open_task(parts: Parts, clearance: Clearance, item: Item, seen: Observed, step: Step, instance: str) -> None:
    """Ask a person; where a task was reported done and does not show, say in it that Support is asked as well."""
    row, closure, provider = clearance.row, clearance.row["closureId"], item.facts["provider"]
    why = step.reason
    if provider in (Provider.SUPPORT, Provider.DISPUTED):  # whoever is asked has to know what was found
        why = f"{item.facts['why']}; {why}"
    task = manual_task(
        step.what,
        item.id,
        item.name,
        row=row,
        portals=parts.portals(),
        instance=instance,
        why=why,
        licences=seen.licences,
        attestable=step.attestable,
        azure=provider == Provider.AZURE,
    )
    opened = await parts.ledger.open_task(closure, task)
    for kind in step.keeps:
        if await parts.ledger.task(closure, task_id(kind, item.id)) is not None:
            await parts.ledger.escalate_task(closure, task_id(kind, item.id), opened["taskId"], step.reason)


def _settled(kind: str, step: Step) -> bool:
    """Whether an open task of this subscription is overtaken by what the look shows, or by another task."""
    if step.side == Side.UNCLEAR or kind in step.keeps or (step.kind == "task" and kind == step.what):
        return False
    if step.stage == Stage.DEPROVISIONED or step.kind == "task":
        return True
    if kind in _ENDING_TASKS:
        return step.stage not in (Stage.PLANNED, Stage.CANCEL_REQUESTED)
    asked = kind in (TaskKind.ASK_SUPPORT, TaskKind.FIND_SELLER)
    return asked and step.kind != "done" and step.stage != Stage.DEPROVISIONING


def _kept(standing: Mapping[str, Any]) -> dict[str, Any]:
    """A standing without what is read from elsewhere in each round."""
    return {key: value for key, value in standing.items() if key != "reports"}


async def _note(
    parts: Parts, closure: str, item: Item, seen: Observed, standing: dict[str, Any], step: Step, seconds: float
) -> None:
    """Keep where it stands; each change of stage is in the audit."""
    now, provider = parts.clock.now(), item.facts["provider"]
    moved = standing.get("stage") != step.stage
    if moved:
        detail = {"id": item.id, "name": item.name, "from": standing.get("stage"), "to": step.stage}
        await parts.ledger.audit(closure, Word.SUBSCRIPTION_MOVED, None, {**detail, "reason": step.reason})
    facts = {
        "status": seen.graph,
        "nextLifecycle": seen.next_lifecycle,
        "state": seen.azure,
        "quotaId": seen.quota,
        "billing": seen.billing,
        "partner": seen.partner,
        "disabledAt": standing.get("disabledAt"),
    }
    # Where Support or whoever empties it decides when, no date can be told.
    told = step.side != Side.SUPPORT and step.what not in (TaskKind.EMPTY_AZURE, TaskKind.FIND_SELLER)
    earliest = earliest_gone(provider, facts, now, parts.clock.days(1.0)) if told else None
    await parts.ledger.note_subscription(
        closure,
        item.id,
        {
            "calls": {},
            "flips": 0,
            **_kept(standing),
            "name": item.name,
            "provider": provider,
            "stage": step.stage,
            "side": step.side,
            "reason": step.reason,
            "since": iso(now) if moved else standing.get("since") or iso(now),
            "outcome": _outcome(standing, step),
            "seen": {
                "graph": seen.graph,
                "azure": seen.azure,
                "billing": None if seen.billing is None else seen.billing.get("status"),
                "partner": None if seen.partner is None else seen.partner.get("status"),
            },
            "nextAt": None if step.stage == Stage.DEPROVISIONED else iso(now + timedelta(seconds=seconds)),
            "dueAt": step.due,
            "earliest": None if earliest is None else iso(earliest),
        },
    )
    if (outcome := _outcome(standing, step)) and not standing.get("outcome"):
        telemetry.count(Metric.ITEMS, family=str(Family.SUBSCRIPTIONS), operation="end", outcome=str(outcome))


def _outcome(standing: Mapping[str, Any], step: Step) -> str | None:
    if step.stage != Stage.DEPROVISIONED:
        return None
    return Outcome.REMOVED if standing["wasThere"] else Outcome.ABSENT
