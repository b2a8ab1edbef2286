"""Who is asked at a gate: a request can tighten the deployment's policy and never loosen it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.errors import RequestRefused
from tenantclosure.model.approval_policy import ApprovalPolicy
from tenantclosure.model.people import Account
from tenantclosure.policy.approvers import (
    check_separation,
    exceeded,
    gate_terms,
    named,
    resolved,
    still_allowed,
    tightened,
    unreachable,
    why_absent,
)
from tests.policy.people import HOME, OTHER_TENANT, PEOPLE, request
from tests.policy.test_quorum import can_be_seated

GROUPS = ("it", "owner", "legal")
names = st.sampled_from(GROUPS)


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
    deputies = {name: draw(st.lists(st.sampled_from(PEOPLE), unique=True)) for name in draw(st.sets(names))}
    limits = [
        {
            "over": {member: 0},
            "groups": {name: draw(st.integers(1, len(groups[name]))) for name in draw(st.sets(names, min_size=1))},
        }
        for member in draw(st.lists(st.sampled_from(["objects", "tenants"]), max_size=2))
    ]
    return ApprovalPolicy.model_validate(
        {"groups": groups, "deputies": deputies, "gates": {"plan": rule}, "limits": limits}
    )


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
        assert set(group["deputies"]) == set(policy.deputies.get(name, [])) - set(group["people"])
    stands = by_person(terms)
    assert terms["distinct"] <= len(stands)
    assert can_be_seated(terms["groups"], stands)


def by_person(terms: dict[str, Any]) -> dict[tuple[str, str], list[str]]:
    """Person -> groups, as the oracle of the quorum wants it; deputies are not among them."""
    stands: dict[tuple[str, str], list[str]] = {}
    for name, group in terms["groups"].items():
        for upn in group["people"]:
            stands.setdefault((HOME, upn), []).append(name)
    return stands


@given(policies(), st.integers(0, 1), st.integers(0, 1), st.data())
def test_limits_only_tighten(policy: ApprovalPolicy, objects: int, tenants: int, data: Any) -> None:
    """What a limit makes of the terms asks at least as much in every respect, of other people, and asks it once."""
    assert policy.groups is not None
    terms: dict[str, Any] = {"groups": {}, "distinct": data.draw(st.integers(1, 5)), "answerByDays": 7}
    for name in data.draw(st.sets(names, min_size=1)):
        people = sorted(data.draw(st.sets(st.sampled_from(policy.groups[name]), min_size=1)))
        quorum = data.draw(st.integers(1, len(people)))
        terms["groups"][name] = {"quorum": quorum, "people": people, "deputies": []}
    limits = exceeded(policy, objects=objects, share=0, tenants=tenants)
    after = tightened(terms, policy, limits)
    people = len(by_person(after))
    added = 0
    for name, group in after["groups"].items():
        before = terms["groups"].get(name, {"quorum": 0, "people": []})
        assert max([before["quorum"], *(limit.groups.get(name, 0) for limit in limits)]) == group["quorum"]
        assert set(before["people"]) <= set(group["people"]) <= set(policy.groups[name])
        assert not set(group["deputies"]) & set(group["people"])
        assert group["quorum"] <= len(group["people"])
        added += group["quorum"] - before["quorum"]
    assert set(terms["groups"]) <= set(after["groups"])
    assert max(terms["distinct"], min(terms["distinct"] + added, people)) == after["distinct"]
    assert after == tightened(after, policy, limits)
    assert {key: terms[key] for key in terms if key not in ("groups", "distinct")} == {
        key: after[key] for key in after if key not in ("groups", "distinct")
    }


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
        ([IT, {**OWNER, "quorum": 3, "people": [PEOPLE[2], PEOPLE[3]]}], "approvers.1.quorum", "quorum-unreachable"),
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


def test_nobody_is_counted_for_two_groups() -> None:
    """One person for the seats of two groups is not enough, however many stand in a third."""
    policy = ApprovalPolicy()
    lone = [{"group": name, "quorum": 1, "people": [PEOPLE[0]]} for name in ("it", "owner")]
    many = {"group": "legal", "quorum": 1, "people": list(PEOPLE[1:])}
    with pytest.raises(RequestRefused) as caught:
        gate_terms(request(approvers=[*lone, many]), policy, "plan", claimed=False)
    assert ("approvers", "quorum-unreachable") == (caught.value.field, caught.value.kind)
    assert "nobody counts for two groups" in caught.value.detail


def test_deputies_come_from_the_policy() -> None:
    """A group's deputies stand on the terms, but neither its people nor who claims the request; they make no quorum."""
    policy = ApprovalPolicy.model_validate(
        {
            "groups": {"it": PEOPLE[:2], "owner": PEOPLE[2:4]},
            "deputies": {"it": [PEOPLE[4], PEOPLE[0], "olga@fabrikam.com"]},
        }
    )
    terms = gate_terms(request(approvers=[IT, OWNER]), policy, "plan", claimed=False)
    assert [PEOPLE[4], "olga@fabrikam.com"] == terms["groups"]["it"]["deputies"]
    assert [] == terms["groups"]["owner"]["deputies"]
    assert [*PEOPLE[:3], PEOPLE[4], "olga@fabrikam.com"] == named(terms)
    assert ([1.0, 3.0], 4) == (terms["remindAfterDays"], terms["escalateAfterDays"])
    claimed = request(approvers=[IT, OWNER], requestedBy="Olga@fabrikam.com")
    assert [PEOPLE[4]] == gate_terms(claimed, policy, "plan", claimed=True)["groups"]["it"]["deputies"]
    four = ApprovalPolicy.model_validate({**policy.model_dump(), "gates": {"plan": {"distinct": 4}}})
    with pytest.raises(RequestRefused, match="4 different people have to agree, but 3 can"):
        gate_terms(request(approvers=[IT, OWNER]), four, "plan", claimed=False)


# -- limits ------------------------------------------------------------------------------------------------------------
LIMITED = ApprovalPolicy.model_validate(
    {
        "groups": {"it": PEOPLE[:3], "owner": [PEOPLE[3]], "board": [PEOPLE[4]]},
        "deputies": {"board": [PEOPLE[0]]},
        "limits": [
            {"over": {"objects": 1000, "share": 0.5}, "groups": {"board": 1}},
            {"over": {"tenants": 2}, "groups": {"it": 3}},
        ],
    }
)


@pytest.mark.parametrize(
    ("objects", "share", "tenants", "sentences"),
    [
        (1000, 0.5, 2, []),
        (1001, 0.5, 2, [["more than 1000 items"]]),
        (0, 0.51, 0, [["more than 0.5 of all users"]]),
        (5000, 1.0, 3, [["more than 1000 items", "more than 0.5 of all users"], ["more than 2 closures at once"]]),
    ],
)
def test_a_limit_is_exceeded_from_above(objects: int, share: float, tenants: int, sentences: list[list[str]]) -> None:
    """At its number a limit still holds, above it not; only what is exceeded is put into words."""
    found = exceeded(LIMITED, objects=objects, share=share, tenants=tenants)
    assert sentences == [limit.sentences for limit in found]


def test_a_limit_adds_groups_and_raises_quorums() -> None:
    """The board joins with the policy's people and deputies; three of it need the third whom the request left out."""
    terms = gate_terms(request(approvers=[IT, {**OWNER, "people": [PEOPLE[3]]}]), LIMITED, "plan", claimed=True)
    assert 3 == terms["distinct"]
    board = tightened(terms, LIMITED, exceeded(LIMITED, objects=1001, share=0, tenants=0))
    assert {"quorum": 1, "people": [PEOPLE[4]], "deputies": [PEOPLE[0]]} == board["groups"]["board"]
    assert terms["groups"]["it"] == board["groups"]["it"]
    assert 4 == board["distinct"]
    both = tightened(terms, LIMITED, exceeded(LIMITED, objects=1001, share=0, tenants=3))
    assert {"quorum": 3, "people": list(PEOPLE[:3]), "deputies": []} == both["groups"]["it"]
    assert 5 == both["distinct"]
    assert terms == tightened(terms, LIMITED, [])


def test_a_limit_lowers_nothing() -> None:
    """A request that asks for more than the limit does keeps what it asks for."""
    policy = ApprovalPolicy.model_validate(
        {"groups": {"it": PEOPLE}, "limits": [{"over": {"objects": 0}, "groups": {"it": 1}}]}
    )
    terms = gate_terms(request(approvers=[{**IT, "quorum": 2}]), policy, "plan", claimed=False)
    assert terms == tightened(terms, policy, exceeded(policy, objects=1, share=0, tenants=0))


# -- real people -------------------------------------------------------------------------------------------------------
def account(upn: str, object_id: str = "", **changes: Any) -> Account:
    """An account of the hosting tenant."""
    return Account(**{"tenant_id": HOME, "object_id": object_id or upn[:3], "upn": upn, "name": upn[:3], **changes})


TERMS: dict[str, Any] = {
    "groups": {
        "it": {"quorum": 2, "people": list(PEOPLE[:3]), "deputies": [PEOPLE[4]]},
        "owner": {"quorum": 1, "people": [PEOPLE[3]], "deputies": []},
    },
    "distinct": 3,
}


def test_people_are_resolved() -> None:
    """Addresses become persons of the hosting tenant, with the address that the terms name; nobody is absent."""
    accounts = {upn: account(upn.upper()) for upn in PEOPLE} | {PEOPLE[0]: account(PEOPLE[0], mail="a.nn@fabrikam.com")}
    groups, absent = resolved(TERMS, accounts, HOME.upper())
    ann = {"tenantId": HOME, "objectId": "ann", "upn": PEOPLE[0], "name": "ann", "mail": "a.nn@fabrikam.com"}
    assert ann == groups["it"]["people"][0]
    assert [PEOPLE[1], PEOPLE[2]] == [one["mail"] for one in groups["it"]["people"][1:]]
    assert ["ELI"] == [one["objectId"] for one in groups["it"]["deputies"]]
    assert (2, 1) == (groups["it"]["quorum"], groups["owner"]["quorum"])
    assert [] == absent
    assert unreachable(groups, 3, []) is None


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "has no account in the hosting tenant"),
        (account(PEOPLE[0], enabled=False), "has an account that is disabled"),
        (account(PEOPLE[0], tenant_id=OTHER_TENANT), "has an account in another tenant than the hosting one"),
        (account(PEOPLE[0], object_id="bob"), f"is the same person as {PEOPLE[1]}"),
        (Account(HOME, "", PEOPLE[0]), "has no account in the hosting tenant"),
    ],
)
def test_who_can_not_be_asked_is_absent(found: Account | None, why: str) -> None:
    """Missing, disabled or foreign accounts, and a second address of somebody, are left out with a reason."""
    terms = {**TERMS, "groups": {"it": {"quorum": 2, "people": [PEOPLE[1], PEOPLE[0]], "deputies": [PEOPLE[2]]}}}
    accounts = {upn: account(upn) for upn in PEOPLE} | {PEOPLE[0]: found}
    groups, absent = resolved(terms, accounts, HOME)
    assert [{"upn": PEOPLE[0], "group": "it", "why": why}] == absent
    assert [PEOPLE[1]] == [one["upn"] for one in groups["it"]["people"]]
    assert "2 of it have to agree, but 1 can." == unreachable(groups, 2, [])
    unknown: dict[str, Account | None] = {**accounts, PEOPLE[0]: account(PEOPLE[0]), PEOPLE[2]: None}
    assert [PEOPLE[2]] == [one["upn"] for one in resolved(terms, unknown, HOME)[1]]


def test_without_a_directory_people_are_taken_as_named() -> None:
    """In a rehearsal nobody is looked up: persons without an object id, told apart by their addresses."""
    groups, absent = resolved(TERMS, None, HOME)
    ann = {"tenantId": HOME, "objectId": "", "upn": PEOPLE[0], "name": "", "mail": PEOPLE[0]}
    assert (ann, []) == (groups["it"]["people"][0], absent)
    assert unreachable(groups, 4, []) is None
    assert "5 different people have to agree, but 4 can." == unreachable(groups, 5, [])


def test_a_directory_of_an_unnamed_tenant_is_believed() -> None:
    """A rehearsal whose hosting tenant has no id can't compare tenants."""
    assert "" == why_absent(account(PEOPLE[0]), "")


def test_unreachable_counts_persons_who_may_decide() -> None:
    """Excluded people, deputies, and one person under two addresses or in two groups don't make a quorum."""
    accounts: dict[str, Account | None] = {upn: account(upn) for upn in PEOPLE}
    groups, _ = resolved(TERMS, accounts, HOME)
    assert unreachable(groups, 3, [f"{HOME}/ann", None]) is None
    assert "2 of it have to agree, but 1 can." == unreachable(groups, 3, [f"{HOME}/ANN", f"{HOME}/bob"])
    assert "4 different people have to agree, but 3 can." == unreachable(groups, 4, [f"{HOME}/ann"])
    accounts[PEOPLE[3]] = account(PEOPLE[3], "cyd")
    groups, _ = resolved(TERMS, accounts, HOME)
    assert "1 of owner have to agree, but 0 can, since nobody counts for two groups." == unreachable(
        groups, 3, [f"{HOME}/ann"]
    )


def test_people_whom_the_policy_dropped_do_not_count() -> None:
    """Whoever the policy file no longer lists for a group is left out of it; deputies who were asked stay."""
    accounts: dict[str, Account | None] = {upn: account(upn) for upn in PEOPLE}
    groups, _ = resolved(TERMS, accounts, HOME)
    groups["it"]["people"].append(groups["it"]["deputies"][0])
    gate = {"gate": "plan", "groups": groups}
    policy = ApprovalPolicy.model_validate({"groups": {"it": [PEOPLE[0], PEOPLE[3]]}, "deputies": {"it": [PEOPLE[4]]}})
    left = still_allowed(gate, policy)
    assert [PEOPLE[0], PEOPLE[4]] == [one["upn"] for one in left["groups"]["it"]["people"]]
    assert {"quorum": 1, "people": [], "deputies": []} == left["groups"]["owner"]
    assert 4 == len(groups["it"]["people"])
    assert gate == still_allowed(gate, ApprovalPolicy())
