"""What a Teams workflow or Power Automate reports: that somebody was reached, and where the policy allows it, a word.

The caller is an application with a token of its own, from the deployment's list. Each call carries a nonce and its
time, so that a recorded call is worth nothing the second time or later.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import azure.functions as func

from tenantclosure.errors import RequestRefused
from tenantclosure.ledger import iso
from tenantclosure.model.people import Person
from tenantclosure.names import Word
from tenantclosure.policy.approvers import judged
from tenantclosure.policy.quorum import key_of
from tenantclosure.ports import JSON
from web.answers import json_answer
from web.body import fields, json_body, text
from web.checks import check_person, check_plan, check_state, gate_name, gate_of
from web.closures import closure_row
from web.decisions import digest_in, said_in, say, serial_in
from web.principal import ASCII_SMALL
from web.problems import refuse
from web.route import Call

KEYS = frozenset({"closureId", "gate", "serial", "digest", "event", "decision", "comment", "person", "nonce", "sentAt"})
PERSON = frozenset({"tenantId", "objectId", "upn"})
REACHED, DECISION = "reached", "decision"
WINDOW = timedelta(minutes=10)
"""How far a call's time may lie from ours, before or after."""
NONCE = re.compile(r"[\x21-\x7e]{16,128}")
LONGEST_ID = 200


async def take_callback(call: Call) -> func.HttpResponse:
    """Note that a person was reached, or take the word they gave in Teams."""
    if call.app.app_id not in call.parts.settings.callback_apps:
        raise refuse(
            403,
            "application-not-listed",
            "This application may not call here.",
            "Ask the deployment's owner to add it to CLOSURE_CALLBACK_APPS.",
        )
    body = fields(json_body(call.req), KEYS)
    row = await closure_row(call.parts, text(body, "closureId", most=LONGEST_ID))
    call.trail.closure, name = row["closureId"], gate_name(text(body, "gate", most=40))
    call.trail.gate = name
    person = _person(body.get("person"))
    call.trail.who = {**(call.trail.who or {}), "person": person.to_dict()}
    event, nonce = text(body, "event", most=20), text(body, "nonce", most=128)
    if event not in (REACHED, DECISION):
        raise _wrong("event", "That is no event.", f"Use one of: {REACHED}, {DECISION}.")
    if not NONCE.fullmatch(nonce):
        raise _wrong("nonce", "The nonce is not 16 to 128 visible ASCII characters.", "Make a new random one.")
    if serial_in(body) is None:
        raise _wrong("serial", "serial is missing.", "Send the serial that the message named.")
    _check_time(text(body, "sentAt", most=40), call.parts.clock.now())

    async def use() -> None:
        if not await call.parts.ledger.take_nonce(call.app.app_id, hashlib.sha256(nonce.encode()).hexdigest()):
            raise refuse(409, "replayed", "This call was taken before.", "Send each event once, with its own nonce.")

    taken = await (_decided if event == DECISION else _reached)(call, row, name, person, body, use)
    return json_answer({"event": event, **taken}, 202)


Use = Callable[[], Awaitable[None]]


async def _decided(call: Call, row: JSON, name: str, person: Person, body: JSON, use: Use) -> JSON:
    """A word in Teams, under the same rules as everywhere and some more."""
    said = said_in(body)
    answer = await say(
        call.parts,
        call.client,
        row,
        name,
        person,
        said.word,
        serial=said.serial,
        digest=said.digest,
        comment=said.comment,
        domain="",
        via="teams",
        use=use,
    )
    return {key: answer[key] for key in ("gate", "serial", "state", "missing")}


async def _reached(call: Call, row: JSON, name: str, person: Person, body: JSON, use: Use) -> JSON:
    """Note on the person's messages of this gate that they arrived."""
    for extra in ("decision", "comment"):
        if extra in body:
            raise _wrong(extra, f"{extra} does not go with the event {REACHED}.", f"Send it with {DECISION}.")
    ledger, gate = call.parts.ledger, await gate_of(call.parts, row, name)
    check_person(call.parts, row, gate, person)
    gate = await check_state(call.parts, row, gate, name)
    check_plan(gate, serial_in(body), digest_in(body))
    await use()
    closure, serial = row["closureId"], gate["serial"]
    mine = [
        notice["noticeId"]
        for notice in await ledger.notices(closure)
        if (notice["gate"], notice["serial"]) == (name, serial)
        and notice["to"]
        and key_of(notice["to"]) == person.key
        and notice["reachedAt"] is None
    ]
    told = {"gate": name, "serial": serial, "notices": mine, "application": call.app.app_id}
    await ledger.audit(closure, Word.NOTICE_REACHED, person.to_dict(), told)
    at = iso(call.parts.clock.now())
    for notice_id in mine:
        await ledger.change_notice(closure, notice_id, lambda notice: notice.update(reachedAt=at))
    stands = judged(gate, call.parts.policy, await ledger.decisions(closure), call.parts.clock.now())
    return {"gate": name, "serial": serial, "state": stands.state, "missing": dict(stands.missing)}


def _person(document: Any) -> Person:
    if not isinstance(document, dict):
        raise _wrong("person", "person must be an object.", "Send {tenantId, objectId, upn}.")
    who = fields(document, PERSON)
    upn = text(who, "upn", most=320).translate(ASCII_SMALL)
    return Person(_guid(who, "tenantId"), _guid(who, "objectId"), upn)


def _guid(document: dict[str, Any], name: str) -> str:
    value = text(document, name, most=36)
    try:
        guid = str(UUID(value))
    except ValueError:
        guid = ""
    if guid != value.lower():
        raise _wrong(f"person.{name}", f"{name} is no GUID.", "Send the id from the person's account.")
    return guid


def _check_time(sent_at: str, now: datetime) -> None:
    moment: datetime | None
    try:
        moment = datetime.fromisoformat(sent_at)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _wrong("sentAt", "sentAt is no time with its zone.", "Send it in ISO 8601, such as 2030-01-31T12:00:00Z.")
    if abs(moment - now) > WINDOW:
        raise refuse(
            409,
            "too-old",
            f"sentAt lies more than {WINDOW.total_seconds() / 60:.0f} minutes from now.",
            "Send the event when it happens, with the right time.",
            field="sentAt",
        )


def _wrong(field: str, detail: str, remedy: str) -> RequestRefused:
    return refuse(400, "invalid-request", detail, remedy, field=field)
