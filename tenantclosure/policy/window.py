"""The deletion window: when the tenant may be written to, and until when an approval may be used."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tenantclosure.model.approval_policy import DeletionWindow


def is_open(window: DeletionWindow, now: datetime) -> bool:
    """Whether the tenant may be written to at this moment; the opening counts, the closing does not."""
    return _first(window, now)[0] <= now


def next_opening(window: DeletionWindow, now: datetime) -> datetime:
    """`now` if the window is open, else when it opens next (UTC)."""
    return max(_first(window, now)[0], now)


def end_of_first(window: DeletionWindow, now: datetime) -> datetime:
    """When the window that is open now, or that opens next, closes (UTC)."""
    return _first(window, now)[1]


def execute_by(days: float, window: DeletionWindow | None, now: datetime) -> datetime:
    """Until when an approval given `now` must be used: `days` real days, and no longer than its first window.

    An approval whose window is missed is withdrawn, so that nothing is deleted in a later window that nobody had in
    mind when they agreed.
    """
    latest = now + timedelta(days=days)
    return latest if window is None else min(latest, end_of_first(window, now))


def _first(window: DeletionWindow, now: datetime) -> tuple[datetime, datetime]:
    """Open and close of the first unbroken opening that ends after `now`; days that touch are one opening."""
    day = now.astimezone(ZoneInfo(window.time_zone)).date() - timedelta(days=1)  # yesterday's may last into today
    while (found := window.opening(day)) is None or found[1] <= now:
        day += timedelta(days=1)
    opens, closes = found
    while (after := window.opening(day := day + timedelta(days=1))) is not None and after[0] <= closes:
        closes = after[1]
    return opens, closes
