"""Who is asked at a gate: a request can tighten the deployment's policy and never loosen it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.errors import RequestRefused
from tenantclosure.model.approval_policy import ApprovalPolicy
from tenantclosure.policy.approvers import check_separation, gate_terms
from tests.policy.people import PEOPLE, request

GROUPS = ("it", "owner", "legal")


@st.composite
def policies(draw: Any) -> ApprovalPolicy:
    groups = {name: draw(st.lists(st.sampled_from(PEOPLE), min_size=1, unique=True)) for name in GROUPS}
    asked = draw(st.lists(st.sampled_from(GROUPS), unique=True))
    rule = {
        "groups": {name: draw(st.integers(1, len(groups[name]))) for name in asked},
        "distinct": draw(st.integers(1, 5)),
        "answerByDays": draw(st.floats(0.5, 30)),
        "executeByDays": draw(st.floats(0.5, 30)),
    }
    return ApprovalPolicy.model_validate({"groups": groups, "gates": {"plan": rule}})


asked_groups = st.lists(
    st.fixed_dictionaries(
        {
            "group": st.sampled_from([*GROUPS, "strangers"]),
            "quorum": st.integers(1, 4),
            "people": st.lists(st.sampled_from([*PEOPLE, "eve@evil.com"]), min_size=1, max_size=5),
        }
    ),
    min_size=1,
    max_size=4,
)


@given(policies(), asked_groups, st.booleans())
def test_a_request_only_tightens(policy: ApprovalPolicy, asked: list[dict[str, Any]], claimed: bool) -> None:
    """Terms that come out are at least the policy's in every respect and can be met by the people named."""
    rule = policy.rule("plan")
    try:
        terms = gate_terms(request(approvers=asked), policy, "plan", claimed=claimed)
    except RequestRefused as refused:
        assert refused.field.startswith("approvers")
        assert refused.remedy
        return
    assert policy.groups is not None
    assert terms["distinct"] >= rule.distinct + claimed
    assert set(rule.groups) <= set(terms["groups"])
    assert (terms["answerByDays"], terms["executeByDays"]) == (rule.answer_by_days, rule.execute_by_days)
    for name, group in terms["groups"].items():
        assert rule.groups.get(name, 1) <= group["quorum"] <= len(set(group["people"]))
        assert set(group["people"]) <= set(policy.groups[name])
    assert terms["distinct"] <= len({person for group in terms["groups"].values() for person in group["people"]})


POLICY = ApprovalPolicy.model_validate(
    {
        "groups": {"it": PEOPLE[:2], "owner": PEOPLE[2:4]},
        "gates": {"plan": {"groups": {"it": 1, "owner": 1}, "distinct": 2}},
    }
)
IT = {"group": "it", "quorum": 1, "people": list(PEOPLE[:2])}
OWNER = {"group": "owner", "quorum": 1, "people": [PEOPLE[2]]}


def test_what_the_policy_asks_for_is_admitted() -> None:
    """A request that is exactly as strict as the policy passes, at gates with and without a rule."""
    for gate in ("plan", "delete-tenant"):
        terms = gate_terms(request(approvers=[IT, OWNER]), POLICY, gate, claimed=False)
        assert terms["distinct"] == 2


@pytest.mark.parametrize(
    ("approvers", "field", "kind"),
    [
        ([IT], "approvers", "looser-than-policy"),
        ([IT, IT, OWNER], "approvers.1.group", "invalid-request"),
        (
            [IT, OWNER, {"group": "board", "quorum": 1, "people": [PEOPLE[4]]}],
            "approvers.2.group",
            "looser-than-policy",
        ),
        ([{**IT, "people": [PEOPLE[4]]}, OWNER], "approvers.0.people", "looser-than-policy"),
        ([{**IT, "quorum": 3}, OWNER], "approvers.0.quorum", "quorum-unreachable"),
        ([{**IT, "quorum": 2, "people": [PEOPLE[0], PEOPLE[0]]}, OWNER], "approvers.0.quorum", "quorum-unreachable"),
    ],
)
def test_a_looser_request_is_refused(approvers: list[dict[str, Any]], field: str, kind: str) -> None:
    """Each way of asking less than the policy names the field and says what to do."""
    with pytest.raises(RequestRefused) as caught:
        gate_terms(request(approvers=approvers), POLICY, "plan", claimed=False)
    assert (caught.value.field, caught.value.kind) == (field, kind)
    assert caught.value.remedy


def test_a_quorum_below_the_policy_is_refused() -> None:
    """A group's quorum can't be lowered below the policy's."""
    policy = ApprovalPolicy.model_validate({"groups": {"it": PEOPLE[:3]}, "gates": {"plan": {"groups": {"it": 2}}}})
    with pytest.raises(RequestRefused) as caught:
        gate_terms(request(approvers=[{**IT, "people": list(PEOPLE[:3])}]), policy, "plan", claimed=False)
    assert caught.value.field == "approvers.0.quorum"


def test_a_claimed_requester_needs_one_more() -> None:
    """Over the queue one approver more is needed, and named people who can't give one are not enough."""
    assert gate_terms(request(approvers=[IT, OWNER]), POLICY, "plan", claimed=True)["distinct"] == 3
    few = [{**IT, "people": [PEOPLE[0]]}, OWNER]
    with pytest.raises(RequestRefused) as caught:
        gate_terms(request(approvers=few), POLICY, "plan", claimed=True)
    assert caught.value.kind == "quorum-unreachable"
    assert "queue" in caught.value.remedy


@pytest.mark.parametrize(
    ("requester", "field", "kind"),
    [
        ("olga@Contoso.com", "requestedBy", "requester-in-target"),
        (PEOPLE[0].upper(), "approvers.0.people", "requester-approves"),
    ],
)
def test_the_requester_is_someone_else(requester: str, field: str, kind: str) -> None:
    """A requester who lives in the target or approves is refused, whatever the case of the letters."""
    with pytest.raises(RequestRefused) as caught:
        check_separation(request(), requester, frozenset({"contoso.com", "contoso.onmicrosoft.com"}))
    assert (caught.value.field, caught.value.kind) == (field, kind)


def test_approvers_outlive_the_tenant() -> None:
    """An approver under any verified domain of the target is refused; the same people elsewhere are fine."""
    approvers = [IT, {"group": "owner", "quorum": 1, "people": ["cyd@CONTOSO.com"]}]
    with pytest.raises(RequestRefused) as caught:
        check_separation(request(approvers=approvers), "olga@fabrikam.com", frozenset({"contoso.com"}))
    assert (caught.value.field, caught.value.kind) == ("approvers.1.people", "approver-in-target")
    check_separation(request(approvers=approvers), "olga@fabrikam.com", frozenset({"other.com"}))
