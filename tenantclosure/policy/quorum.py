"""Whether a gate is open, approved, vetoed or expired: a pure function over its decisions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tenantclosure.names import Decision

DISTINCT = "distinct"
"""Key of `missing` for people who are lacking over all groups."""


@dataclass(frozen=True, slots=True)
class GateState:
    """`state` is open, approved, vetoed or expired; `missing` tells per group how many seats are still empty, and under
    `distinct` how many different people are lacking over all groups. `approvals` are keys of persons.
    """

    state: str
    missing: Mapping[str, int]
    approvals: tuple[str, ...]


def evaluate(gate: Mapping[str, Any], decisions: Iterable[Mapping[str, Any]], now: datetime) -> GateState:
    """Judge a gate.

    `gate` holds gate, serial, digest, answerBy (ISO), distinct, excluded (keys of persons) and groups {name: {quorum,
    people}}; each decision holds gate, serial, digest, decision, at (ISO) and person {tenantId, objectId, upn}.

    Silence is a no: past answer-by without a quorum the gate is expired. Only decisions over this very digest and
    serial, by people of the gate who are not excluded, count; the last word of a person counts; any veto ends it. One
    person fills one seat, even if named in several groups or under several addresses. An approval must be said by the
    answer-by date. A revocation or a veto counts whenever it is said, for an approval may be taken back until it has
    been used.
    """
    answer_by = datetime.fromisoformat(gate["answerBy"])
    last: dict[str, Mapping[str, Any]] = {}
    for decision in sorted(decisions, key=_order):
        fits = all(decision[name] == gate[name] for name in ("gate", "serial", "digest"))
        late = decision["decision"] == Decision.APPROVE and datetime.fromisoformat(decision["at"]) > answer_by
        if not fits or late or not groups_of(gate, decision["person"]):
            continue
        if decision["decision"] == Decision.VETO:
            return GateState("vetoed", {}, ())
        last[key_of(decision["person"])] = decision
    agreed = {
        key: groups_of(gate, decision["person"])
        for key, decision in last.items()
        if decision["decision"] == Decision.APPROVE
    }
    missing = lacking({name: group["quorum"] for name, group in gate["groups"].items()}, agreed)
    if len(agreed) < gate["distinct"]:
        missing[DISTINCT] = gate["distinct"] - len(agreed)
    approvals = tuple(sorted(agreed))
    if not missing:
        return GateState("approved", {}, approvals)
    return GateState("expired" if now > answer_by else "open", missing, approvals)


def groups_of(gate: Mapping[str, Any], person: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the gate's groups among whose people this person {tenantId, objectId, upn} stands; () if excluded."""
    if key_of(person) in {key.lower() for key in gate["excluded"] if key}:
        return ()
    return tuple(
        name for name, group in gate["groups"].items() if any(_same(named, person) for named in group["people"])
    )


def lacking(quorums: Mapping[str, int], standing: Mapping[str, Collection[str]]) -> dict[str, int]:
    """Seats that stay empty per group, when as many as possible are filled and one person fills one seat at most.

    `standing` tells for each person (any key) the groups in which they stand. Which group is told to lack somebody
    who could sit in either is settled by the order of names, never by the order of the arguments.
    """
    sitting: dict[str, list[str]] = {name: [] for name in quorums}

    def seat(person: str, tried: set[str]) -> bool:
        for name in sorted(set(standing[person]) - tried):
            tried.add(name)
            if len(sitting[name]) < quorums[name]:
                sitting[name].append(person)
                return True
            for other in tuple(sitting[name]):
                if seat(other, tried):
                    sitting[name][sitting[name].index(other)] = person
                    return True
        return False

    for person in sorted(standing):
        seat(person, set())
    return {name: quorums[name] - len(sitting[name]) for name in quorums if len(sitting[name]) < quorums[name]}


def key_of(person: Mapping[str, Any]) -> str:
    """What makes two persons the same one: tenant id and object id, never the address."""
    return f"{person['tenantId']}/{person['objectId']}".lower()


def _same(named: Mapping[str, Any], person: Mapping[str, Any]) -> bool:
    """Whether `person` is the one a gate names. One who was never looked up (objectId "": only in a rehearsal) is known
    by address and tenant, or by address alone when the hosting tenant has no id.
    """
    if named["objectId"]:
        return key_of(named) == key_of(person)
    tenant = named["tenantId"].lower()
    return named["upn"].lower() == person["upn"].lower() and tenant in ("", person["tenantId"].lower())


def _order(decision: Mapping[str, Any]) -> tuple[datetime, str, str, str]:
    """By time; of two words at one moment the stronger one is the last (approve, revoke, veto)."""
    at = datetime.fromisoformat(decision["at"])
    return at, str(decision["decision"]), key_of(decision["person"]), str(decision["person"]["upn"])
