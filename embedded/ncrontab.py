"""Next dates of an NCRONTAB schedule, the cron dialect of Azure's timer triggers.

Written here because the libraries put the seconds last (croniter, archived) or parse no six-field text (APScheduler);
we need one function of forty lines.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from embedded.errors import EmbeddedError

FIELDS = (("second", 0, 59), ("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 6))
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
HORIZON_DAYS = 366 * 8  # 29 February comes round within eight years


def parse_field(text: str, name: str, low: int, high: int) -> frozenset[int]:
    """One field: ``*``, numbers or names, ranges, lists and steps."""
    words = {
        "month": {word: n for n, word in enumerate(MONTHS, 1)},
        "weekday": {word: n for n, word in enumerate(WEEKDAYS)},
    }.get(name, {})

    def number(word: str) -> int:
        return words[word[:3].lower()] if word[:3].lower() in words else int(word)

    values: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        start = low if first == "*" else number(first)
        stop = number(last) if dash else high if first == "*" or slash else start
        if not low <= start <= stop <= high or (slash and int(step) < 1):
            raise ValueError(part)
        values.update(range(start, stop + 1, int(step) if slash else 1))
    return frozenset(values)


class Schedule:
    """``{second} {minute} {hour} {day} {month} {day of week}`` in UTC; five fields mean second 0."""

    def __init__(self, text: str) -> None:
        parts = text.split()
        try:
            if len(parts) not in (5, 6):
                raise ValueError(text)
            parts = ["0", *parts] if len(parts) == 5 else parts
            self._second, self._minute, self._hour, self._day, self._month, self._weekday = (
                parse_field(part, *field) for part, field in zip(parts, FIELDS, strict=True)
            )
        except ValueError:
            raise EmbeddedError(f"'{text}' is not a timer schedule such as '0 */5 * * * *'.") from None

    def _days(self, start: datetime) -> Iterator[datetime]:
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        for offset in range(HORIZON_DAYS):
            day = midnight + timedelta(days=offset)
            if day.month in self._month and day.day in self._day and day.isoweekday() % 7 in self._weekday:
                yield day

    def next(self, after: datetime) -> datetime:
        """The first date of the schedule later than ``after``."""
        after = after.astimezone(UTC)
        for day in self._days(after):
            for hour in sorted(self._hour):
                if day.replace(hour=hour, minute=59, second=59) <= after:
                    continue
                for minute in sorted(self._minute):
                    if day.replace(hour=hour, minute=minute, second=59) <= after:
                        continue
                    for second in sorted(self._second):
                        if (found := day.replace(hour=hour, minute=minute, second=second)) > after:
                            return found
        raise EmbeddedError("A timer's schedule has no next date.")
