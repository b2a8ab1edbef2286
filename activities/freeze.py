"""Freeze: no new sign-ups, guests or self-service products while we work; put back when a closure does not end
closed.
"""

from __future__ import annotations

from activities.base import Order, activity
from activities.guard import cleared, pinned
from tenantclosure import names
from tenantclosure.errors import RailBroken, ServiceTrouble
from tenantclosure.names import Word
from tenantclosure.policy import rails
from tenantclosure.policy.canonical import canonical
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts

FROZEN: JSON = {
    "allowedToSignUpEmailBasedSubscriptions": False,
    "allowEmailVerifiedUsersToJoinOrganization": False,
    "allowInvitesFrom": "none",
}
"""authorizationPolicy while we work (tenant-facts C5, "Freeze step")."""
MARK = "policy-before"


@activity
async def freeze_sign_ups(parts: Parts, order: Order) -> Order:
    """Keep the policy as it was, then freeze it; proven by reading it again."""
    clearance = await cleared(parts, order)
    closure, directory = order["closureId"], clearance.directory
    before = await parts.ledger.mark(closure, MARK, 0)
    if before is None:
        policy = await directory.sign_up_policy()
        await parts.records.write_blob(
            names.listing_path(closure, order["serial"], "sign-up-policy"), canonical(policy)
        )
        await parts.ledger.set_mark(closure, MARK, 0, {"policy": policy})
    answer = await directory.set_sign_up_policy(FROZEN)
    if not answer.done and answer.transient:
        raise ServiceTrouble(f"The freeze was answered {answer.status} {answer.code}.")
    after = await directory.sign_up_policy()
    frozen = all(after.get(key) == value for key, value in FROZEN.items())
    detail = {
        "write": "freeze",
        "status": answer.status,
        "code": answer.code,
        "requestId": answer.request_id,
        "frozen": frozen,
    }
    await parts.ledger.audit(closure, Word.WRITE_MADE, None, detail)
    return {"frozen": frozen}


@activity
async def undo_freeze(parts: Parts, order: Order) -> Order:
    """Put the policy back as it was before the freeze; nothing to do if it never was frozen."""
    row = await parts.ledger.closure(order["closureId"])
    rails.check_fence(row, order["epoch"])
    before = await parts.ledger.mark(order["closureId"], MARK, 0)
    handed_over = await parts.ledger.mark(order["closureId"], names.HAND_OVER_BEGUN, row["planSerial"])
    if before is None or handed_over is not None:  # without our service principal nothing can be put back
        return {"restored": False}
    try:
        directory = await pinned(parts, row)
    except RailBroken as broken:
        await parts.ledger.audit(
            order["closureId"], Word.RAIL_BROKEN, None, {"rail": broken.rail, "detail": broken.detail}
        )
        return {"restored": False}
    answer = await directory.set_sign_up_policy({key: before["policy"].get(key) for key in FROZEN})
    if not answer.done and answer.transient:
        raise ServiceTrouble(f"Undoing the freeze was answered {answer.status} {answer.code}.")
    detail = {"write": "undo-freeze", "status": answer.status, "code": answer.code, "requestId": answer.request_id}
    await parts.ledger.audit(order["closureId"], Word.WRITE_MADE, None, detail)
    return {"restored": answer.done}
