"""Which people a gate asks: the deployment's policy, tightened by the request, never loosened."""

from __future__ import annotations

from typing import Any

from tenantclosure.errors import RequestRefused
from tenantclosure.model.approval_policy import ApprovalPolicy
from tenantclosure.model.request import ClosureRequest
from tenantclosure.names import Gate


def gate_terms(request: ClosureRequest, policy: ApprovalPolicy, gate: str, *, claimed: bool) -> dict[str, Any]:
    """Terms of one gate: {groups: {name: {quorum, people}}, distinct, answerByDays, executeByDays}.

    `claimed` is True when the requester is only claimed (queue); then one approver more is needed. Raises
    RequestRefused when the request is looser than the policy or can't be met by its people.
    """
    rule = policy.rule(gate)
    groups: dict[str, dict[str, Any]] = {}
    for index, asked in enumerate(request.approvers):
        where = f"approvers.{index}"
        people = sorted(set(asked.people))
        if asked.group in groups:
            raise RequestRefused(f"{where}.group", f"The group {asked.group} is named twice.", "Name each group once.")
        if policy.groups is not None:
            allowed = policy.groups.get(asked.group)
            if allowed is None:
                raise RequestRefused(
                    f"{where}.group",
                    f"The approval policy has no group {asked.group}.",
                    f"Use one of: {', '.join(sorted(policy.groups))}.",
                    kind="looser-than-policy",
                )
            strangers = [person for person in people if person not in allowed]
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
        if asked.quorum > len(people):
            raise RequestRefused(
                f"{where}.quorum",
                f"A quorum of {asked.quorum} can't be reached by {len(people)} people.",
                "Name more people or lower the quorum.",
                kind="quorum-unreachable",
            )
        groups[asked.group] = {"quorum": asked.quorum, "people": people}
    absent = [name for name in rule.groups if name not in groups]
    if absent:
        raise RequestRefused(
            "approvers",
            f"The approval policy asks for the group {absent[0]} at the gate {gate}.",
            f"Add the group {absent[0]} with people from the policy.",
            kind="looser-than-policy",
        )
    everyone = {person for group in groups.values() for person in group["people"]}
    distinct = max(rule.distinct, sum_of_quorums(groups)) + (1 if claimed else 0)
    if distinct > len(everyone):
        raise RequestRefused(
            "approvers",
            f"The gate {gate} needs {distinct} different people, but only {len(everyone)} are named.",
            "Name more approvers" + (": a request over the queue needs one more." if claimed else "."),
            kind="quorum-unreachable",
        )
    return {
        "groups": groups,
        "distinct": distinct,
        "answerByDays": rule.answer_by_days,
        "executeByDays": rule.execute_by_days,
    }


def sum_of_quorums(groups: dict[str, dict[str, Any]]) -> int:
    """People needed when nobody stands in two groups; the number of all people where fewer exist."""
    everyone = {person for group in groups.values() for person in group["people"]}
    return min(sum(int(group["quorum"]) for group in groups.values()), len(everyone))


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
                raise RequestRefused(
                    f"approvers.{index}.people",
                    f"{person} files the request and can't approve it.",
                    "Name another approver.",
                    kind="requester-approves",
                )
            if person.rpartition("@")[2] in tenant_domains:
                raise RequestRefused(
                    f"approvers.{index}.people",
                    f"{person} lives in the tenant that is to be closed.",
                    "Name approvers whose accounts outlive the tenant.",
                    kind="approver-in-target",
                )


GATES = (Gate.PLAN, Gate.GO_ON, Gate.DELETE_TENANT)
