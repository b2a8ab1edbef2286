"""Tells the time, and how long one of Microsoft's days lasts here.

Dates on the wire are always real UTC; only the *length* of a wait counted in days is shortened.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Real UTC now, and days of a settable length."""

    def __init__(self, day_seconds: float) -> None:
        self.day_seconds = day_seconds

    def now(self) -> datetime:
        """Return the real time, aware, in UTC."""
        return datetime.now(UTC)

    def days(self, n: float) -> timedelta:
        """Return how long ``n`` of Microsoft's days last here."""
        return timedelta(seconds=n * self.day_seconds)


def iso(moment: datetime | None) -> str | None:
    """Write a moment as Graph does: ``2025-01-31T12:00:00Z``, to the second."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
