"""A person's word at a gate: checked, written to Records, and only then announced.

The order matters: who is not allowed to decide learns nothing of the state of others; what was decided is on record
before anything wakes, so a crash in between costs a minute (the sweep), never a decision.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import azure.functions as func

from tenantclosure.model.people import Person
from tenantclosure.names import Decision, Gate
from tenantclosure.policy.quorum import evaluate, groups_of
from tenantclosure.ports import JSON
from web.answers import json_answer
from web.body import fields, json_body, text
from web.closures import row_of
from web.problems import refuse
from web.route import Call
from web.waking import waiters, wake

KEYS = frozenset({"decision", "digest", "comment", "domain"})


async def decide(call: Call) -> func.HttpResponse:
    """Approve, veto or revoke at an open gate, over the digest the person saw."""
    row = await row_of(call)
    name = call.req.route_params["gate"]
    if name not in list(Gate):
        known = ", ".join(Gate)
        raise refuse(404, "unknown-gate", f"There is no gate {name[:40]}.", f"Use one of: {known}.", field="gate")
    body = _body(call)
    gate = await _open_gate(call.parts, row, name)
    check_person(call.who, row, gate, call.parts.settings.home_tenant_id)
    if body["digest"] != gate["digest"]:
        raise refuse(
            409,
            "digest-differs",
            "This digest is not the one of the plan that is up for decision.",
            "Read the plan as it is now and decide on its digest.",
            field="digest",
            digest=gate["digest"],
        )
    if name == Gate.DELETE_TENANT and body["decision"] == Decision.APPROVE and body["domain"].lower() != row["domain"]:
        raise refuse(
            400,
            "domain-differs",
            "The typed domain is not the domain of the tenant that is to be deleted.",
            "Type the tenant's domain name exactly as the request names it.",
            field="domain",
        )
    said = {**{key: body[key] for key in ("decision", "digest", "comment")}, "gate": name, "serial": gate["serial"]}
    await call.parts.ledger.decide(row["closureId"], said, call.who)
    await wake(call.client, *waiters(row, row["gate"], gate), row["instanceId"])
    judged = evaluate(gate, await call.parts.ledger.decisions(row["closureId"]), call.parts.clock.now())
    answer = {
        "gate": name,
        "serial": gate["serial"],
        "decision": body["decision"],
        "state": judged.state,
        "missing": dict(judged.missing),
    }
    return json_answer(answer, 202)


def check_person(person: Person, row: JSON, gate: JSON, home: str) -> None:
    """Raise RequestRefused (403) for the requester, for strangers, and for people of the tenant that dies."""
    requester = row["requester"]
    same_account = (
        str(requester.get("tenantId", "")).lower() == person.tenant_id.lower()
        and str(requester.get("objectId", "")).lower() == person.object_id.lower()
    )
    if same_account or str(requester.get("upn", "")).lower() == person.upn.lower():
        raise refuse(
            403, "requester-decides", "You filed this request and can't decide on it.", "Let another approver decide."
        )
    if person.tenant_id.lower() == row["tenantId"].lower():
        raise refuse(
            403,
            "approver-in-target",
            "Your account lives in the tenant that is to be closed.",
            "Let an approver of another tenant decide.",
        )
    if not groups_of(gate, person.upn) or (home and person.tenant_id.lower() != home):
        # A user principal name is only known to be this person's in the tenant whose people the policy names.
        raise refuse(
            403,
            "not-an-approver",
            f"{person.upn} is not among the approvers of this gate.",
            "Let one of the people named in the request decide.",
        )


def _body(call: Call) -> dict[str, Any]:
    document = fields(json_body(call.req), KEYS)
    decision = text(document, "decision", most=20)
    if decision not in list(Decision):
        known = ", ".join(Decision)
        raise refuse(400, "invalid-request", "That is no decision.", f"Use one of: {known}.", field="decision")
    return {
        "decision": decision,
        "digest": text(document, "digest", most=64),
        "comment": text(document, "comment", needed=False),
        "domain": text(document, "domain", most=253, needed=False),
    }


async def _open_gate(parts: Any, row: JSON, name: str) -> JSON:
    told = row["gate"]
    gate = await parts.ledger.gate(row["closureId"], name, told["serial"]) if told and told["name"] == name else None
    if gate is None or gate["state"] != "open":
        current = told["name"] if told else None
        raise refuse(
            409,
            "gate-not-open",
            f"The gate {name} is not open.",
            f"Decide at the gate {current}." if current not in (None, name) else "Follow the closure until it opens.",
            openGate=current,
        )
    if parts.clock.now() > datetime.fromisoformat(gate["answerBy"]):
        raise refuse(
            409,
            "too-late",
            f"The time to answer ended at {gate['answerBy']}.",
            "Nothing happens without approval; file a new request if the tenant still is to be closed.",
            answerBy=gate["answerBy"],
        )
    return gate
