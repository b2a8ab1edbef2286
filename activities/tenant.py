"""Hand the tenant over to its keeper: readiness once more, then our own service principal as the last Graph call."""

from __future__ import annotations

from activities import fenced
from activities.base import Halt, Order, activity
from activities.guard import Clearance, cleared, unheld, unhindered
from tenantclosure import names
from tenantclosure.errors import ListingIncomplete, ServiceTrouble, SignInRefused
from tenantclosure.names import Family, Gate, Word
from tenantclosure.ports import JSON, Directory
from tenantclosure.wiring import Parts

MARK = "handed-over"
LEFT = (
    "No API deletes a tenant like this one. Our own enterprise application is still there, because its removal was "
    "refused ({}): delete it as well, or set Enabled for users to sign in to No"
)
UNKNOWN_TO_TENANT = (700016, 7000229)
"""AADSTS codes that say our service principal is missing from a tenant that is alive (tenant-facts B)."""


@activity
async def hand_over(parts: Parts, order: Order) -> Order:
    """Remove our own service principal under the gate `delete-tenant`. {}; or {why} when Graph refuses it for good:
    then the keeper has to remove it as well.

    Afterwards no token of ours is good for the tenant, so an intent is kept first: a later run that finds it takes any
    refusal to sign in as the proof that the removal got through.
    """
    closure, serial = order["closureId"], order["serial"]
    handed_over = await parts.ledger.mark(closure, MARK, serial)
    if handed_over is not None:
        return _told(handed_over)
    began = await parts.ledger.mark(closure, names.HAND_OVER_BEGUN, serial)
    if began is None:
        clearance = await cleared(parts, order, Gate.DELETE_TENANT)
        await only_the_keeper(clearance)
        own = clearance.spared.own_service_principal
        await clearance.fence.check()  # the listing took its time; from here on nobody can say no
        await parts.ledger.set_mark(closure, names.HAND_OVER_BEGUN, serial, {"ownServicePrincipal": own})
        began = {"ownServicePrincipal": own}
    row = await unhindered(parts, order)
    directory = fenced.directory(parts, row["tenantId"], unheld(parts, order))
    own = began["ownServicePrincipal"]
    status, request_id, why = 404, "", ""
    if own is not None:
        try:
            answer = (await directory.delete_many(Family.SERVICE_PRINCIPALS, [own]))[0]
        except ServiceTrouble:
            if not await _signed_out(directory):
                raise
        else:
            if answer.transient:
                raise ServiceTrouble(f"Removing our service principal was answered {answer.status} {answer.code}.")
            status, request_id = answer.status, answer.request_id
            if not (answer.done or answer.absent or await _signed_out(directory)):
                why = LEFT.format(f"{answer.status} {answer.code}".strip())
    await parts.ledger.audit(
        closure,
        Word.WRITE_MADE,
        None,
        {"write": "remove-own-service-principal", "status": status, "requestId": request_id},
    )
    return _told(await parts.ledger.set_mark(closure, MARK, serial, {"status": status, "why": why}))


def _told(mark: JSON) -> Order:
    return {"why": mark["why"]} if mark.get("why") else {}


async def only_the_keeper(clearance: Clearance) -> None:
    """Raise Halt (drift) if a fresh listing shows anybody besides the keeper."""
    async for page in clearance.directory.pages(Family.USERS):
        others = [item.name for item in page if item.id != clearance.keeper]
        if others:
            raise Halt("drift", f"{len(others)} new in users: {', '.join(others[:10])}")


async def _signed_out(directory: Directory) -> bool:
    """Whether the tenant no longer knows us while it is still there: our service principal is gone (tenant-facts B)."""
    try:
        await directory.organization()
    except (ListingIncomplete, ServiceTrouble) as trouble:
        # Graph's organization is a listing: what broke it off is its cause.
        cause = trouble.__cause__ if isinstance(trouble, ListingIncomplete) else trouble
        return cause.code in UNKNOWN_TO_TENANT if isinstance(cause, SignInRefused) else " 401" in str(trouble)
    return False
