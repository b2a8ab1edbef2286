"""The deletion window: clocks that jump, nights, and until when an approval may be used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tenantclosure.model.approval_policy import ApprovalPolicy, DeletionWindow
from tenantclosure.policy.window import end_of_first, execute_by, is_open, next_opening

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTE = timedelta(minutes=1)
CHANGES = [
    ("Europe/Berlin", datetime(2027, 3, 28, 1, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2027, 3, 14, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("UTC", datetime(2026, 11, 1, tzinfo=UTC)),
]
"""Zone, and a moment in the middle of the weeks to look at: spring and autumn change, and none."""


def window(
    days: str = "sat", opens: str = "22:00", closes: str = "06:00", zone: str = "Europe/Berlin"
) -> DeletionWindow:
    data: dict[str, Any] = {"days": days.split(), "from": opens, "to": closes, "timeZone": zone}
    return DeletionWindow.model_validate(data)


def minute_by_minute(rule: DeletionWindow, start: datetime, minutes: int) -> list[bool]:
    """Written apart from the code: for each minute from `start` whether the window is open.

    A clerk watches the wall clock, writes down the latest time it ever showed (so that an hour that comes again does
    not count again, and a time that is jumped over counts as reached) and looks whether it lies in a window.
    """
    zone = ZoneInfo(rule.time_zone)
    opens = timedelta(hours=int(rule.opens[:2]), minutes=int(rule.opens[3:]))
    closes = timedelta(hours=int(rule.closes[:2]), minutes=int(rule.closes[3:]))
    length = (closes - opens) % timedelta(days=1) or timedelta(days=1)
    latest, found = datetime(2000, 1, 1), []  # noqa: DTZ001 - what a wall clock shows has no zone
    for number in range(minutes):
        shown = (start + number * MINUTE).astimezone(zone).replace(tzinfo=None, fold=0)
        latest = max(latest, shown)
        midnight = latest.replace(hour=0, minute=0)
        found.append(
            any(
                DAYS[day.weekday()] in rule.days and day + opens <= latest < day + opens + length
                for day in (midnight, midnight - timedelta(days=1))
            )
        )
    return found


@st.composite
def windows(draw: Any, zone: str) -> DeletionWindow:
    clock = st.builds("{:02}:{:02}".format, st.integers(0, 5) | st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
    days = draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=6, unique=True))
    return window(" ".join(days), draw(clock), draw(clock), zone)


@pytest.mark.slow
@pytest.mark.parametrize(("zone", "middle"), CHANGES)
@settings(max_examples=8)
@given(data=st.data())
def test_the_clerk_agrees(zone: str, middle: datetime, data: Any) -> None:
    """Over two weeks around a change of clocks the window is open in just those minutes, and says when it is next."""
    rule = data.draw(windows(zone))
    day = 24 * 60
    start, minutes = middle - timedelta(days=4), 14 * day
    clerk = minute_by_minute(rule, start - timedelta(days=1), minutes + day)[day:]
    edges = [n for n in range(1, minutes) if clerk[n] != clerk[n - 1]]
    drawn = data.draw(st.lists(st.integers(0, 6 * day), max_size=20))
    for number in {*drawn, *(near for edge in edges for near in (edge - 1, edge) if near < 6 * day)}:
        now = start + number * MINUTE
        assert clerk[number] == is_open(rule, now), now
        assert clerk[number] == is_open(rule, now + timedelta(seconds=59.999)), now
        opening = next((n for n in range(number, minutes) if clerk[n]), None)
        if opening is None:  # the clocks skip the one window of that week
            continue
        assert start + opening * MINUTE == next_opening(rule, now)
        end = next((n for n in range(opening, minutes) if not clerk[n]), None)
        if end is not None:
            assert start + end * MINUTE == end_of_first(rule, now)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("rule", "now", "opens", "ends"),
    [
        pytest.param(
            window(), "2026-11-07T12:00Z", "2026-11-07T21:00Z", "2026-11-08T05:00Z", id="a night belongs to its evening"
        ),
        pytest.param(
            window(), "2026-11-08T04:59Z", "2026-11-08T04:59Z", "2026-11-08T05:00Z", id="open until the last minute"
        ),
        pytest.param(
            window(), "2026-11-08T05:00Z", "2026-11-14T21:00Z", "2026-11-15T05:00Z", id="the closing does not count"
        ),
        pytest.param(
            window(),
            "2027-03-27T20:00Z",
            "2027-03-27T21:00Z",
            "2027-03-28T04:00Z",
            id="a spring night is an hour short",
        ),
        pytest.param(
            window("sun", "02:30", "05:00"),
            "2027-03-28T00:00Z",
            "2027-03-28T01:00Z",
            "2027-03-28T03:00Z",
            id="inside the gap it opens right after it",
        ),
        pytest.param(
            window("sun", "02:15", "02:45"),
            "2027-03-28T00:00Z",
            "2027-04-04T00:15Z",
            "2027-04-04T00:45Z",
            id="wholly inside the gap it does not open",
        ),
        pytest.param(
            window("sun", "01:00", "02:30"),
            "2027-03-27T00:00Z",
            "2027-03-28T00:00Z",
            "2027-03-28T01:00Z",
            id="closing inside the gap it ends with the jump",
        ),
        pytest.param(
            window("sun", "02:15", "02:45"),
            "2026-10-25T00:50Z",
            "2026-11-01T01:15Z",
            "2026-11-01T01:45Z",
            id="an hour that comes twice counts once",
        ),
        pytest.param(
            window("fri sat", "12:00", "12:00", "UTC"),
            "2026-11-06T13:00Z",
            "2026-11-06T13:00Z",
            "2026-11-08T12:00Z",
            id="days that touch are one opening",
        ),
    ],
)
def test_openings(rule: DeletionWindow, now: str, opens: str, ends: str) -> None:
    """When a window opens next and when that opening ends, on the days on which it is easy to be wrong."""
    assert (at(opens), at(ends)) == (next_opening(rule, at(now)), end_of_first(rule, at(now)))


def test_an_approval_lasts_for_one_window() -> None:
    """It must be used within its days and before the first window closes; without a window the days alone count."""
    now = at("2026-11-05T12:00Z")
    assert at("2026-11-08T12:00Z") == execute_by(3, None, now)
    assert at("2026-11-08T05:00Z") == execute_by(7, window(), now)
    assert at("2026-11-08T00:00Z") == execute_by(2.5, window(), now)
    assert at("2026-11-15T05:00Z") == execute_by(14, window(), at("2026-11-08T05:00Z"))


def policy(rule: DeletionWindow, closed: timedelta) -> ApprovalPolicy:
    """A policy whose approvals live for `closed`; ValidationError when that is too short for the window."""
    gates = {gate: {"executeByDays": closed / timedelta(days=1)} for gate in ("plan", "go-on", "delete-tenant")}
    return ApprovalPolicy.model_validate({"groups": {"it": ["a@b.com"]}, "gates": gates, "window": rule})


@pytest.mark.slow
@pytest.mark.parametrize(("zone", "middle"), CHANGES)
@settings(max_examples=20)
@given(data=st.data())
def test_every_approval_meets_an_opening(zone: str, middle: datetime, data: Any) -> None:
    """Under a policy that is accepted an approval of any minute, the worst ones too, is in force in an open window."""
    rule = data.draw(windows(zone))
    life = timedelta(hours=data.draw(st.integers(1, 15 * 24)))
    try:
        days = policy(rule, life).rule("plan").execute_by_days
    except ValidationError:
        return
    closings = [end_of_first(rule, middle + timedelta(days=n)) for n in range(-20, 10)]
    drawn = [middle + n * MINUTE for n in data.draw(st.lists(st.integers(-5000, 5000), max_size=10))]
    for now in (*closings, *drawn):
        assert next_opening(rule, now) < execute_by(days, rule, now)


@pytest.mark.parametrize(
    ("rule", "closed"),
    [
        pytest.param(window(), timedelta(days=6, hours=16), id="a night, with the change of clocks inside"),
        pytest.param(window("sat", "08:00", "18:00"), timedelta(days=6, hours=15), id="a day: longer in autumn"),
        pytest.param(window("sat", "08:00", "18:00", "UTC"), timedelta(days=6, hours=14), id="no change of clocks"),
        pytest.param(window("sun", "02:00", "03:00"), timedelta(days=13, hours=22), id="skipped once in spring"),
        pytest.param(window("mon thu", "20:00", "23:00"), timedelta(days=3, hours=22), id="the longer of two"),
        pytest.param(window("fri sat sun", "00:00", "00:00"), timedelta(days=4, hours=0), id="three whole days"),
    ],
)
def test_days_must_outlast_the_closed_window(rule: DeletionWindow, closed: timedelta) -> None:
    """Days as long as the window stays closed are refused, a minute more is accepted."""
    with pytest.raises(ValidationError, match="executeByDays"):
        policy(rule, closed)
    assert rule == policy(rule, closed + MINUTE).window
