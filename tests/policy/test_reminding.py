"""Reminders after one, three and seven days; Support after 96 hours; both on days of any length."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.policy.reminding import late, reminders_due, to_escalate

START = datetime(2026, 11, 1, tzinfo=UTC)
DAY = 86400.0


def task(*reported: float, **changes: Any) -> dict[str, Any]:
    """Open since START, reported done after so many days."""
    reports = [{"by": {}, "at": (START + timedelta(days=days)).isoformat(), "comment": ""} for days in reported]
    return {"state": "open", "openedAt": START.isoformat(), "reports": reports, "escalatedAt": None, **changes}


@pytest.mark.parametrize(
    ("days", "due"), [(0, 0), (0.999, 0), (1, 1), (2.999, 1), (3, 2), (6.999, 2), (7, 3), (400, 3)]
)
def test_reminders_have_their_days(days: float, due: int) -> None:
    """24 hours, 72 hours, 7 days after the opening, and no more after that."""
    assert due == reminders_due(task(), START + timedelta(days=days), DAY)


def test_nobody_is_reminded_of_what_is_proven() -> None:
    """However long ago it was opened."""
    assert 0 == reminders_due(task(state="proven"), START + timedelta(days=9), DAY)


@pytest.mark.parametrize(
    ("reported", "days", "changes", "expected"),
    [
        ((), 90, {}, False),
        ((1,), 4.999, {}, False),
        ((1,), 5, {}, True),
        ((1, 3), 5, {}, False),
        ((1, 3), 7, {}, True),
        ((1,), 9, {"state": "proven"}, False),
        ((1,), 9, {"escalatedAt": "2026-11-06T00:00:00Z"}, False),
    ],
)
def test_support_is_asked_96_hours_after_the_newest_report(
    reported: tuple[float, ...], days: float, changes: dict[str, Any], expected: bool
) -> None:
    """Once, and never about what nobody reported or what is proven."""
    assert expected == to_escalate(task(*reported, **changes), START + timedelta(days=days), DAY)


@given(st.floats(0.01, DAY), st.floats(0, 100))
def test_a_short_day_leaves_time_for_one_call(day: float, days: float) -> None:
    """On a compressed clock nothing is late within ten real seconds."""
    seconds = days * day
    assert not (late(START.isoformat(), START + timedelta(seconds=seconds), day) and seconds < 10 - 1e-3)
