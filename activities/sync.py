"""Directory synchronisation: ask Graph to turn it off where it allows that to an application."""

from __future__ import annotations

from activities.base import Order, activity
from activities.guard import cleared
from tenantclosure.errors import ServiceTrouble
from tenantclosure.names import Word
from tenantclosure.wiring import Parts


@activity
async def turn_off_sync(parts: Parts, order: Order) -> Order:
    """{state}: off (nothing to do), turning (accepted; up to 72 hours), refused (a person has to; `why`)."""
    clearance = await cleared(parts, order)
    organization = await clearance.directory.organization()
    if not organization.sync_enabled:
        return {"state": "turning" if organization.sync_enabled is False else "off"}
    answer = await clearance.directory.turn_off_sync()
    if answer.transient:
        raise ServiceTrouble(f"Turning sync off was answered {answer.status} {answer.code}.")
    detail = {"write": "sync-off", "status": answer.status, "code": answer.code, "requestId": answer.request_id}
    await parts.ledger.audit(order["closureId"], Word.WRITE_MADE, None, detail)
    if answer.done:
        return {"state": "turning"}
    return {"state": "refused", "why": f"Graph refused it to an application: {answer.status} {answer.code}."}
