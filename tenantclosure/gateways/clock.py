"""Real time for activities, with the length of a day that the settings name."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime


class SystemClock:
    """`ports.Clock` on the wall clock. `day_seconds` is `CLOSURE_DAY_SECONDS` (86400 unless rehearsing)."""

    def __init__(self, day_seconds: float = 86400.0) -> None:
        self._day_seconds = day_seconds

    def now(self) -> datetime:
        """Aware UTC now."""
        return datetime.now(UTC)

    def days(self, days: float) -> float:
        """Seconds that stand for so many of Microsoft's days."""
        return days * self._day_seconds

    async def sleep(self, seconds: float) -> None:
        """Wait; negative times wait not at all."""
        await asyncio.sleep(max(0.0, seconds))
