"""Readiness: a fresh look at everything the portal's delete page checks, as far as it can be read."""

from __future__ import annotations

from activities.base import Order, activity
from activities.guard import cleared
from tenantclosure.model.inventory import Item
from tenantclosure.names import Family
from tenantclosure.policy.readiness import Facts, blockers, checks
from tenantclosure.ports import Directory
from tenantclosure.wiring import Parts


@activity
async def check_readiness(parts: Parts, order: Order) -> Order:
    """{ready, checks}; what fails stands as blockers on the closure's row."""
    clearance = await cleared(parts, order, writes=False)
    closure, directory, tenant = order["closureId"], clearance.directory, clearance.row["tenantId"]
    organization = await directory.organization()
    users = [item.name for item in await _all(directory, Family.USERS) if item.id != clearance.keeper]
    kept_registrations = {e["id"] for e in clearance.manifest["kept"] if e["family"] == Family.APPLICATIONS}
    undeletable = await _undeletable(parts, order)
    principals = [
        item.name
        for item in await _all(directory, Family.SERVICE_PRINCIPALS)
        if item.id not in undeletable
        and item.id != clearance.spared.own_service_principal
        and item.facts.get("enabled", True)
    ]
    subscriptions = [i.name for i in await _all(directory, Family.SUBSCRIPTIONS) if i.facts.get("status") != "Deleted"]
    azure = [i.name for i in await parts.billing(tenant).azure_subscriptions() if i.facts.get("state") != "Deleted"]
    facts = Facts(
        users_left=users,
        sync_on=bool(organization.sync_enabled),
        applications_left=[
            item.name for item in await _all(directory, Family.APPLICATIONS) if item.id not in kept_registrations
        ],
        service_principals_left=principals,
        subscriptions_left=subscriptions,
        azure_left=azure,
    )
    rows = checks(facts)
    found = blockers(rows)
    await parts.ledger.change(closure, lambda row: row.update(blockers=found))
    await parts.ledger.set_mark(closure, "readiness-checks", order["serial"], {"checks": rows})
    return {"ready": not found, "checks": rows}


async def _undeletable(parts: Parts, order: Order) -> frozenset[str]:
    """Service principals that refused both deletion and disabling: Microsoft's own, which do not block."""
    mark = await parts.ledger.mark(order["closureId"], "applications-refused", order["serial"])
    return frozenset(answer["id"] for answer in (mark or {}).get("answers", []) if answer["status"] >= 400)


async def _all(directory: Directory, family: str) -> list[Item]:
    return [item async for page in directory.pages(family) for item in page]
