"""What a message says, gathered from Records when it is sent."""

from __future__ import annotations

import contextlib
import json

from tenantclosure import names
from tenantclosure.errors import RecordMissing
from tenantclosure.outbox.tasking import still_open
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts


async def summary(parts: Parts, row: JSON, notice: JSON) -> JSON:
    """The data of one message, as rendering/notices.py takes it; nothing in it is secret, nothing in it is trusted."""
    ledger, closure = parts.ledger, row["closureId"]
    gate = await ledger.gate(closure, notice["gate"], notice["serial"]) if notice["gate"] else None
    who = row["requester"]
    return {
        "kind": notice["kind"],
        "closureId": closure,
        "tenantId": row["tenantId"],
        "displayName": row.get("displayName") or row["domain"],
        "domain": row["domain"],
        "initialDomain": row.get("initialDomain") or "",
        "reason": row["request"]["reason"],
        "requester": {"upn": who["upn"], "name": who.get("name") or "", "claimed": bool(row["claimed"])},
        "serial": notice["serial"],
        "digest": notice["digest"] or "",
        "head": await ledger.audit_head(closure),
        "planned": {str(family): int(count) for family, count in (row.get("planned") or {}).items()},
        "gate": gate,
        "difference": await _difference(parts, closure, notice["serial"]) if gate else None,
        "to": notice["to"],
        "detail": notice["detail"],
        "tasks": still_open(notice, await _tasks(parts, closure, notice)),
    }


async def _tasks(parts: Parts, closure: str, notice: JSON) -> list[JSON | None]:
    return [await parts.ledger.task(closure, one["taskId"]) for one in notice["detail"].get("tasks") or ()]


async def _difference(parts: Parts, closure: str, serial: int) -> JSON | None:
    """What the plan holds other than the plan before it; None for the first plan."""
    if serial > 1:
        with contextlib.suppress(RecordMissing):
            found: JSON = json.loads(await parts.records.read_blob(names.difference_path(closure, serial)))
            return found
    return None
