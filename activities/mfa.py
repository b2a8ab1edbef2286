"""MFA off: per-user MFA of everyone but the keeper; after the users phase normally a verification without a write."""

from __future__ import annotations

from activities.base import Order, activity
from activities.guard import cleared, planned_ids, still_cleared
from tenantclosure.names import Family, Word
from tenantclosure.policy import rails
from tenantclosure.wiring import Parts


@activity
async def turn_off_mfa(parts: Parts, order: Order) -> Order:
    """{left, turnedOff, unknown, defaults}: users besides the keeper, what was switched, what beta did not tell.

    Only ids of the plan are written. The keeper's MFA is never touched: without it nobody can delete the tenant
    (tenant-facts C4). Security defaults are recorded, not switched.
    """
    clearance = await cleared(parts, order)
    directory = clearance.directory
    left: list[str] = []
    async for page in directory.pages(Family.USERS):
        left += [item.id for item in page if item.id != clearance.keeper]
    planned = await planned_ids(parts, clearance, Family.USERS)
    turned_off = unknown = 0
    for start in range(0, len(left), 20):
        chunk = [id_ for id_ in left[start : start + 20] if id_ in planned]
        states = await directory.mfa_states(chunk)
        unknown += sum(1 for state in states.values() if state == "unknown")
        on = [id_ for id_, state in states.items() if state in ("enabled", "enforced")]
        rails.check_spared(frozenset(on), clearance.keeper, None)
        await still_cleared(parts, order, clearance)
        answers = await directory.turn_off_mfa(on) if on else []
        turned_off += sum(1 for answer in answers if answer.done)
    defaults = await directory.security_defaults()
    found = {"left": len(left), "turnedOff": turned_off, "unknown": unknown, "securityDefaults": defaults}
    await parts.ledger.set_mark(order["closureId"], "mfa-state", order["serial"], found)
    await parts.ledger.audit(order["closureId"], Word.WRITE_MADE, None, {"write": "mfa-off", **found})
    return found
