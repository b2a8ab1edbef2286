"""Which people a gate asks: the deployment's policy, tightened by the request and by limits, never loosened."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from tenantclosure.errors import RequestRefused
from tenantclosure.model.approval_policy import ApprovalPolicy, GateRule, Limit
from tenantclosure.model.people import Account
from tenantclosure.model.request import ApproverGroup, ClosureRequest
from tenantclosure.names import Gate
from tenantclosure.policy.quorum import GateState, evaluate, key_of, lacking

GATES = tuple(Gate)
"""Gates whose terms are fixed when the request is taken in."""


def gate_terms(request: ClosureRequest, policy: ApprovalPolicy, gate: str, *, claimed: bool) -> dict[str, Any]:
    """Terms of one gate: {groups: {name: {quorum, people, deputies}}, distinct, answerByDays, executeByDays,
    remindAfterDays, escalateAfterDays}; people and deputies are addresses, in the order of the alphabet.

    `claimed` is True when the requester is only claimed (queue); then one approver more is needed. Raises
    RequestRefused when the request is looser than the policy or can't be met by the people it names.
    """
    rule = policy.rule(gate)
    groups: dict[str, dict[str, Any]] = {}
    for index, asked in enumerate(request.approvers):
        if asked.group in groups:
            raise RequestRefused(
                f"approvers.{index}.group", f"The group {asked.group} is named twice.", "Name each group once."
            )
        _check_group(f"approvers.{index}", asked, policy, rule, gate)
        people = sorted(set(asked.people))
        # who asks over the queue is known by address only, and must not come back as a deputy
        spared = {*people, request.requested_by}
        deputies = sorted(set(policy.deputies.get(asked.group, [])) - spared)
        groups[asked.group] = {"quorum": asked.quorum, "people": people, "deputies": deputies}
    absent = [name for name in rule.groups if name not in groups]
    if absent:
        raise RequestRefused(
            "approvers",
            f"The approval policy asks for the group {absent[0]} at the gate {gate}.",
            f"Add the group {absent[0]} with people from the policy.",
            kind="looser-than-policy",
        )
    distinct = max(rule.distinct, _seats(groups)) + (1 if claimed else 0)
    why = _unreachable(groups, distinct, _standing(groups))
    if why:
        raise RequestRefused(
            "approvers",
            f"At the gate {gate} {why}.",
            "Name more approvers" + (": a request over the queue needs one more." if claimed else "."),
            kind="quorum-unreachable",
        )
    return {
        "groups": groups,
        "distinct": distinct,
        "answerByDays": rule.answer_by_days,
        "executeByDays": rule.execute_by_days,
        "remindAfterDays": sorted(rule.remind_after_days),
        "escalateAfterDays": rule.escalate_after_days,
    }


def terms_of(row: Mapping[str, Any], gate: str) -> dict[str, Any]:
    """The closure's terms of a gate; a closure from before there were rollbacks asks as it asked about its plan."""
    terms: Mapping[str, dict[str, Any]] = row["terms"]
    return terms[Gate.PLAN] if gate == Gate.ROLLBACK and gate not in terms else terms[gate]


def _check_group(where: str, asked: ApproverGroup, policy: ApprovalPolicy, rule: GateRule, gate: str) -> None:
    if policy.groups is not None:
        allowed = policy.groups.get(asked.group)
        if allowed is None:
            raise RequestRefused(
                f"{where}.group",
                f"The approval policy has no group {asked.group}.",
                f"Use one of: {', '.join(sorted(policy.groups))}.",
                kind="looser-than-policy",
            )
        strangers = sorted(set(asked.people) - set(allowed))
        if strangers:
            raise RequestRefused(
                f"{where}.people",
                f"{strangers[0]} is not in the policy's group {asked.group}.",
                "Name only people the approval policy lists.",
                kind="looser-than-policy",
            )
    least = rule.groups.get(asked.group, 1)
    if asked.quorum < least:
        raise RequestRefused(
            f"{where}.quorum",
            f"The approval policy asks for at least {least} of {asked.group} at the gate {gate}.",
            f"Set quorum to {least} or more.",
            kind="looser-than-policy",
        )
    if asked.quorum > len(set(asked.people)):
        raise RequestRefused(
            f"{where}.quorum",
            f"A quorum of {asked.quorum} can't be reached by {len(set(asked.people))} people.",
            "Name more people or lower the quorum.",
            kind="quorum-unreachable",
        )


def check_separation(request: ClosureRequest, requester_upn: str, tenant_domains: frozenset[str]) -> None:
    """Requester and approvers are different people, and none of them lives in the tenant that dies.

    Raises RequestRefused.
    """
    if requester_upn.lower().rpartition("@")[2] in tenant_domains:
        raise RequestRefused(
            "requestedBy",
            f"The requester {requester_upn} lives in the tenant that is to be closed.",
            "Let someone of another tenant file the request.",
            status=403,
            kind="requester-in-target",
        )
    for index, group in enumerate(request.approvers):
        for person in group.people:
            if person == requester_upn.lower():
                raise self_approval(index, person)
            if person.rpartition("@")[2] in tenant_domains:
                raise RequestRefused(
                    f"approvers.{index}.people",
                    f"{person} lives in the tenant that is to be closed.",
                    "Name approvers whose accounts outlive the tenant.",
                    kind="approver-in-target",
                )


def self_approval(index: int, upn: str) -> RequestRefused:
    """The refusal when `upn` of the request's group number `index` is the requester."""
    return RequestRefused(
        f"approvers.{index}.people",
        f"{upn} files the request and can't approve it.",
        "Name another approver.",
        kind="requester-approves",
    )


def exceeded(policy: ApprovalPolicy, *, objects: int, share: float, tenants: int) -> list[Limit]:
    """The limits that a closure is above, each narrowed to what it exceeds; `Limit.sentences` puts them into words.

    `objects` are the plan's items, `share` the planned users as a share of all users (0 to 1), `tenants` the closures
    that are live at once, this one included.
    """
    found = (limit.beyond(objects=objects, share=share, tenants=tenants) for limit in policy.limits)
    return [limit for limit in found if limit is not None]


def tightened(terms: Mapping[str, Any], policy: ApprovalPolicy, limits_exceeded: Iterable[Limit]) -> dict[str, Any]:
    """The terms with what the limits ask for on top; the same terms again when they hold it already.

    A limit adds its groups with the policy's people, or raises the quorum of a group that is there. Where the request
    named fewer people of that group than the limit asks for, the policy's other people join them. The seats that are
    added are for other people: `distinct` grows by them, up to the number of people there are.
    """
    groups = {name: dict(group) for name, group in terms["groups"].items()}
    before = _seats(groups)
    for limit in limits_exceeded:
        for name, quorum in limit.groups.items():
            group = groups.setdefault(name, {"quorum": 0, "people": [], "deputies": policy.deputies.get(name, [])})
            group["quorum"] = max(group["quorum"], quorum)
            if len(group["people"]) < quorum:
                group["people"] = sorted({*group["people"], *(policy.groups or {})[name]})
            group["deputies"] = sorted(set(group["deputies"]) - set(group["people"]))
    distinct, seats = terms["distinct"], _seats(groups)
    grown = min(distinct + seats - before, len(_standing(groups)))
    return {**terms, "groups": groups, "distinct": max(distinct, grown)}


def named(terms: Mapping[str, Any]) -> list[str]:
    """Every address the terms name, people and deputies, once each: whose accounts `resolved` wants to see."""
    return sorted({upn for group in terms["groups"].values() for upn in (*group["people"], *group["deputies"])})


def resolved(
    terms: Mapping[str, Any], accounts: Mapping[str, Account | None] | None, home: str
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The terms' groups with persons {tenantId, objectId, upn, name, mail} in place of addresses, and who is absent.

    `accounts` holds what the hosting tenant's directory knows of each address of `named`; None when no directory can
    be asked (rehearsal): then everybody is there, without an object id. `absent` lists {upn, group, why} for people
    and deputies without a usable account; `upn` of a person is always the address that the terms name.
    """
    groups: dict[str, Any] = {}
    absent: list[dict[str, str]] = []
    for name, group in terms["groups"].items():
        there: dict[str, list[dict[str, str]]] = {"people": [], "deputies": []}
        known: dict[str, str] = {}
        for role, persons in there.items():
            for upn in group[role]:
                if accounts is None:
                    persons.append({"tenantId": home, "objectId": "", "upn": upn, "name": "", "mail": upn})
                    continue
                account = accounts.get(upn)
                why = why_absent(account, home)
                if account is not None and not why:
                    person = {**account.to_dict(), "upn": upn, "mail": account.mail or upn}
                    other = known.setdefault(key_of(person), upn)
                    if other == upn:
                        persons.append(person)
                        continue
                    why = f"is the same person as {other}"
                absent.append({"upn": upn, "group": name, "why": why})
        groups[name] = {"quorum": group["quorum"], **there}
    return groups, absent


def why_absent(account: Account | None, home: str) -> str:
    """Why somebody with this account can't be asked, to follow the address in a sentence; empty when they can be."""
    if account is None or not account.object_id:
        return "has no account in the hosting tenant"
    if home and account.tenant_id.lower() != home.lower():
        return "has an account in another tenant than the hosting one"
    return "" if account.enabled else "has an account that is disabled"


def unreachable(groups: Mapping[str, Any], distinct: int, excluded: Collection[str | None]) -> str | None:
    """One sentence when the people of resolved `groups` can't fill every seat, or are too few; otherwise None.

    Two addresses of one account are one person; persons whose key is in `excluded` don't count, and deputies neither.
    """
    out = {key.lower() for key in excluded if key}
    standing: dict[str, set[str]] = {}
    for name, group in groups.items():
        for person in group["people"]:
            key = key_of(person) if person["objectId"] else f"{person['tenantId']}/{person['upn']}".lower()
            if key not in out:
                standing.setdefault(key, set()).add(name)
    why = _unreachable(groups, distinct, standing)
    return f"{why[:1].upper()}{why[1:]}." if why else None


def judged(
    gate: Mapping[str, Any], policy: ApprovalPolicy, decisions: Iterable[Mapping[str, Any]], now: datetime
) -> GateState:
    """The gate as of now: its decisions, of those people whom the policy file still lists (quorum.evaluate)."""
    return evaluate(still_allowed(gate, policy), decisions, now)


def still_allowed(gate: Mapping[str, Any], policy: ApprovalPolicy) -> dict[str, Any]:
    """A copy of the gate without people and deputies whom the policy file no longer lists for their group."""
    if policy.groups is None:
        return dict(gate)
    groups = {}
    for name, group in gate["groups"].items():
        listed = {*policy.groups.get(name, []), *policy.deputies.get(name, [])}
        kept = {role: [one for one in group[role] if one["upn"].lower() in listed] for role in ("people", "deputies")}
        groups[name] = {**group, **kept}
    return {**gate, "groups": groups}


def _seats(groups: Mapping[str, Any]) -> int:
    return sum(int(group["quorum"]) for group in groups.values())


def _standing(groups: Mapping[str, Any]) -> dict[str, set[str]]:
    """Address -> the groups in which it stands."""
    standing: dict[str, set[str]] = {}
    for name, group in groups.items():
        for upn in group["people"]:
            standing.setdefault(upn, set()).add(name)
    return standing


def _unreachable(groups: Mapping[str, Any], distinct: int, standing: Mapping[str, Collection[str]]) -> str:
    """Half a sentence, in small letters; empty when the people suffice."""
    missing = lacking({name: group["quorum"] for name, group in groups.items()}, standing)
    for name, seats in missing.items():
        quorum, people = groups[name]["quorum"], sum(name in stands for stands in standing.values())
        if people < quorum:
            return f"{quorum} of {name} have to agree, but {people} can"
        return f"{quorum} of {name} have to agree, but {quorum - seats} can, since nobody counts for two groups"
    if len(standing) < distinct:
        return f"{distinct} different people have to agree, but {len(standing)} can"
    return ""
