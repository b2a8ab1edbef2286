"""Enterprise applications that refused to be deleted: disable them, and say which ones (tenant-facts A4)."""

from __future__ import annotations

from activities.base import Order, activity
from activities.guard import cleared
from activities.journal import Journal
from tenantclosure import names
from tenantclosure.errors import ServiceTrouble
from tenantclosure.names import Family, Word
from tenantclosure.policy import rails
from tenantclosure.wiring import Parts


@activity
async def disable_refused(parts: Parts, order: Order) -> Order:
    """{refused, disabled}; the review afterwards tries the disabled ones once more and asks about the rest."""
    clearance = await cleared(parts, order)
    closure, serial, family = order["closureId"], order["serial"], Family.SERVICE_PRINCIPALS
    refused: list[str] = []
    for shard in range(len(clearance.manifest["families"][family]["shards"])):
        journal = await Journal(parts.records, names.evidence_path(closure, serial, family, "delete", shard)).read()
        refused += journal.refusals
    disabled, answers = 0, []
    for start in range(0, len(refused), 20):
        chunk = refused[start : start + 20]
        rails.check_spared(frozenset(chunk), clearance.keeper, clearance.spared.own_service_principal)
        for answer in await clearance.directory.disable_service_principals(chunk):
            if answer.transient:
                raise ServiceTrouble(f"Disabling {answer.id} was answered {answer.status} {answer.code}.")
            disabled += 1 if answer.done else 0
            answers.append(
                {"id": answer.id, "status": answer.status, "code": answer.code, "requestId": answer.request_id}
            )
    found = {"refused": len(refused), "disabled": disabled}
    await parts.ledger.set_mark(closure, "applications-refused", serial, {**found, "answers": answers})
    await parts.ledger.audit(closure, Word.WRITE_MADE, None, {"write": "disable-refused", **found})
    return found
