"""`ports.Clock` that stands still until it is told to go on, or until somebody sleeps."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

TURNS = 100
"""Turns of the event loop in a sleep: what runs beside it in memory gets to its end meanwhile."""


class FakeClock:
    """`slept` keeps every sleep; each look is a millisecond later, so two decisions never share a key."""

    def __init__(self, moment: datetime = datetime(2026, 11, 1, 12, tzinfo=UTC), day_seconds: float = 86400.0) -> None:
        self.moment, self.day_seconds = moment, day_seconds
        self.slept: list[float] = []

    def now(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment

    def days(self, days: float) -> float:
        return days * self.day_seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def go_on(self, **by: float) -> None:
        """Let time pass: `go_on(days=3)`."""
        self.moment += timedelta(**by)
