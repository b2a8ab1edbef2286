"""Gates: nothing but a valid quorum of distinct people over this plan, in time, ever approves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.policy.quorum import evaluate

START = datetime(2026, 11, 1, tzinfo=UTC)
ANSWER_BY = START + timedelta(days=7)
DIGEST, OTHER = "d" * 64, "e" * 64
HOME = "0b0a1c2d-0000-4000-8000-0000000000ff"
REQUESTER = f"{HOME}/olga"
ADDRESSES = ("ann@f.com", "ann.alias@f.com", "bob@f.com", "cyd@f.com", "olga@f.com", "stranger@f.com")
PEOPLE = ("ann", "bob", "cyd", "olga", "foreigner")


def gate(**changes: Any) -> dict[str, Any]:
    """it: one of ann and bob; owner: one of ann (alias) and cyd; two people."""
    return {
        "gate": "plan",
        "serial": 1,
        "digest": DIGEST,
        "answerBy": ANSWER_BY.isoformat(),
        "distinct": 2,
        "requester": REQUESTER,
        "groups": {
            "it": {"quorum": 1, "people": ["ann@f.com", "bob@f.com", "olga@f.com"]},
            "owner": {"quorum": 1, "people": ["ann.alias@f.com", "cyd@f.com"]},
        },
        **changes,
    }


def said(who: str, upn: str, word: str = "approve", *, at: datetime = START, **changes: Any) -> dict[str, Any]:
    person = {"tenantId": HOME, "objectId": who, "upn": upn, "name": who}
    base = {"gate": "plan", "serial": 1, "digest": DIGEST, "decision": word, "at": at.isoformat(), "person": person}
    return {**base, **changes}


decisions = st.builds(
    said,
    st.sampled_from(PEOPLE),
    st.sampled_from(ADDRESSES),
    st.sampled_from(["approve", "approve", "approve", "revoke", "veto"]),
    at=st.integers(-1, 9).map(lambda day: START + timedelta(days=day)),
    gate=st.sampled_from(["plan", "plan", "plan", "go-on"]),
    serial=st.sampled_from([1, 1, 1, 2]),
    digest=st.sampled_from([DIGEST, DIGEST, DIGEST, OTHER]),
)
clocks = st.integers(-1, 12).map(lambda day: START + timedelta(days=day))


def counts(one: dict[str, Any]) -> bool:
    """Written apart from the code: whether this decision may count at all."""
    fits = (one["gate"], one["serial"], one["digest"]) == ("plan", 1, DIGEST)
    in_time = datetime.fromisoformat(one["at"]) <= ANSWER_BY
    named = any(one["person"]["upn"] in group["people"] for group in gate()["groups"].values())
    return fits and in_time and named and one["person"]["objectId"] != "olga"


def _moment(one: dict[str, Any]) -> tuple[str, str, str]:
    """Which of a person's words is the last; of two at one moment the address decides, so that no list order does."""
    return one["at"], one["decision"], one["person"]["upn"]


@given(st.lists(decisions, max_size=12), clocks)
def test_approval_needs_a_valid_quorum(words: list[dict[str, Any]], now: datetime) -> None:
    """Whatever is said and whenever, `approved` means: two people, one of each group, over this plan, in time."""
    state = evaluate(gate(), words, now)
    if state.state != "approved":
        return
    valid = [one for one in words if counts(one)]
    assert not [one for one in valid if one["decision"] == "veto"]
    last = {one["person"]["objectId"]: one for one in sorted(valid, key=_moment)}
    agreed = [one for one in last.values() if one["decision"] == "approve"]
    assert len({one["person"]["objectId"] for one in agreed}) >= 2
    for group in gate()["groups"].values():
        assert any(one["person"]["upn"] in group["people"] for one in agreed)


@given(st.lists(decisions, max_size=10), clocks, st.randoms(use_true_random=False))
def test_order_of_the_list_does_not_matter(words: list[dict[str, Any]], now: datetime, chance: Any) -> None:
    """The same decisions in another order come to the same judgement, even when two were given at one moment."""
    mixed = list(words)
    chance.shuffle(mixed)
    assert evaluate(gate(), mixed, now) == evaluate(gate(), words, now)


@given(st.lists(decisions, max_size=10), clocks)
def test_a_veto_in_time_ends_it(words: list[dict[str, Any]], now: datetime) -> None:
    """One veto by a person of the gate ends it, whatever else was said before or after."""
    veto = said("cyd", "cyd@f.com", "veto", at=ANSWER_BY)
    assert evaluate(gate(), [*words, veto], now).state == "vetoed"


@given(st.lists(decisions.filter(lambda one: one["decision"] != "approve"), max_size=8), clocks)
def test_silence_never_approves(words: list[dict[str, Any]], now: datetime) -> None:
    """Without anybody saying approve a gate is open until its date, then expired, or vetoed."""
    state = evaluate(gate(), words, now).state
    assert state in (("expired", "vetoed") if now > ANSWER_BY else ("open", "vetoed"))


@given(st.lists(decisions, max_size=8), clocks)
def test_expired_only_after_the_date(words: list[dict[str, Any]], now: datetime) -> None:
    """A gate is never expired before its answer-by date and never open after it."""
    state = evaluate(gate(), words, now).state
    assert state != ("open" if now > ANSWER_BY else "expired")


def test_a_valid_quorum_approves() -> None:
    """Two people of the two groups approve; the approvals name them by tenant and object id."""
    state = evaluate(gate(), [said("bob", "Bob@F.com"), said("cyd", "cyd@f.com")], START)
    assert (state.state, state.approvals) == ("approved", (f"{HOME}/bob", f"{HOME}/cyd"))


def test_a_quorum_in_time_stays_one_when_it_is_judged_late() -> None:
    """Approvals given in time count even if nobody looked before the date passed."""
    words = [said("bob", "bob@f.com", at=ANSWER_BY), said("cyd", "cyd@f.com", at=ANSWER_BY)]
    assert evaluate(gate(), words, ANSWER_BY + timedelta(days=1)).state == "approved"


GOOD = said("bob", "bob@f.com")


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(said("bob", "bob@f.com"), id="the same person twice"),
        pytest.param(said("BOB", "cyd@f.com"), id="the same person under another address and case"),
        pytest.param(said("cyd", "cyd@f.com", digest=OTHER), id="another digest"),
        pytest.param(said("cyd", "cyd@f.com", serial=2), id="another serial"),
        pytest.param(said("cyd", "cyd@f.com", gate="delete-tenant"), id="another gate"),
        pytest.param(said("cyd", "cyd@f.com", at=ANSWER_BY + timedelta(seconds=1)), id="too late"),
        pytest.param(said("olga", "ann.alias@f.com"), id="the requester under an approver's address"),
        pytest.param(said("cyd", "cyd@evil.com"), id="a stranger"),
        pytest.param(said("cyd", "cyd@f.com", "revoke"), id="not an approval"),
    ],
)
def test_what_does_not_complete_a_quorum(second: dict[str, Any]) -> None:
    """One good approval and one that does not count leave the gate open."""
    state = evaluate(gate(), [GOOD, second], START)
    assert state.state == "open"
    assert state.missing


def test_one_person_in_two_groups_is_one_person() -> None:
    """A person named in both groups under two addresses does not make a quorum of two alone."""
    words = [said("ann", "ann@f.com"), said("ann", "ann.alias@f.com", at=START + timedelta(hours=1))]
    assert evaluate(gate(), words, START).state == "open"


def test_one_address_in_two_groups_is_one_person() -> None:
    """A person who stands in both groups under one address fills both, but a second person is still needed."""
    groups = {name: {"quorum": 1, "people": ["ann@f.com", "bob@f.com"]} for name in ("it", "owner")}
    both = gate(groups=groups)
    assert evaluate(both, [said("ann", "ann@f.com")], START).missing == {"distinct": 1}
    assert evaluate(both, [said("ann", "ann@f.com"), GOOD], START).state == "approved"


def test_distinct_may_ask_for_more_than_the_groups() -> None:
    """With both groups content a gate that asks for three people (a claimed requester) waits for the third."""
    three = gate(distinct=3)
    words = [GOOD, said("cyd", "cyd@f.com")]
    assert evaluate(three, words, START).state == "open"
    assert evaluate(three, [*words, said("ann", "ann@f.com")], START).state == "approved"


def test_a_revoked_approval_does_not_count() -> None:
    """The last word of a person counts; at one moment the revocation does."""
    words = [GOOD, said("cyd", "cyd@f.com"), said("cyd", "cyd@f.com", "revoke")]
    assert evaluate(gate(), words, START).state == "open"
    assert evaluate(gate(), [words[2], words[1], GOOD], START).state == "open"


def test_a_stranger_and_the_requester_have_no_veto() -> None:
    """A veto counts only from a person of the gate."""
    words = [said("eve", "eve@evil.com", "veto"), said("olga", "olga@f.com", "veto")]
    assert evaluate(gate(), words, START).state == "open"
