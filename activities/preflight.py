"""Preflight: the rails once more on the live tenant, and a first sighting of it from outside."""

from __future__ import annotations

from activities.base import Halt, Order, activity
from activities.guard import pinned, unhindered
from tenantclosure.errors import RequestRefused, ServiceTrouble
from tenantclosure.intake import check_kind
from tenantclosure.policy import rails
from tenantclosure.wiring import Parts


@activity
async def check_preflight(parts: Parts, order: Order) -> Order:
    """Pin, kind, permissions, keeper; the tenant must be seen alive from outside, or its end could never be proven."""
    row = await unhindered(parts, order)
    directory = await pinned(parts, row)
    try:
        resource = row["request"].get("externalDirectory")
        await check_kind(parts, row["tenantId"], await directory.organization(), resource)
    except RequestRefused as refused:
        raise Halt("failed", f"{refused.detail} {refused.remedy}") from None
    missing = rails.missing_permissions(await directory.identity())
    if missing:
        ask = f"`closure preflight --tenant {row['tenantId']}` tells the command that grants each."
        raise Halt("failed", f"Our application lacks {', '.join(missing)} in the tenant. {ask}")
    rails.check_keeper(await directory.find_user(row["keeper"]), await directory.global_administrators())
    sighting = await parts.outside(row["tenantId"]).sighting()
    if sighting != "alive":
        raise ServiceTrouble(f"The tenant can't be seen from outside ({sighting}).")
    await parts.ledger.set_mark(row["closureId"], "sighted", row["planSerial"], {"sighting": sighting})
    return {}
