"""A person's word at a gate: checked, written to Records, and only then announced. Every door ends here.

The order matters: who is not allowed to decide learns nothing of the state of others; everything is checked before
anything is written; what was decided is on record before anything wakes, so a crash in between costs a minute (the
sweep), never a decision.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import azure.functions as func

from tenantclosure.errors import RailBroken
from tenantclosure.model.people import Person
from tenantclosure.model.request import MAX_BYTES
from tenantclosure.names import Decision, Status
from tenantclosure.policy.approvers import judged
from tenantclosure.policy.quorum import GateState
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts
from web.answers import json_answer
from web.body import fields, json_body, text
from web.checks import (
    check_account,
    check_person,
    check_plan,
    check_state,
    check_teams,
    check_words,
    gate_name,
    gate_of,
)
from web.closures import MOST_SERIAL, row_of
from web.problems import refuse
from web.route import Call
from web.waking import waiters, wake, wake_closure

KEYS = frozenset({"decision", "digest", "comment", "domain", "serial"})
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Said:
    """What a body or form says; `serial` is None when it names none."""

    word: str
    digest: str
    comment: str
    domain: str
    serial: int | None


async def decide(call: Call) -> func.HttpResponse:
    """Approve, veto or revoke over the digest the person saw."""
    row = await row_of(call)
    call.trail.closure, name = row["closureId"], gate_name(call.req.route_params["gate"])
    said = said_in(fields(json_body(call.req), KEYS))
    answer = await say(
        call.parts,
        call.client,
        row,
        name,
        call.who,
        said.word,
        serial=said.serial,
        digest=said.digest,
        comment=said.comment,
        domain=said.domain,
        via="api",
    )
    return json_answer(answer, 202)


def said_in(document: dict[str, Any]) -> Said:
    """A decision as a JSON body or a form carries it. Raises RequestRefused (400)."""
    decision = text(document, "decision", most=20)
    if decision not in list(Decision):
        known = ", ".join(Decision)
        raise refuse(400, "invalid-request", "That is no decision.", f"Use one of: {known}.", field="decision")
    digest = digest_in(document)
    comment = text(document, "comment", most=MAX_BYTES, needed=False)  # `say` bounds it for every door
    domain = text(document, "domain", most=253, needed=False)
    return Said(decision, digest, comment, domain, serial_in(document))


def digest_in(document: dict[str, Any]) -> str:
    """The plan's digest a body names. Raises RequestRefused (400)."""
    digest = text(document, "digest", most=64)
    if not DIGEST.fullmatch(digest):
        detail = "The digest is not 64 hexadecimal digits in small letters."
        raise refuse(400, "invalid-request", detail, "Send the digest that the gate shows.", field="digest")
    return digest


def serial_in(document: dict[str, Any]) -> int | None:
    """The gate's serial a body names, as a JSON number or the digits of a form; None when it names none."""
    value = document.get("serial")
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 3:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_SERIAL:
        remedy = "Send the serial that the gate shows."
        raise refuse(400, "invalid-request", f"serial is no number from 1 to {MOST_SERIAL}.", remedy, field="serial")
    return value


async def say(
    parts: Parts,
    client: Any,
    row: JSON,
    name: str,
    person: Person,
    word: str,
    *,
    serial: int | None,
    digest: str,
    comment: str,
    domain: str,
    via: str,
    use: Callable[[], Awaitable[None]] | None = None,
) -> JSON:
    """Take a person's decision at the gate `name`; returns {gate, serial, decision, state, missing}.

    `use` is called after all checks and before the first write, and may raise to give up (a link or nonce that is used
    up). Raises RequestRefused, and ServiceTrouble when the person's account can't be looked up.
    """
    gate = await gate_of(parts, row, name)
    if via == "teams":
        check_teams(parts, name, word)
    check_person(parts, row, gate, person)
    if gate is not None:
        await check_account(parts, gate, person)
    gate = await check_state(parts, row, gate, name)
    check_plan(gate, serial, digest)
    check_words(row, gate, word, comment, domain)
    if use is not None:
        await use()
    said = {"decision": word, "digest": digest, "comment": comment, "gate": name, "serial": gate["serial"], "via": via}
    await parts.ledger.decide(row["closureId"], said, person)
    stands = await _take_effect(parts, client, row, gate, person, word)
    return {
        "gate": name,
        "serial": gate["serial"],
        "decision": word,
        "state": stands.state,
        "missing": dict(stands.missing),
    }


async def _take_effect(parts: Parts, client: Any, row: JSON, gate: JSON, person: Person, word: str) -> GateState:
    """Open an approved gate again if the approvals no longer add up, wake whoever waits, and judge."""
    closure, name, serial = row["closureId"], gate["gate"], gate["serial"]
    # Read again: it may have been closed as approved while this word was being written.
    fresh = await parts.ledger.gate(closure, name, serial) or gate
    try:
        said = await parts.ledger.decisions(closure)
    except RailBroken:
        await wake(client, *waiters(row, row["gate"], gate), row["instanceId"])  # it meets the same rail, and ends
        raise
    stands = judged(fresh, parts.policy, said, parts.clock.now())
    if fresh["state"] != "approved" or stands.state == "approved":
        await wake(client, *waiters(row, row["gate"], gate), row["instanceId"])
        return stands
    why = {Decision.VETO: "vetoed", Decision.REVOKE: "took the approval back"}.get(Decision(word), "spoke again")
    again = await parts.ledger.reopen_gate(closure, name, serial, f"{person.upn} {why}.")
    await wake_closure(client, parts.ledger, await _show_again(parts, closure, again))
    return judged(again, parts.policy, said, parts.clock.now())


async def _show_again(parts: Parts, closure: str, gate: JSON) -> JSON:
    """Put the gate on the closure's row; whoever waits there next puts its own instance in."""
    shown = {"name": gate["gate"], **{key: gate[key] for key in ("serial", "digest", "answerBy", "executeBy")}}

    def edit(row: JSON) -> None:
        # Where another gate is waited at, it stays: its instance has to be found by the sweep.
        if row["status"] == Status.ENDED or row["gate"] or row["planSerial"] != gate["serial"]:
            return
        row["gate"] = {**shown, "instance": row["instanceId"]}
        if row["status"] != Status.PAUSED:
            row["status"] = Status.WAITING_APPROVAL

    return await parts.ledger.change(closure, edit)
