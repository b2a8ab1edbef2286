"""Graph's `$batch`, whatever comes back: no id is called done unless Graph said so of that very id."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.errors import ServiceTrouble
from tenantclosure.names import Family
from tests.fuzz.microsoft import Bench, Said
from tests.fuzz.rig import BODIES, JUNK, encoded, fuzz, spoiled

pytestmark = pytest.mark.slow

IDS = [f"id-{number}" for number in range(5)]
STATUSES = st.sampled_from([204, 200, 404, 403, 400, 429, 500, 503, 0, 1, -204, 2040, 10**30, "204", 204.0, True, None])
POSITIONS = st.integers(0, 4)
ANY_ID = st.one_of(
    POSITIONS.map(str),
    POSITIONS,
    st.sampled_from(["00", "01", " 1", "+1", "1.0", "\u00b2", "\u0661", "5", "-1", "1" * 5000, "1_0", True, 1.0]),
    JUNK,
)
ERRORS = st.fixed_dictionaries(
    {}, optional={"error": JUNK | st.fixed_dictionaries({"code": JUNK, "message": JUNK, "innerError": JUNK})}
)
RESPONSES = st.lists(
    st.fixed_dictionaries(
        {"id": ANY_ID, "status": STATUSES},
        optional={
            "headers": JUNK | st.dictionaries(st.sampled_from(["Retry-After", "request-id"]), JUNK),
            "body": JUNK | ERRORS,
        },
    )
    | JUNK,
    max_size=9,
)


def said_of(responses: list[Any]) -> dict[str, list[Any]]:
    """Every status that was said of each of our positions, by a strict reading."""
    found: dict[str, list[Any]] = {}
    for one in responses:
        if isinstance(one, dict) and type(one.get("id")) in (str, int):
            found.setdefault(str(one["id"]), []).append(one.get("status"))
    return found


@fuzz(74)
@given(RESPONSES)
def test_no_success_that_graph_did_not_say(bench: Bench, responses: list[Any]) -> None:
    """Missing, doubled, foreign, misordered or garbled answers: one answer per id in the ids' order, and a success only
    where every word about that id is one and the same success.
    """
    bench.always(Said.of({"responses": responses}))
    answers = bench.outcome(bench.graph().delete_many(Family.USERS, IDS), ServiceTrouble)
    if isinstance(answers, ServiceTrouble):
        assert not _readable(responses)
        return
    said = said_of(responses)

    assert IDS == [answer.id for answer in answers]
    for position, answer in enumerate(answers):
        words = [status for status in said.get(str(position), []) if type(status) is int and 100 <= status <= 599]
        assert answer.status == (words[0] if words and len(set(words)) == 1 else 0)
        # It goes into records as it is.
        kept = (answer.code, answer.message, answer.request_id, answer.retry_after)
        json.dumps(kept, ensure_ascii=False, allow_nan=False).encode()
        assert all(len(text) <= 500 for text in kept[:3])
        assert answer.retry_after is None or 0 <= answer.retry_after <= 86_400


def _readable(responses: list[Any]) -> bool:
    """Whether the whole answer is JSON that can be kept: no number larger than all readers agree on, no name twice."""

    def whole(value: Any) -> bool:
        if isinstance(value, dict):
            return all(map(whole, value.values()))
        if isinstance(value, list):
            return all(map(whole, value))
        return not isinstance(value, int | float) or abs(value) < (2**53 if isinstance(value, int) else math.inf)

    return whole(responses)


@fuzz(30)
@given(
    st.permutations(range(5)),
    st.lists(st.sampled_from([204, 404, 403, 429]), min_size=5, max_size=5),
    st.integers(0, 5),
)
def test_each_id_gets_its_own_answer_in_any_order(
    bench: Bench, order: list[int], statuses: list[int], missing: int
) -> None:
    """Shuffled and cut short, every answer lands at the id it was given for, the rest have none."""
    responses = [{"id": str(number), "status": statuses[number]} for number in order][missing:]
    bench.always(Said.of({"responses": responses}))
    answers = bench.run(bench.graph().delete_many(Family.APPLICATIONS, IDS))

    assert [statuses[number] if number in order[missing:] else 0 for number in range(5)] == [a.status for a in answers]


@fuzz(30)
@given(
    BODIES | spoiled({"responses": [{"id": "0", "status": 204}]}).map(encoded), st.sampled_from([200, 400, 424, 500])
)
def test_any_outer_answer_is_trouble_or_one_answer_an_id(bench: Bench, body: bytes, status: int) -> None:
    """An answer without responses is trouble with the whole call: nothing is known of any id."""
    bench.always(Said(body, status))
    answers = bench.outcome(bench.graph().delete_many(Family.USERS, IDS), ServiceTrouble)

    assert isinstance(answers, ServiceTrouble) or IDS == [answer.id for answer in answers]
    if status in (400, 500):
        assert isinstance(answers, ServiceTrouble)


@fuzz(40)
@given(RESPONSES, RESPONSES)
def test_a_state_is_proven_or_not_told(bench: Bench, live: list[Any], binned: list[Any]) -> None:
    """`present`, `deleted` and `gone` come only from 2xx and 404 about that id, in both questions; else trouble."""
    batches = iter([live, binned])
    asked: list[list[str]] = []

    def answer(request: Any, body: bytes) -> Said:
        asked.append([one["url"].split("?")[0].rsplit("/", 1)[1] for one in json.loads(body)["requests"]])
        return Said.of({"responses": next(batches)})

    bench.script(answer)
    states = bench.outcome(bench.graph().states_of(Family.USERS, IDS), ServiceTrouble)
    if isinstance(states, ServiceTrouble):
        return
    assert set(IDS) == set(states)
    for position, id_ in enumerate(IDS):
        first = said_of(live)[str(position)]
        if states[id_] == "present":
            assert all(200 <= status <= 299 for status in first if type(status) is int)
            continue
        second = said_of(binned)[str(asked[1].index(id_))]
        assert 404 in first
        assert (404 in second) == (states[id_] == "gone")


@fuzz(30)
@given(RESPONSES)
def test_blocking_and_mfa_make_nothing_up(bench: Bench, responses: list[Any]) -> None:
    """Two answers a user: blocked only where the disabling succeeded; an MFA state only where Graph has that word."""
    bench.always(Said.of({"responses": responses}))
    answers = bench.outcome(bench.graph().block_sign_in(["a", "b"]), ServiceTrouble)
    states = bench.outcome(bench.graph().mfa_states(IDS), ServiceTrouble)
    said = said_of(responses)

    if not isinstance(answers, ServiceTrouble):
        for position, answer in enumerate(answers):
            assert not answer.done or {200, 204} & set(said[str(2 * position)])
    if not isinstance(states, ServiceTrouble):
        assert set(states) == set(IDS)
        assert set(states.values()) <= {"enabled", "enforced", "disabled", "unknown"}
