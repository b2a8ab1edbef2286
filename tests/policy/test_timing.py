"""Waits: dense at first, later rarer, never nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.policy import timing
from tenantclosure.policy.timing import CONFIRM_TRIES, HOUR, MINUTE, confirm_after, moment, poll_after


@given(st.floats(0, 400), st.floats(0, 400))
def test_polls_grow_rarer(one: float, other: float) -> None:
    """The longer ago something was done, the later it is looked at again; between a quarter of an hour and a day."""
    early, late = sorted((one, other))
    assert 15 * MINUTE <= poll_after(early) <= poll_after(late) <= 1


def test_polls_by_the_clock() -> None:
    """A quarter of an hour for two hours, an hour for four days, then a day (subscription-facts 10.3)."""
    assert [poll_after(d) for d in (0, HOUR, 3 * HOUR, 3.9, 4, 90)] == [15 * MINUTE] * 2 + [HOUR] * 2 + [1] * 2


def test_confirmations_come_within_minutes() -> None:
    """The first look after a wave comes within half a minute; none is more than ten minutes away."""
    waits = [confirm_after(tries) for tries in range(CONFIRM_TRIES + 1)]
    assert waits[0] == 0.5 * MINUTE
    assert waits == sorted(waits)
    assert waits[-1] == 10 * MINUTE


def test_dates_of_microsoft_s() -> None:
    """With Z, with an offset, with seven digits or without a zone: one aware moment."""
    expected = datetime(2026, 11, 1, 12, tzinfo=UTC)
    texts = ("2026-11-01T12:00:00Z", "2026-11-01T13:00:00+01:00", "2026-11-01T12:00:00.0000000Z", "2026-11-01T12:00:00")
    assert {moment(text) for text in texts} == {expected}
    assert moment("2026-11-01").tzinfo is not None


def test_a_wait_counts_from_when_it_began() -> None:
    """What is left of a wait depends on its beginning alone, so no restart and no pause starts it over."""
    now = datetime(2026, 1, 3, 12)  # noqa: DTZ001  # the engine's clock carries no offset

    assert 12 * 3600.0 == timing.left_of("2026-01-01T00:00:00.000Z", 3 * 86400.0, now)
    assert timing.left_of("2026-01-01T00:00:00.000Z", 86400.0, now) < 0


@pytest.mark.parametrize(
    ("acted", "date", "days"),
    [(None, None, 1), (None, 200, 7), (10, 200, 7), (1, 200, HOUR), (None, 31, 7), (None, 20, 1), (None, -0.9, 0.1)],
)
def test_a_date_far_off_is_looked_at_once_a_week(acted: float | None, date: float | None, days: float) -> None:
    """Weekly while the next date is more than 30 days off, then daily, and no later than it with a day of slack."""
    assert poll_after(acted, date) == pytest.approx(days)
