"""A notice's name, and the order in which it is written: on record first, then on the queue."""

from __future__ import annotations

import hashlib
from typing import Any

from tenantclosure import names
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts

MAIL, TEAMS = "mail", "teams"


def addressee(person: JSON) -> str:
    """What stands for a person in a notice's id: the object id; for names taken as they are a hash of the UPN."""
    return str(person.get("objectId") or "") or short_hash(str(person["upn"]).lower())


def short_hash(text: str) -> str:
    """A short, key-safe name for a text of any length."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def post(
    parts: Parts, row: JSON, gate: JSON | None, kind: str, about: str, detail: JSON, to: JSON | None, channel: str
) -> None:
    """Put one notice on record and on the queue, once: `about` is what makes its id differ from others of its kind.

    A notice that stands on record already is left to `requeue`, so a repeated activity sends nothing twice.
    """
    asked = f"{gate['gate']}-{gate['serial']:03d}-{kind}" if gate else str(kind)
    turn = f"-r{rounds(gate)}" if gate else ""
    notice: dict[str, Any] = {
        "noticeId": f"{asked}-{about}-{channel}-{addressee(to) if to else 'channel'}{turn}",
        "kind": str(kind),
        "channel": channel,
        "gate": gate["gate"] if gate else "",
        "serial": gate["serial"] if gate else row["planSerial"],
        "digest": gate["digest"] if gate else row["digest"],
        "to": to,
        "detail": {**detail, "round": rounds(gate)} if gate else detail,
    }
    if await parts.ledger.add_notice(row["closureId"], notice):
        await enqueue(parts, row["closureId"], notice["noticeId"])


async def enqueue(parts: Parts, closure: str, notice_id: str) -> None:
    """Ask for one delivery."""
    message: JSON = {"schema": names.SCHEMA, "closureId": closure, "noticeId": notice_id}
    await parts.records.enqueue(names.NOTICE_QUEUE, message)


def rounds(gate: JSON | None) -> int:
    """How often a gate was opened again; each round asks afresh."""
    return len(gate["reopened"]) if gate else 0
