"""NCRONTAB schedules."""

from datetime import UTC, datetime

import pytest

from embedded.errors import EmbeddedError
from embedded.ncrontab import Schedule

START = datetime(2026, 1, 30, 23, 59, 58, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("* * * * * *", "2026-01-30 23:59:59"),
        ("0 */5 * * * *", "2026-01-31 00:00:00"),
        ("*/5 * * * *", "2026-01-31 00:00:00"),
        ("30 15,45 8-10 * * *", "2026-01-31 08:15:30"),
        ("0 0 9 * * mon-fri", "2026-02-02 09:00:00"),
        ("0 0 0 29 Feb *", "2028-02-29 00:00:00"),
        ("0 0 12 1 * 0", "2026-02-01 12:00:00"),
        ("58 59 23 30 1 *", "2027-01-30 23:59:58"),
    ],
)
def test_next_date(text: str, due: str) -> None:
    """The next date is later than the given one and fits every field."""
    assert Schedule(text).next(START) == datetime.fromisoformat(due).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "* * * *", "60 * * * * *", "* * * * * 7", "5-1 * * * * *", "x * * * * *", "*/0 * * * * *"]
)
def test_bad_schedule(text: str) -> None:
    """A schedule that means nothing is named in one sentence."""
    with pytest.raises(EmbeddedError, match="not a timer schedule"):
        Schedule(text)


def test_schedule_without_a_date() -> None:
    """31 February never comes; that is an error, not an endless search."""
    with pytest.raises(EmbeddedError, match="no next date"):
        Schedule("0 0 0 31 2 *").next(START)
