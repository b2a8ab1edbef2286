"""Whether a gate is open, approved, vetoed or expired: a pure function over its decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tenantclosure.names import Decision


@dataclass(frozen=True, slots=True)
class GateState:
    """`state` is open, approved, vetoed or expired; `missing` tells per group how many people still have to approve."""

    state: str
    missing: Mapping[str, int]
    approvals: tuple[str, ...]


def evaluate(gate: Mapping[str, Any], decisions: Iterable[Mapping[str, Any]], now: datetime) -> GateState:
    """Judge a gate.

    `gate` holds digest, answerBy (ISO), distinct, requester (tenant id/object id) and groups {name: {quorum, people}};
    each decision holds gate, serial, digest, decision, at (ISO) and person {tenantId, objectId, upn}. Silence is a no:
    past answer-by without a quorum the gate is expired. Only decisions over this very digest and serial, by people of
    the gate, given in time, count; the last word of a person counts; any veto ends it. One person counts once, even if
    named in several groups by address.
    """
    answer_by = datetime.fromisoformat(gate["answerBy"])
    last: dict[str, Mapping[str, Any]] = {}
    for decision in sorted(decisions, key=lambda d: (d["at"], d["decision"], _key(d["person"]), d["person"]["upn"])):
        fits = (
            decision["gate"] == gate["gate"]
            and decision["serial"] == gate["serial"]
            and decision["digest"] == gate["digest"]
            and datetime.fromisoformat(decision["at"]) <= answer_by
        )
        person = decision["person"]
        stranger = not groups_of(gate, person["upn"]) or _key(person) == gate.get("requester")
        if not fits or stranger:
            continue
        if decision["decision"] == Decision.VETO:
            return GateState("vetoed", {}, ())
        last[_key(decision["person"])] = decision
    agreed = {key: d for key, d in last.items() if d["decision"] == Decision.APPROVE}
    missing: dict[str, int] = {}
    for name, group in gate["groups"].items():
        have = sum(1 for d in agreed.values() if name in groups_of(gate, d["person"]["upn"]))
        if have < group["quorum"]:
            missing[name] = group["quorum"] - have
    if len(agreed) < gate["distinct"]:
        missing["distinct"] = gate["distinct"] - len(agreed)
    approvals = tuple(sorted(agreed))
    if not missing:
        return GateState("approved", {}, approvals)
    return GateState("expired" if now > answer_by else "open", missing, approvals)


def groups_of(gate: Mapping[str, Any], upn: str) -> tuple[str, ...]:
    """Names of the gate's groups this person belongs to."""
    return tuple(name for name, group in gate["groups"].items() if upn.lower() in group["people"])


def _key(person: Mapping[str, Any]) -> str:
    return f"{person['tenantId'].lower()}/{person['objectId'].lower()}"
