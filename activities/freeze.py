"""Freeze: no new sign-ups, guests or self-service products while we work; put back when a closure does not end
closed. Where Graph refuses it to us a person is asked, and nothing waits for it.
"""

from __future__ import annotations

from activities.base import Order, activity
from activities.fenced import Fence
from activities.guard import cleared, pinned
from activities.tasks import Look, assign, settle
from tenantclosure import names
from tenantclosure.errors import RailBroken, ServiceTrouble
from tenantclosure.names import TaskKind, Word
from tenantclosure.policy import rails
from tenantclosure.policy.canonical import canonical
from tenantclosure.policy.manual_tasks import manual_task
from tenantclosure.policy.rollback import UNDO_FREEZE
from tenantclosure.ports import JSON, Directory
from tenantclosure.wiring import Parts

FROZEN: JSON = {
    "allowedToSignUpEmailBasedSubscriptions": False,
    "allowEmailVerifiedUsersToJoinOrganization": False,
    "allowInvitesFrom": "none",
}
"""authorizationPolicy while we work (tenant-facts C5, "Freeze step")."""
MARK = "policy-before"
UNDONE = "policy-put-back"
"""Set once the freeze is undone: what somebody changes afterwards is theirs."""
LOOKS, BETWEEN = 3, 2.0
"""Looks at what was accepted until it counts as not shown, and seconds between them."""


@activity
async def freeze_sign_ups(parts: Parts, order: Order) -> Order:
    """{frozen}: keep the policy as it was, then freeze it; proven by reading it again. Otherwise a person is asked."""
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
    frozen = await _frozen(directory)
    for _ in range(LOOKS - 1 if answer.done else 0):
        if not frozen:
            await parts.clock.sleep(BETWEEN)
            frozen = await _frozen(directory)
    detail = {
        "write": "freeze",
        "status": answer.status,
        "code": answer.code,
        "requestId": answer.request_id,
        "frozen": frozen,
    }
    await parts.ledger.audit(closure, Word.WRITE_MADE, None, detail)
    if not frozen:
        said = f"{answer.status} {answer.code} {answer.message}".strip()
        why = "Graph accepted it, but the policy does not show it" if answer.done else f"Graph refused it to us: {said}"
        row, asked = clearance.row, _task_order(order)
        task = manual_task(
            asked["kind"],
            asked["target"],
            asked["name"],
            row=row,
            portals=parts.portals(),
            instance=order["instance"],
            why=why[:300],
        )
        await assign(parts, row, task)
    await look_at_freeze(parts, order, directory)
    return {"frozen": frozen}


async def look_at_freeze(parts: Parts, order: Order, directory: Directory) -> None:
    """Prove the task that asks a person for the freeze once the policy shows it. Nobody waits for it, so whoever looks
    at the tenant anyway calls this.
    """
    asked = _task_order(order)
    task = await parts.ledger.task(order["closureId"], names.task_id(asked["kind"], asked["target"]))
    if task is None or task["state"] != "open":
        return
    look = Look(seen="the authorization policy still lets people sign up or invite guests")
    if await _frozen(directory):
        look = Look(proof="the authorization policy shows all three off")
    row = await parts.ledger.closure(order["closureId"])
    await settle(parts, row, asked, look, max(order["daySeconds"], order["leastPoll"]))


def _task_order(order: Order) -> Order:
    return {**order, "kind": TaskKind.FREEZE_SIGN_UPS, "target": UNDO_FREEZE["id"], "name": UNDO_FREEZE["name"]}


async def _frozen(directory: Directory) -> bool:
    policy = await directory.sign_up_policy()
    return all(policy.get(key) == value for key, value in FROZEN.items())


@activity
async def undo_freeze(parts: Parts, order: Order) -> Order:
    """Put the policy back as it was before the freeze; nothing to do if it never was frozen."""
    row = await parts.ledger.closure(order["closureId"])
    rails.check_fence(row, order["epoch"])
    before = await parts.ledger.mark(order["closureId"], MARK, 0)
    handed_over = await parts.ledger.mark(order["closureId"], names.HAND_OVER_BEGUN, row["planSerial"])
    if before is None or handed_over is not None:  # without our service principal nothing can be put back
        return {"restored": False}

    async def newest() -> None:
        rails.check_fence(await parts.ledger.closure(order["closureId"]), order["epoch"])

    try:
        directory = await pinned(parts, row, Fence(newest))
    except RailBroken as broken:
        await parts.ledger.audit(
            order["closureId"], Word.RAIL_BROKEN, None, {"rail": broken.rail, "detail": broken.detail}
        )
        return {"restored": False}
    wanted = await still_frozen(parts, row["closureId"], directory)
    if not wanted:
        await parts.ledger.set_mark(order["closureId"], UNDONE, 0, {})
        return {"restored": True}
    answer = await directory.set_sign_up_policy(wanted)
    if not answer.done and answer.transient:
        raise ServiceTrouble(f"Undoing the freeze was answered {answer.status} {answer.code}.")
    detail = {"write": "undo-freeze", "status": answer.status, "code": answer.code, "requestId": answer.request_id}
    await parts.ledger.audit(order["closureId"], Word.WRITE_MADE, None, detail)
    if answer.done:
        await parts.ledger.set_mark(order["closureId"], UNDONE, 0, {})
    return {"restored": answer.done}


async def still_frozen(parts: Parts, closure: str, directory: Directory) -> JSON:
    """Members of the sign-up policy that our freeze changed and nobody has changed since, as they were before it."""
    before = await parts.ledger.mark(closure, MARK, 0)
    if before is None or await parts.ledger.mark(closure, UNDONE, 0) is not None:
        return {}
    was, now = before["policy"], await directory.sign_up_policy()
    return {key: was.get(key) for key, value in FROZEN.items() if now.get(key) == value != was.get(key)}
