"""Directory synchronisation: ask Graph, once, to turn it off where it allows that to an application.

It can't be stopped once begun, and the organization's flag falls only later: until then it is not asked again.
"""

from __future__ import annotations

from activities.base import Order, activity
from activities.guard import cleared
from tenantclosure.errors import ServiceTrouble
from tenantclosure.names import Word
from tenantclosure.wiring import Parts

ACCEPTED = "sync-off-accepted"
"""Mark: Graph has accepted it."""


@activity
async def turn_off_sync(parts: Parts, order: Order) -> Order:
    """{state}: off (nothing to do), turning (accepted; up to 72 hours), refused (a person has to; `why`)."""
    clearance = await cleared(parts, order)
    organization = await clearance.directory.organization()
    if not organization.sync_enabled:
        return {"state": "turning" if organization.sync_enabled is False else "off"}
    if await parts.ledger.mark(order["closureId"], ACCEPTED, order["serial"]) is not None:
        return {"state": "turning"}
    answer = await clearance.directory.turn_off_sync()
    if answer.transient:
        raise ServiceTrouble(f"Turning sync off was answered {answer.status} {answer.code}.")
    detail = {"write": "sync-off", "status": answer.status, "code": answer.code, "requestId": answer.request_id}
    await parts.ledger.audit(order["closureId"], Word.WRITE_MADE, None, detail)
    if answer.done:
        await parts.ledger.set_mark(order["closureId"], ACCEPTED, order["serial"], {})
        return {"state": "turning"}
    return {"state": "refused", "why": f"Graph refused it to an application: {answer.status} {answer.code}"}
