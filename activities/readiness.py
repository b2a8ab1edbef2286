"""What stands in the way of the tenant's end: foreseen with a new plan, looked at afresh in the phase readiness."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from activities import fenced
from activities.base import Order, activity
from activities.fenced import READ_ONLY
from activities.freeze import look_at_freeze
from activities.guard import Clearance, cleared
from activities.refused import harmless
from activities.subscriptions import known_as, planned_subscriptions
from activities.tasks import Look, assign, settle
from tenantclosure import names
from tenantclosure.model.inventory import Item, Organization
from tenantclosure.names import EXTERNAL_TYPES, Family, Gate, TaskKind
from tenantclosure.policy import readiness
from tenantclosure.policy.closing_date import Outlook, Sold, closing, of_plan, of_standing
from tenantclosure.policy.manual_tasks import manual_task
from tenantclosure.policy.obstacles import PRODUCTS, Obstacle, of_objects, of_subscription
from tenantclosure.policy.readiness import SHOWN, Check, Facts, Left
from tenantclosure.policy.selling import Provider
from tenantclosure.policy.stages import Stage
from tenantclosure.ports import JSON, Directory
from tenantclosure.wiring import Parts

_USER_TASKS = frozenset({TaskKind.RELEASE_USERS, TaskKind.GRANT_ROLE, TaskKind.REMOVE_USERS})
_APPLICATION_TASKS = frozenset({TaskKind.REMOVE_IDENTITY, TaskKind.REMOVE_APPLICATION})


@activity
async def check_readiness(parts: Parts, order: Order) -> Order:
    """{ready, checks: [{check, state}], seconds until the next date}; the whole look is a mark, what it found in the
    way stands on the closure's row.
    """
    clearance = await cleared(parts, order, writes=False)
    closure, day = order["closureId"], order["daySeconds"]
    organization = await clearance.directory.organization()
    await look_at_freeze(parts, order, clearance.directory)
    tasks = [task for task in await parts.ledger.tasks(closure) if task["state"] == "open"]
    sold = await _sold(parts, clearance, tasks)
    now = parts.clock.now()
    facts = await _facts(parts, order, clearance, organization, tasks, [one.obstacle for one in sold])
    await _look_at_external(parts, order, clearance, facts.external)
    rows = readiness.checks(facts)
    gates = (Gate.DELETE_TENANT,)
    outlook = Outlook(sold, sync_on=facts.sync_on, gates=gates, external=facts.tenant_type in EXTERNAL_TYPES)
    told = await _keep(parts, closure, order["serial"], rows, closing(outlook, rows, now, day))
    await parts.ledger.change(closure, lambda row: row.update(told))
    seconds = max(readiness.seconds(rows, now, day), order["leastPoll"])
    states = [{"check": row.name, "state": row.state} for row in rows]
    return {"ready": readiness.ready(rows), "checks": states, "seconds": seconds}


async def _look_at_external(parts: Parts, order: Order, clearance: Clearance, left: Mapping[str, int | None]) -> None:
    """Ask the keeper for what only an external tenant has: no API of ours removes it. Proven once a look counts none
    of what was asked for; what can't be read any more proves nothing.
    """
    row = clearance.row
    asked = {**order, "kind": TaskKind.EMPTY_DIRECTORY, "target": row["tenantId"], "name": row["domain"]}
    some = [f"{count} {what}" for what, count in left.items() if count]
    if some:
        why = "The tenant is only deleted once they are gone"
        words: JSON = {"row": row, "portals": parts.portals(), "instance": order["instance"], "why": why, "items": some}
        await assign(parts, row, manual_task(asked["kind"], asked["target"], asked["name"], **words))
    task = await parts.ledger.task(order["closureId"], names.task_id(asked["kind"], asked["target"]))
    if task is None or task["state"] != "open":
        return
    unproven = [item for item in task["items"] if left.get(item.partition(" ")[2]) != 0]
    look = Look(proof="a fresh look counts none of them")
    if unproven:
        look = Look(seen=f"not seen to be gone: {', '.join(unproven)}")
    await settle(parts, row, asked, look, order["daySeconds"])


async def foresee(parts: Parts, row: JSON, manifest: JSON, organization: Organization) -> JSON:
    """The same checks before anybody has approved anything, from the stored plan; what the plan itself removes is not
    among the blockers. Returns {blockers, earliest} for the row.
    """
    closure, serial, now = row["closureId"], row["planSerial"], parts.clock.now()
    families, external = manifest["families"], organization.tenant_type in EXTERNAL_TYPES

    async def left(family: str) -> Left:
        shards = families[family]["shards"]
        some = await _shard(parts, closure, serial, family, 0) if shards else []
        return Left(families[family]["count"], of_objects(some[:SHOWN], ()))

    bought: list[Item] = []
    for shard in range(len(families[Family.SUBSCRIPTIONS]["shards"])):
        bought += await _shard(parts, closure, serial, Family.SUBSCRIPTIONS, shard)
    sold = [of_plan(item) for item in bought if "Deleted" not in (item.facts.get("status"), item.facts.get("state"))]
    obstacles = [one.obstacle for one in sold]
    facts = Facts(
        tenant_type=organization.tenant_type,
        sync_on=bool(organization.sync_enabled),
        partner_type=organization.partner_tenant_type,
        users=await left(Family.USERS),
        kept=_kept(manifest, []),
        applications=await left(Family.APPLICATIONS),
        service_principals=await left(Family.SERVICE_PRINCIPALS),
        domains=await left(Family.DOMAINS),
        domains_demanded=_domains_demanded(obstacles),
        external=await fenced.directory(parts, row["tenantId"], READ_ONLY).external_leftovers() if external else {},
        planned=True,
        **_by_check(obstacles),
    )
    rows = readiness.checks(facts)
    quiet = float(row["request"]["quietDays"])
    gates = (Gate.PLAN, *((Gate.GO_ON,) if quiet else ()), Gate.DELETE_TENANT)
    outlook = Outlook(sold, quiet, sync_on=facts.sync_on, gates=gates, external=external)
    return await _keep(parts, closure, serial, rows, closing(outlook, rows, now, row["daySeconds"]))


async def _keep(parts: Parts, closure: str, serial: int, rows: Sequence[Check], date: JSON) -> JSON:
    await parts.ledger.set_mark(closure, names.CHECKS, serial, {"checks": readiness.documents(rows), "closing": date})
    return {"blockers": readiness.blockers(rows), "earliest": date["earliest"]}


async def _facts(
    parts: Parts,
    order: Order,
    clearance: Clearance,
    organization: Organization,
    tasks: Sequence[JSON],
    obstacles: Sequence[Obstacle],
) -> Facts:
    directory, own = clearance.directory, clearance.spared.own_service_principal
    kept = {(entry["family"], entry["id"]) for entry in clearance.manifest["kept"]}
    microsofts = await harmless(parts, order["closureId"], order["serial"])

    def goes(family: str) -> Callable[[Item], bool]:
        return lambda item: (family, item.id) not in kept and clearance.spared.reason(family, item) is None

    def blocks(item: Item) -> bool:
        return item.id != own and item.id not in microsofts and bool(item.facts.get("enabled", True))

    of_users = [task for task in tasks if task["kind"] in _USER_TASKS]
    of_applications = [task for task in tasks if task["kind"] in _APPLICATION_TASKS]
    external = organization.tenant_type in EXTERNAL_TYPES
    users, staying = await _users(clearance, goes(Family.USERS), of_users)
    return Facts(
        tenant_type=organization.tenant_type,
        sync_on=bool(organization.sync_enabled),
        partner_type=organization.partner_tenant_type,
        users=users,
        kept=_kept(clearance.manifest, staying),
        applications=await _left(directory, Family.APPLICATIONS, of_applications, goes(Family.APPLICATIONS)),
        service_principals=await _left(directory, Family.SERVICE_PRINCIPALS, of_applications, blocks),
        domains=await _left(directory, Family.DOMAINS, (), goes(Family.DOMAINS)),
        domains_demanded=_domains_demanded(obstacles),
        external=await directory.external_leftovers() if external else {},
        **_by_check(obstacles),
    )


async def _sold(parts: Parts, clearance: Clearance, tasks: Sequence[JSON]) -> list[Sold]:
    """Every subscription that is not proven gone: those of the plan as their rounds left them, and any other that a
    fresh listing shows.
    """
    closure, tenant, now = clearance.row["closureId"], clearance.row["tenantId"], parts.clock.now()
    listed = [row async for page in clearance.directory.pages(Family.SUBSCRIPTIONS) for row in page]
    listed += await fenced.billing(parts, tenant, READ_ONLY).azure_subscriptions()
    there = [row for row in listed if "Deleted" not in (row.facts.get("status"), row.facts.get("state"))]
    shown = {name for row in there for name in known_as(row)}
    standings, found, planned = await parts.ledger.subscriptions(closure), list[Sold](), set[str]()
    for item in await planned_subscriptions(parts, clearance):
        planned |= known_as(item)
        standing = standings.get(item.id) or {}
        if standing.get("stage") == Stage.DEPROVISIONED and item.id.lower() not in shown:
            continue
        about = [task for task in tasks if task["target"] == item.id]
        found.append(of_standing(of_subscription(item, standing, about, now), standing, about))
    for row in there:
        if not planned & known_as(row):
            cause, remedy = "not in the plan that was approved", "The plan is made anew, and people are asked again."
            provider = Provider.AZURE if "state" in row.facts else ""
            stranger = Obstacle(row.name or row.id, row.id, False, cause, remedy, "the approvers", provider=provider)
            found.append(Sold(stranger))
    return found


def _by_check(obstacles: Sequence[Obstacle]) -> dict[str, Any]:
    """Azure subscriptions, self-service products and all other subscriptions: each has a check of its own."""
    azure = [one for one in obstacles if one.provider == Provider.AZURE]
    products = [one for one in obstacles if one.provider in PRODUCTS]
    own = {id(one) for one in (*azure, *products)}
    return {"azure": azure, "products": products, "licences": [one for one in obstacles if id(one) not in own]}


def _domains_demanded(obstacles: Sequence[Obstacle]) -> bool:
    """Whether a person has yet to cancel a subscription of an old agreement (subscription-facts 7)."""
    early = (Stage.PLANNED, Stage.CANCEL_REQUESTED)
    return any(one.provider == Provider.MANUAL and one.stage in early for one in obstacles)


def _kept(manifest: JSON, changed: Sequence[Item]) -> Left:
    """Users that the plan keeps, and those that have changed so that it would keep them now."""
    kept = [entry for entry in manifest["kept"] if entry["family"] == Family.USERS and entry["reason"] != "keeper"]
    some = [Obstacle(entry["name"], entry["id"]) for entry in kept] + of_objects(changed, ())
    return Left(len(some), some[:SHOWN])


async def _users(clearance: Clearance, goes: Callable[[Item], bool], tasks: Sequence[JSON]) -> tuple[Left, list[Item]]:
    """Users that are left, and those of the others whom no plan of today would remove and this one does not keep."""
    kept = {entry["id"] for entry in clearance.manifest["kept"]}
    staying: list[Item] = []

    def counts(item: Item) -> bool:
        if not goes(item) and item.id not in kept:
            staying.append(item)
        return goes(item)

    return await _left(clearance.directory, Family.USERS, tasks, counts), staying


async def _left(directory: Directory, family: str, tasks: Sequence[JSON], counts: Callable[[Item], bool]) -> Left:
    """How many of a family are left, and the first of them; a hundred thousand are never held at once."""
    count, some = 0, list[Item]()
    async for page in directory.pages(family):
        left = [item for item in page if counts(item)]
        count += len(left)
        some += left[: SHOWN - len(some)]
    return Left(count, of_objects(some, tasks))


async def _shard(parts: Parts, closure: str, serial: int, family: str, shard: int) -> list[Item]:
    lines = parts.records.read_lines(names.shard_path(closure, serial, family, shard))
    return [Item.from_dict(json.loads(line)) async for line in lines]
