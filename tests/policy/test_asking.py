"""Reminders and deputies: due when their day has come, one at a time, never after the answer-by date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.policy.asking import due
from tests.policy.people import person

START = datetime(2026, 11, 1, tzinfo=UTC)
TERMS = {"remindAfterDays": [1.0, 3.0], "escalateAfterDays": 4}
DAY = 86400.0


def gate(**changes: Any) -> dict[str, Any]:
    """Opened at START, to be answered within seven days; bob is the deputy of ann."""
    return {
        "openedAt": START.isoformat(),
        "answerBy": (START + timedelta(days=7)).isoformat(),
        "reopened": [],
        "reminders": 0,
        "groups": {"it": {"quorum": 1, "people": [person("ann")], "deputies": [person("bob")]}},
        **changes,
    }


@pytest.mark.parametrize(
    ("day", "reminders", "escalate", "left"),
    [
        (0, 0, False, 1),
        (0.75, 0, False, 0.25),
        (1, 1, False, 2),
        (3, 2, False, 1),
        (4, 2, True, None),
        (6.5, 2, True, None),
    ],
)
def test_each_on_its_day(day: float, reminders: int, escalate: bool, left: float | None) -> None:
    """Reminders after one and three days, deputies after four; in between it tells how long until the next."""
    seconds = None if left is None else left * DAY
    assert (reminders, escalate, seconds) == due(gate(), TERMS, START + timedelta(days=day), DAY)


def test_nothing_after_the_answer_by_date() -> None:
    """From answer-by on nothing is due, and what would fall after it is never announced."""
    for day in (7, 30):
        assert (1, False, None) == due(gate(reminders=1), TERMS, START + timedelta(days=day), DAY)
    late = {"remindAfterDays": [1, 7, 9], "escalateAfterDays": 8}
    assert (1, False, None) == due(gate(), late, START + timedelta(days=6.9), DAY)


def test_a_reopened_gate_starts_again() -> None:
    """Days count from the last reopening."""
    reopened = gate(
        answerBy=(START + timedelta(days=17)).isoformat(),
        reopened=[{"at": (START + timedelta(days=day)).isoformat(), "why": "revoked"} for day in (5, 10)],
    )
    assert (0, False, DAY) == due(reopened, TERMS, START + timedelta(days=10), DAY)
    assert (1, False, 2 * DAY) == due(reopened, TERMS, START + timedelta(days=11), DAY)


def test_deputies_are_asked_once() -> None:
    """Where every deputy stands among the people, or none was named, there is nobody to escalate to."""
    later = START + timedelta(days=5)
    asked = {"quorum": 1, "people": [person("ann"), {**person("bob"), "mail": "b@f.com"}], "deputies": [person("bob")]}
    assert (2, False, None) == due(gate(groups={"it": asked}), TERMS, later, DAY)
    assert (2, False, None) == due(gate(groups={"it": {**asked, "deputies": []}}), TERMS, later, DAY)
    unknown = [person("", upn=upn) for upn in ("ann@f.com", "bob@f.com")]
    rehearsal = {"it": {"quorum": 1, "people": unknown[:1], "deputies": unknown[1:]}}
    assert (2, True, None) == due(gate(groups=rehearsal), TERMS, later, DAY)
    assert (0, False, DAY) == due(gate(groups={"it": asked}), TERMS, START, DAY)


def test_a_rehearsal_has_short_days() -> None:
    """Days of reminders last as long as Microsoft's days do; the answer-by date stays where it is."""
    assert (1, False, 2.0) == due(gate(), TERMS, START + timedelta(seconds=1), 1.0)
    assert (2, True, None) == due(gate(), TERMS, START + timedelta(hours=1), 1.0)


@given(
    st.lists(st.floats(0.01, 10), max_size=5),
    st.floats(0.01, 10),
    st.lists(st.floats(0, 4 * DAY), max_size=20),
    st.sampled_from([DAY, 60.0, 1.0]),
)
def test_one_message_at_a_time(reminders: list[float], escalate: float, sleeps: list[float], day: float) -> None:
    """However long somebody sleeps between two looks: at most one reminder each time, never more than were asked for,
    none before its day and none after the answer-by date.
    """
    doc, terms, now, sent = gate(), {"remindAfterDays": reminders, "escalateAfterDays": escalate}, START, 0
    end = START + timedelta(days=7)
    for sleep in sleeps:
        now += timedelta(seconds=sleep)
        number, deputies, left = due(doc, terms, now, day)
        past = [days for days in reminders if START + timedelta(seconds=days * day) <= now]
        if number > doc["reminders"]:
            sent += 1
            assert now < end
            assert len(past) == number
        doc["reminders"] = number
        assert sent <= len(past)
        assert not deputies or START + timedelta(seconds=escalate * day) <= now < end
        assert left is None or 0 < left <= (end - now).total_seconds()
    assert due(doc, terms, now, day)[0] == doc["reminders"]
