"""Whether a person's word is taken at a gate: who may decide, over which plan, until when. Nothing here writes."""

from __future__ import annotations

from datetime import datetime

from tenantclosure import names
from tenantclosure.errors import RequestRefused
from tenantclosure.model.people import Person
from tenantclosure.names import Decision, Gate, Status
from tenantclosure.policy.approvers import still_allowed
from tenantclosure.policy.quorum import groups_of, key_of
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts
from web.body import COMMENT
from web.problems import refuse


def gate_name(name: str) -> str:
    """The gate of a path or body. Raises RequestRefused (404)."""
    if name not in list(Gate):
        known = ", ".join(Gate)
        raise refuse(404, "unknown-gate", f"There is no gate {name[:40]}.", f"Use one of: {known}.", field="gate")
    return name


async def gate_of(parts: Parts, row: JSON, name: str) -> JSON | None:
    """The gate of this name over the plan as it is now; None before it opens."""
    told = row["gate"]
    serial = told["serial"] if told and told["name"] == name else row["planSerial"]
    return await parts.ledger.gate(row["closureId"], name, serial)


def check_teams(parts: Parts, name: str, word: str) -> None:
    """Raise RequestRefused (403) unless the policy lets a Teams workflow take this word at this gate."""
    may = name == Gate.GO_ON and parts.policy.rule(name).decide_in_teams and word in (Decision.APPROVE, Decision.VETO)
    if not may:
        raise refuse(
            403,
            "teams-may-not-decide",
            f"{word.capitalize()} at the gate {name} is not taken from a Teams workflow.",
            "Decide on the gate's page.",
        )


def check_person(parts: Parts, row: JSON, gate: JSON | None, person: Person) -> None:
    """Raise RequestRefused (403) for the requester, for operators of this closure, for people of the tenant that dies
    and for strangers; before the gate has opened nobody can be told a stranger.
    """
    requester = row["requester"]
    same_account = requester.get("objectId") and key_of(requester) == person.key
    if same_account or str(requester.get("upn", "")).lower() == person.upn.lower():
        raise refuse(
            403, "requester-decides", "You filed this request and can't decide on it.", "Let another approver decide."
        )
    if person.key in (row.get("operators") or ()):
        raise refuse(
            403,
            "operator-decides",
            "You steered this closure and can't decide on it.",
            "Let another approver decide; you can still pause or abort it.",
        )
    if person.tenant_id.lower() == row["tenantId"].lower():
        raise refuse(
            403,
            "approver-in-target",
            "Your account lives in the tenant that is to be closed.",
            "Let an approver of another tenant decide.",
        )
    if gate is None:
        return
    home = parts.settings.home_tenant_id
    if named_at(gate, person) is None or (home and person.tenant_id.lower() != home):
        raise refuse(
            403,
            "not-an-approver",
            f"{person.upn} is not among the approvers of this gate.",
            "Let one of the people named in the request decide.",
        )
    if not groups_of(still_allowed(gate, parts.policy), person.to_dict()):
        raise _removed(f"The approval policy no longer lists {person.upn} for this gate.")


async def check_account(parts: Parts, gate: JSON, person: Person) -> None:
    """Raise RequestRefused (403) unless the person's account is still there and enabled; ServiceTrouble when nobody
    can say.
    """
    named = named_at(gate, person)
    if parts.people is None or named is None:
        return
    # The gate keeps the address the policy names; somebody renamed since is found by the one of the sign-in.
    for upn in dict.fromkeys((named["upn"], person.upn)):
        account = await parts.people.find(upn)
        if account is not None and account.object_id.lower() == person.object_id.lower():
            if account.enabled:
                return
            break
    raise _removed(f"The account of {person.upn} is no longer there, or is disabled.")


def must_live(row: JSON) -> None:
    """Raise RequestRefused (409) for a closure that has ended."""
    if row["status"] == Status.ENDED:
        raise refuse(
            409,
            "closure-ended",
            f"This closure has ended ({row['result']}).",
            "Read its report, or file a new request.",
            result=row["result"],
        )


async def check_state(parts: Parts, row: JSON, gate: JSON | None, name: str) -> JSON:
    """The gate, if it takes decisions now: it is open, or approved and not yet carried out. Raises RequestRefused
    (409).
    """
    must_live(row)
    if gate is None or gate["state"] not in ("open", "approved"):
        current = row["gate"]["name"] if row["gate"] else None
        was = f"is {gate['state']}" if gate else "is not open"
        raise refuse(
            409,
            "gate-not-open",
            f"The gate {name} {was}.",
            f"Decide at the gate {current}." if current not in (None, name) else "Follow the closure until it opens.",
            openGate=current,
        )
    if gate["state"] == "approved":
        if await parts.ledger.mark(row["closureId"], names.HAND_OVER_BEGUN, row["planSerial"]):
            raise refuse(
                409,
                "carried-out",
                "What was approved has been carried out; the tenant is being handed over.",
                "Nothing can be taken back any more.",
            )
    elif parts.clock.now() > datetime.fromisoformat(gate["answerBy"]):
        raise refuse(
            409,
            "too-late",
            f"The time to answer ended at {gate['answerBy']}.",
            "Nothing happens without approval; file a new request if the tenant still is to be closed.",
            answerBy=gate["answerBy"],
        )
    return gate


def named_at(gate: JSON, person: Person) -> JSON | None:
    """The entry of the gate that this person is: {tenantId, objectId, upn, name, mail}; None for a stranger."""
    who = person.to_dict()
    for name in groups_of(gate, who):
        for named in gate["groups"][name]["people"]:
            if named["objectId"]:
                if key_of(named) == person.key:
                    return dict(named)
            # Letters that only look alike when folded (a Kelvin sign) make no approver.
            elif named["upn"] == person.upn:
                return dict(named)
    return None


def check_plan(gate: JSON, serial: int | None, digest: str) -> None:
    """Raise RequestRefused (409) unless this is the plan that is up for decision."""
    if serial is not None and serial != gate["serial"]:
        raise refuse(
            409,
            "serial-differs",
            f"The plan that is up for decision has the serial {gate['serial']}, not {serial}.",
            "Read the plan as it is now and decide on it.",
            field="serial",
            serial=gate["serial"],
        )
    if digest != gate["digest"]:
        raise refuse(
            409,
            "digest-differs",
            "This digest is not the one of the plan that is up for decision.",
            "Read the plan as it is now and decide on its digest.",
            field="digest",
            digest=gate["digest"],
        )


def check_words(row: JSON, gate: JSON, word: str, comment: str, domain: str) -> None:
    """Raise RequestRefused (400) for a comment that is too long, and at the last gate for an approval without the
    tenant's domain.
    """
    if len(comment) > COMMENT:
        raise refuse(
            400,
            "invalid-request",
            f"comment is longer than {COMMENT} characters.",
            f"Shorten comment to {COMMENT} characters.",
            field="comment",
        )
    last = gate["gate"] == Gate.DELETE_TENANT and word == Decision.APPROVE
    if last and domain.strip().lower() != row["domain"].lower():
        raise refuse(
            400,
            "domain-differs",
            "The typed domain is not the domain of the tenant that is to be deleted.",
            "Type the tenant's domain name exactly as the request names it.",
            field="domain",
        )


def _removed(detail: str) -> RequestRefused:
    return refuse(403, "approver-removed", detail, "Let another approver decide.")
