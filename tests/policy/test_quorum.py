"""Gates: nothing but a valid quorum of distinct people over this plan, in time, ever approves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.policy.quorum import GateState, evaluate, groups_of, lacking
from tests.policy.people import HOME, OTHER_TENANT, person

START = datetime(2026, 11, 1, tzinfo=UTC)
ANSWER_BY = START + timedelta(days=7)
DIGEST, OTHER = "d" * 64, "e" * 64
ANN, BOB, CYD, DEE, OLGA = (person(name) for name in ("ann", "bob", "cyd", "dee", "olga"))


def gate(**changes: Any) -> dict[str, Any]:
    """it: one of ann, bob and olga, who files the request; owner: one of ann and cyd; two people."""
    return {
        "gate": "plan",
        "serial": 1,
        "digest": DIGEST,
        "answerBy": ANSWER_BY.isoformat(),
        "distinct": 2,
        "excluded": [f"{HOME}/olga"],
        "groups": {
            "it": {"quorum": 1, "people": [ANN, BOB, OLGA], "deputies": [DEE]},
            "owner": {"quorum": 1, "people": [ANN, CYD], "deputies": []},
        },
        **changes,
    }


def said(who: dict[str, Any], word: str = "approve", *, at: datetime = START, **changes: Any) -> dict[str, Any]:
    base = {"gate": "plan", "serial": 1, "digest": DIGEST, "decision": word, "at": at.isoformat(), "person": who}
    return {**base, **changes}


# -- an oracle written apart from the code: it tries every seating ----------------------------------------------------
NAMES = ("ann", "bob", "cyd", "dee", "eve")
UNKNOWN = person("", upn="fay@f.com")
"""A person who was never looked up: known by address and tenant."""
CROWD = [
    *(person(name) for name in NAMES),
    person("ann", tenant=OTHER_TENANT),
    person("ANN", upn="ann.alias@f.com"),
    person("fay"),
    person("fay", tenant=OTHER_TENANT),
    person("gus", upn="ann@f.com"),
]
"""Who speaks: five people, ann of another tenant, ann under another address and case, fay (twice, one of another
tenant), and a stranger who has taken ann's address."""


def identity(who: dict[str, Any]) -> tuple[str, str]:
    return who["tenantId"], who["objectId"].lower()


def stands(named: dict[str, Any], who: dict[str, Any]) -> bool:
    if named["objectId"] == "":
        return (named["upn"], named["tenantId"]) == (who["upn"], who["tenantId"])
    return identity(named) == identity(who)


@st.composite
def gates(draw: Any) -> dict[str, Any]:
    named = [*(person(name) for name in NAMES), person("ann", tenant=OTHER_TENANT), UNKNOWN]
    groups = {
        name: {
            "quorum": draw(st.integers(1, 3)),
            "people": draw(st.lists(st.sampled_from(named), min_size=1, max_size=5, unique_by=str)),
            "deputies": [],
        }
        for name in draw(st.lists(st.sampled_from(["it", "legal", "owner"]), min_size=1, unique=True))
    }
    excluded = draw(st.lists(st.sampled_from([f"{HOME}/bob", f"{HOME}/CYD", f"{OTHER_TENANT}/ann"]), unique=True))
    return gate(groups=groups, distinct=draw(st.integers(1, 4)), excluded=excluded)


decisions = st.builds(
    said,
    st.sampled_from(CROWD),
    st.sampled_from(["approve", "approve", "approve", "approve", "revoke", "veto"]),
    at=st.integers(-1, 9).map(lambda day: START + timedelta(days=day)),
    gate=st.sampled_from(["plan", "plan", "plan", "go-on"]),
    serial=st.sampled_from([1, 1, 1, 2]),
    digest=st.sampled_from([DIGEST, DIGEST, DIGEST, OTHER]),
)
approvals = st.builds(said, st.sampled_from(CROWD))
clocks = st.integers(-1, 12).map(lambda day: START + timedelta(days=day))


def standing(asked: dict[str, Any], who: dict[str, Any]) -> list[str]:
    """Groups in which somebody stands, nothing if excluded."""
    if "/".join(identity(who)).lower() in [key.lower() for key in asked["excluded"]]:
        return []
    return [name for name, group in asked["groups"].items() if any(stands(one, who) for one in group["people"])]


def agreed(asked: dict[str, Any], words: list[dict[str, Any]]) -> dict[tuple[str, str], list[str]]:
    """Who agrees in the end, with their groups; whoever vetoes makes it nobody."""
    strength = ["approve", "revoke", "veto"]
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for one in sorted(words, key=lambda one: (one["at"], strength.index(one["decision"]))):
        fits = (one["gate"], one["serial"], one["digest"]) == (asked["gate"], asked["serial"], asked["digest"])
        late = datetime.fromisoformat(one["at"]) > ANSWER_BY and one["decision"] == "approve"
        if not fits or late or not standing(asked, one["person"]):
            continue
        if one["decision"] == "veto":
            return {}
        last[identity(one["person"])] = one
    return {who: standing(asked, one["person"]) for who, one in last.items() if one["decision"] == "approve"}


def can_be_seated(groups: dict[str, Any], people: dict[tuple[str, str], list[str]]) -> bool:
    """Whether some order of the people fills every seat: all are tried."""
    seats = [name for name, group in groups.items() for _ in range(group["quorum"])]
    if len(seats) > len(people):
        return False
    return any(
        all(seat in people[who] for seat, who in zip(seats, order, strict=True))
        for order in permutations(people, len(seats))
    )


@given(gates(), st.lists(decisions, max_size=12) | st.lists(approvals, max_size=8), clocks)
def test_approval_is_a_valid_quorum(asked: dict[str, Any], words: list[dict[str, Any]], now: datetime) -> None:
    """Whatever is said and whenever, `approved` means, and only then: every seat filled by a person of its own."""
    state = evaluate(asked, words, now)
    people = agreed(asked, words)
    enough = len(people) >= asked["distinct"] and can_be_seated(asked["groups"], people)
    assert enough == (state.state == "approved")
    if enough:
        assert sorted("/".join(who) for who in people) == list(state.approvals)
        assert not state.missing


@given(gates(), st.lists(decisions, max_size=10), clocks, st.randoms(use_true_random=False))
def test_order_of_the_list_does_not_matter(
    asked: dict[str, Any], words: list[dict[str, Any]], now: datetime, chance: Any
) -> None:
    """The same decisions in another order come to the same judgement, even when two were given at one moment."""
    mixed = list(words)
    chance.shuffle(mixed)
    assert evaluate(asked, words, now) == evaluate(asked, mixed, now)


@given(gates(), st.lists(decisions, max_size=10), clocks)
def test_a_veto_ends_it(asked: dict[str, Any], words: list[dict[str, Any]], now: datetime) -> None:
    """One veto by a person of the gate ends it, whatever else was said before or after."""
    veto = said(person("dee"), "veto", at=ANSWER_BY)
    asked["groups"]["board"] = {"quorum": 1, "people": [person("dee")], "deputies": []}
    assert "vetoed" == evaluate(asked, [*words, veto], now).state


@given(gates(), st.lists(decisions.filter(lambda one: one["decision"] != "approve"), max_size=8), clocks)
def test_silence_never_approves(asked: dict[str, Any], words: list[dict[str, Any]], now: datetime) -> None:
    """Without anybody saying approve a gate is open until its date, then expired, or vetoed."""
    assert evaluate(asked, words, now).state in (("expired", "vetoed") if now > ANSWER_BY else ("open", "vetoed"))


@given(gates(), st.lists(decisions, max_size=8), clocks)
def test_expired_only_after_the_date(asked: dict[str, Any], words: list[dict[str, Any]], now: datetime) -> None:
    """A gate is never expired before its answer-by date and never open after it."""
    assert evaluate(asked, words, now).state != ("open" if now > ANSWER_BY else "expired")


@given(gates(), st.lists(approvals, max_size=6))
def test_missing_tells_how_many_more(asked: dict[str, Any], words: list[dict[str, Any]]) -> None:
    """The empty seats that are told are those of the best seating: with fewer filled, none would be better."""
    people = agreed(asked, words)
    missing = dict(evaluate(asked, words, START).missing)
    distinct = missing.pop("distinct", 0)
    assert max(asked["distinct"] - len(people), 0) == distinct
    left = {name: {"quorum": group["quorum"] - missing.get(name, 0)} for name, group in asked["groups"].items()}
    assert can_be_seated(left, people)
    filled = sum(group["quorum"] for group in left.values())
    for name, seats in missing.items():
        assert seats > 0
        one_more = {**left, name: {"quorum": left[name]["quorum"] + 1}}
        assert not can_be_seated(one_more, people), (filled, missing)


# -- each way of not being a quorum, by name --------------------------------------------------------------------------
def test_a_valid_quorum_approves() -> None:
    """Two people of the two groups approve; the approvals name them by tenant and object id."""
    state = evaluate(gate(), [said({**BOB, "upn": "Bob@F.com"}), said(CYD)], START)
    assert ("approved", (f"{HOME}/bob", f"{HOME}/cyd")) == (state.state, state.approvals)


def test_a_quorum_in_time_stays_one_when_it_is_judged_late() -> None:
    """Approvals given in time count even if nobody looked before the date passed."""
    words = [said(BOB, at=ANSWER_BY), said(CYD, at=ANSWER_BY)]
    assert "approved" == evaluate(gate(), words, ANSWER_BY + timedelta(days=100)).state


GOOD = said(BOB)


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(said(BOB), id="the same person twice"),
        pytest.param(said(person("BOB", upn="cyd@f.com")), id="the same person under another's address and case"),
        pytest.param(said(CYD, digest=OTHER), id="another digest"),
        pytest.param(said(CYD, serial=2), id="another serial"),
        pytest.param(said(CYD, gate="delete-tenant"), id="another gate"),
        pytest.param(said(CYD, at=ANSWER_BY + timedelta(seconds=1)), id="too late"),
        pytest.param(said(person("olga", upn="ann@f.com")), id="the requester under an approver's address"),
        pytest.param(said(person("eve", upn="cyd@f.com")), id="a stranger under an approver's address"),
        pytest.param(said(person("cyd", tenant=OTHER_TENANT)), id="an approver's object id in another tenant"),
        pytest.param(said(DEE), id="a deputy who was not asked"),
        pytest.param(said(CYD, "revoke"), id="not an approval"),
    ],
)
def test_what_does_not_complete_a_quorum(second: dict[str, Any]) -> None:
    """One good approval and one that does not count leave the gate open."""
    state = evaluate(gate(), [GOOD, second], START)
    assert "open" == state.state
    assert {"owner": 1, "distinct": 1} == state.missing


def test_an_open_gate_tells_who_has_approved() -> None:
    """Who has said yes is shown while others are waited for; after a veto nothing is missing and nobody counts."""
    assert GateState("open", {"owner": 1, "distinct": 1}, (f"{HOME}/bob",)) == evaluate(gate(), [GOOD], START)
    assert GateState("vetoed", {}, ()) == evaluate(gate(), [GOOD, said(CYD, "veto")], START)


def test_two_addresses_at_one_moment_are_put_in_order() -> None:
    """Of one person's two words at one moment, under addresses that stand in different groups, the same one is last
    whatever the order of the records.
    """
    groups = {name: {"quorum": 1, "people": [person("", f"{name}@f.com")], "deputies": []} for name in ("it", "owner")}
    words = [said(person("ann", f"{name}@f.com")) for name in ("it", "owner")]
    one, other = (evaluate(gate(groups=groups), order, START) for order in (words, words[::-1]))
    assert {"it": 1, "distinct": 1} == one.missing == other.missing


def test_one_person_in_two_groups_fills_one_seat() -> None:
    """A person who stands in both groups fills one seat; the other needs somebody else, of its own group."""
    both = gate(groups={name: {"quorum": 1, "people": [ANN, BOB], "deputies": []} for name in ("it", "owner")})
    assert {"owner": 1, "distinct": 1} == evaluate(both, [said(ANN)], START).missing
    assert "approved" == evaluate(both, [said(ANN), GOOD], START).state


def test_two_people_are_not_enough_when_one_seat_stays_empty() -> None:
    """Two of it approve, one of them also an owner: she moves over, so that both seats are filled; two of it alone do
    not fill the owner's.
    """
    assert "approved" == evaluate(gate(), [said(ANN), GOOD], START).state
    only = gate()
    only["groups"]["it"]["people"].append(DEE)
    assert {"owner": 1} == evaluate(only, [said(DEE), GOOD], START).missing


def test_a_chain_of_moves_is_found() -> None:
    """The last to come finds a seat although three others have to move for it; a fifth finds none."""
    stands = {"a": ["g1", "g2"], "b": ["g2", "g3"], "c": ["g3", "g4"], "d": ["g1"]}
    seats = dict.fromkeys(("g1", "g2", "g3", "g4"), 1)
    assert {} == lacking(seats, stands)
    assert {"g4": 1} == lacking({**seats, "g4": 2}, {**stands, "e": ["g1", "g2"]})


def test_a_chain_of_moves_seats_nobody_twice() -> None:
    """Four people never fill five seats, however far they move over for each other."""
    stands = {"a": ["g1", "g2", "g5"], "b": ["g2", "g3"], "c": ["g3", "g4"], "d": ["g1"]}
    assert {"g5": 1} == lacking(dict.fromkeys(("g1", "g2", "g3", "g4", "g5"), 1), stands)


def test_distinct_may_ask_for_more_than_the_groups() -> None:
    """With both groups content a gate that asks for three people (a claimed requester) waits for the third."""
    three, words = gate(distinct=3), [GOOD, said(CYD)]
    assert {"distinct": 1} == evaluate(three, words, START).missing
    assert "approved" == evaluate(three, [*words, said(ANN)], START).state


def test_one_person_of_two_tenants_is_two_people() -> None:
    """Who stands at the gate with accounts in two tenants counts twice: identity is tenant and object id."""
    twin = person("ann", tenant=OTHER_TENANT)
    two = gate(groups={"it": {"quorum": 2, "people": [ANN, twin], "deputies": []}})
    assert {"it": 1, "distinct": 1} == evaluate(two, [said(ANN)], START).missing
    assert "approved" == evaluate(two, [said(ANN), said(twin)], START).state


def test_a_revoked_approval_does_not_count() -> None:
    """The last word of a person counts; at one moment the revocation does."""
    words = [GOOD, said(CYD), said(CYD, "revoke")]
    assert "open" == evaluate(gate(), words, START).state
    assert "open" == evaluate(gate(), [words[2], words[1], GOOD], START).state
    again = said(CYD, at=START + timedelta(hours=1))
    assert "approved" == evaluate(gate(), [*words, again], START).state


@pytest.mark.parametrize(("word", "state"), [("revoke", "expired"), ("veto", "vetoed")])
def test_an_approval_is_taken_back_after_the_date(word: str, state: str) -> None:
    """An approval can be revoked or vetoed after answer-by too; approving again by then gives nothing back."""
    late = ANSWER_BY + timedelta(days=1)
    words = [GOOD, said(CYD), said(CYD, word, at=late), said(CYD, at=late + timedelta(hours=1))]
    assert state == evaluate(gate(), words, late + timedelta(days=1)).state


def test_a_stranger_and_the_excluded_have_no_veto() -> None:
    """A veto counts only from a person of the gate who is not excluded."""
    words = [said(person("eve"), "veto"), said(OLGA, "veto"), said(person("ann", tenant=OTHER_TENANT), "veto")]
    assert "open" == evaluate(gate(), words, START).state


def test_an_operator_is_excluded_like_the_requester() -> None:
    """Whoever stands in `excluded`, in whatever case, counts for nothing; no key at all excludes nobody."""
    asked = gate(excluded=[f"{HOME.upper()}/BOB", None])
    assert () == groups_of(asked, BOB)
    assert ("it", "owner") == groups_of(asked, ANN)
    assert "open" == evaluate(asked, [GOOD, said(CYD)], START).state


def test_groups_by_address_where_nobody_was_looked_up() -> None:
    """In a rehearsal without a directory address and tenant tell a person; without a tenant the address alone."""

    def named(tenant: str) -> dict[str, Any]:
        return gate(groups={"it": {"quorum": 1, "people": [person("", "Ann@f.com", tenant)], "deputies": []}})

    assert ("it",) == groups_of(named(HOME), ANN)
    assert () == groups_of(named(HOME), person("ann", tenant=OTHER_TENANT))
    assert ("it",) == groups_of(named(""), person("ann", tenant=OTHER_TENANT))
    assert () == groups_of(named(""), BOB)
