"""Delete an external tenant as the Azure resource it is: one DELETE, looked after until Azure has accepted it.

Each call is one step. While Azure works, our own service principal stays: it goes with the tenant. What Azure refuses
is handed over to the keeper as any tenant is (ADR 15).
"""

from __future__ import annotations

from datetime import datetime

from activities import fenced
from activities.base import Order, activity
from activities.fenced import Fence
from activities.guard import cleared, unheld, unhindered
from activities.tenant import hand_over, only_the_keeper
from tenantclosure import names
from tenantclosure.errors import AccessRefused, RailBroken, ServiceTrouble, Throttled
from tenantclosure.ledger import iso
from tenantclosure.model.inventory import Answer
from tenantclosure.names import Gate, Rail, Word
from tenantclosure.policy import timing
from tenantclosure.ports import JSON, ExternalDirectory
from tenantclosure.wiring import Parts

SENT = names.DIRECTORY_DELETION
"""The mark {resource, since (the first DELETE), sent (how many), status, said, operation}: kept before each DELETE with
the status None (it may have got through or not), and again with Azure's answer.
"""
THROTTLED = 429
"""Status of a DELETE that certainly did not get through."""
NO_HOME = "We can't sign in to the hosting tenant, where its Azure resource is"
NO_RESOURCE = "Azure shows no such resource although the tenant is there"
OURS_LEFT = "Our own enterprise application may be left as well: delete it with the others."


@activity
async def delete_directory(parts: Parts, order: Order) -> Order:
    """{state, seconds, why}: deleting (look again after `seconds`), accepted, or refused with the reason."""
    closure, serial = order["closureId"], order["serial"]
    verdict = await parts.ledger.mark(closure, names.DIRECTORY_VERDICT, serial)
    if verdict is None:
        step = await _step(parts, order)
        if step["state"] == "deleting":
            return {"why": "", **step}
        verdict = await parts.ledger.set_mark(closure, names.DIRECTORY_VERDICT, serial, {"why": "", **step})
    if verdict["state"] == "refused":
        return await _to_the_keeper(order, verdict["why"])
    return {"state": verdict["state"], "seconds": 0, "why": ""}


async def _step(parts: Parts, order: Order) -> JSON:
    """The next thing to be done about it. What a later try may cure is raised for a day at most."""
    sent = await parts.ledger.mark(order["closureId"], SENT, order["serial"])
    if sent is None:
        return await _begin(parts, order)
    await unhindered(parts, order)
    fence = unheld(parts, order)
    external = fenced.external(parts, order["tenantId"], fence)
    if external is None:
        return _refused(f"{NO_HOME}, any more; the deletion had begun.")
    try:
        if sent["status"] == THROTTLED:
            return await _send(parts, order, external, fence, sent)
        if sent["status"] is None:
            return await _find_out(parts, order, external, fence, sent)
        return await _look(parts, order, external, sent)
    except AccessRefused as refused:
        return _refused(f"Azure does not let us see what became of the deletion: {refused}")
    except ServiceTrouble as trouble:
        if not _overdue(parts, order, sent):
            raise
        return _refused(f"Azure does not say what became of the deletion: {trouble}")


async def _begin(parts: Parts, order: Order) -> JSON:
    """Every rail, a last look at the tenant and at whose resource it is; then the first DELETE."""
    clearance = await cleared(parts, order, Gate.DELETE_TENANT)
    row = clearance.row
    await only_the_keeper(clearance)
    fence, resource = unheld(parts, order), row["request"].get("externalDirectory")
    external = fenced.external(parts, row["tenantId"], fence)
    if not resource:
        return _refused("The request names no Azure resource of this tenant.")
    if external is None:
        return _refused(NO_HOME)
    try:
        found = await external.find(resource)
    except AccessRefused as refused:
        return _refused(f"Azure does not show us the resource: {refused}")
    if found is None:
        return _refused(f"{NO_RESOURCE}: {resource}")
    if found["tenantId"] != row["tenantId"]:
        raise RailBroken(Rail.TENANT_PIN, "The Azure resource is another tenant than the one to close.")
    await clearance.fence.check()  # the looks took their time; from here on nobody can say no
    # The tenant can go at any moment from now on, and our service principal with it.
    own = {"ownServicePrincipal": clearance.spared.own_service_principal}
    await parts.ledger.set_mark(order["closureId"], names.HAND_OVER_BEGUN, order["serial"], own)
    first = {"resource": resource, "since": iso(parts.clock.now()), "sent": 0}
    return await _send(parts, order, external, fence, first)


async def _send(parts: Parts, order: Order, external: ExternalDirectory, fence: Fence, sent: JSON) -> JSON:
    """DELETE; the intent is kept first, so that an answer that gets lost is missed."""
    again = sent["sent"] > 0
    sent = {**sent, "sent": sent["sent"] + 1, "status": None, "said": "", "operation": None}
    async with fence.wave():
        await _keep(parts, order, sent)
        try:
            answer, operation = await external.delete(sent["resource"])
        except Throttled:
            await _keep(parts, order, {**sent, "sent": sent["sent"] - 1, "status": THROTTLED})
            raise
    await _audit(parts, order, sent, answer, again=again)
    said = " ".join(filter(None, (str(answer.status), answer.code, answer.message)))
    sent = {**sent, "status": answer.status, "said": said, "operation": operation}
    await _keep(parts, order, sent)
    return _answered(sent) or _deleting(parts, order, sent)


def _answered(sent: JSON) -> JSON | None:
    """What Azure's answer to the DELETE says by itself; None while it is at work."""
    status, again = sent["status"], sent["sent"] > 1
    if status in (200, 204, 404):
        return {"state": "accepted"}
    # Sent again while the first one, whose answer was lost, is at work, it meets a conflict.
    if status in (201, 202) or (again and status == 409):
        return None
    return _refused(f"Azure refused it: {sent['said']}")


async def _find_out(parts: Parts, order: Order, external: ExternalDirectory, fence: Fence, sent: JSON) -> JSON:
    """What became of a DELETE whose answer was lost: through if the resource goes, sent again if it stays for long."""
    if await _gone(parts, order, external, sent):
        await _audit(parts, order, sent, Answer(sent["resource"], 404), again=False)
        return {"state": "accepted"}
    if _overdue(parts, order, sent):
        return _refused("Azure did not answer within a day.")
    if _seconds_since(parts, sent["at"]) < max(order["daySeconds"] * timing.ANSWER_WITHIN, timing.SHOWN_LEAST):
        return _deleting(parts, order, sent)
    return await _send(parts, order, external, fence, sent)


async def _look(parts: Parts, order: Order, external: ExternalDirectory, sent: JSON) -> JSON:
    """One look at the operation, or at the resource where Azure named none."""
    if settled := _answered(sent):
        return settled
    word = await _operation(external, sent)
    # An operation's record can go before we look; that the resource is gone says more than it.
    if word == "succeeded" or (word != "running" and await _gone(parts, order, external, sent)):
        return {"state": "accepted"}
    if word.startswith("failed"):
        return _refused(f"Azure accepted the deletion, but it {word}")
    if _overdue(parts, order, sent):
        return _refused(f"Azure was not through with the deletion within a day; its answer was: {sent['said']}")
    return _deleting(parts, order, sent)


async def _operation(external: ExternalDirectory, sent: JSON) -> str:
    """What the operation says; empty where Azure named none, or shows it to nobody with a role on the resource only."""
    try:
        return await external.poll(sent["operation"]) if sent["operation"] else ""
    except AccessRefused:
        return ""


async def _gone(parts: Parts, order: Order, external: ExternalDirectory, sent: JSON) -> bool:
    """Whether the resource is gone. Our role on it goes with it: then the tenant is looked for from outside."""
    try:
        return await external.find(sent["resource"]) is None
    except AccessRefused:
        return await parts.outside(order["tenantId"]).sighting() == "gone"


async def _to_the_keeper(order: Order, why: str) -> Order:
    """The portal counts our enterprise application among what is left, so it goes as in every hand-over, if it can."""
    try:
        told = await hand_over(order)
    except ServiceTrouble:  # tried once: the tenant may be on its way out after all, and then nobody answers any more
        told = {"why": OURS_LEFT}
    if "stop" in told:
        return told
    return {"state": "refused", "seconds": 0, "why": " ".join(part for part in (why, told.get("why")) if part)}


async def _keep(parts: Parts, order: Order, sent: JSON) -> None:
    await parts.ledger.set_mark(order["closureId"], SENT, order["serial"], sent)


async def _audit(parts: Parts, order: Order, sent: JSON, answer: Answer, *, again: bool) -> None:
    said = {"status": answer.status, "code": answer.code, "requestId": answer.request_id}
    detail = {"write": "delete-directory", "resource": sent["resource"], **said, "resent": again}
    await parts.ledger.audit(order["closureId"], Word.WRITE_MADE, None, detail)


def _refused(why: str) -> JSON:
    return {"state": "refused", "why": why.rstrip(".") + "."}


def _deleting(parts: Parts, order: Order, sent: JSON) -> JSON:
    running = _seconds_since(parts, sent["since"]) / order["daySeconds"]
    seconds = max(order["daySeconds"] * timing.operation_after(running), order["leastPoll"])
    return {"state": "deleting", "seconds": seconds}


def _overdue(parts: Parts, order: Order, sent: JSON) -> bool:
    most: float = max(order["daySeconds"] * timing.DELETION_WITHIN, timing.SHOWN_LEAST)
    return _seconds_since(parts, sent["since"]) >= most


def _seconds_since(parts: Parts, moment: str) -> float:
    return (parts.clock.now() - datetime.fromisoformat(moment)).total_seconds()
