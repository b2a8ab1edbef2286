"""When to look again: waits in Microsoft's days, as the domain's lags suggest them."""

from __future__ import annotations

from datetime import UTC, datetime

HOUR = 1 / 24
MINUTE = HOUR / 60
CONFIRM_TRIES = 40
"""Fresh listings after a wave until what still shows counts as left over (replication lag, tenant-facts C1)."""
GONE_SIGHTINGS = 3
"""Consecutive answers "no such tenant" before we believe it (tenant-facts B)."""
PROOF_GAP = HOUR
"""Least distance of the two reads that prove a subscription deleted (product, phase 9)."""
SHOWN_WITHIN = 4.0
"""Days within which what was accepted or reported done must show (subscription-facts 7: 72 h, and a day of slack)."""
SHOWN_LEAST = 10.0
"""Real seconds that it always has: a rehearsal shortens Microsoft's days, not the work of one call."""
DELETION_WITHIN = 1.0
"""Days within which Azure must be through with the deletion of an external tenant; then a person is asked."""
ANSWER_WITHIN = 15 * MINUTE
"""Days for which a write whose answer was lost is looked for before it is sent again."""
SLACK = 1.0
"""Days added to every date of Microsoft's (subscription-facts 10.3)."""
FAR = 30.0
"""A date farther off than so many days is looked at once a week."""


def moment(text: str) -> datetime:
    """A date of Microsoft's as an aware one; some APIs leave the zone out and mean UTC."""
    read = datetime.fromisoformat(text)
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


def poll_after(days_since_action: float | None, days_to_date: float | None = None) -> float:
    """Days until the next look at something slow (subscription-facts 10.3): dense after an action (None: there was
    none), then daily; weekly while the next date is far off, but never later than that date with its slack.
    """
    if days_since_action is not None and days_since_action < 2 * HOUR:
        wait = 15 * MINUTE
    elif days_since_action is not None and days_since_action < SHOWN_WITHIN:
        wait = HOUR
    else:
        wait = 7.0 if days_to_date is not None and days_to_date > FAR else 1.0
    if days_to_date is not None and days_to_date + SLACK > 0:
        wait = min(wait, max(days_to_date + SLACK, 15 * MINUTE))
    return wait


def operation_after(days_running: float) -> float:
    """Days until the next look at an operation of Azure's: as long again as it has run, a minute to an hour."""
    return min(max(days_running, MINUTE), HOUR)


def confirm_after(tries: int) -> float:
    """Days until the next fresh listing after a wave: half a minute, growing to ten minutes."""
    return min(0.5 * 2.0 ** min(tries, 10), 10.0) * MINUTE


def left_of(since: str, seconds: float, now: datetime) -> float:
    """Seconds left of a wait that began `since` (ISO 8601); `now` is UTC, as the engine gives it without an offset."""
    return seconds - (now.replace(tzinfo=UTC) - datetime.fromisoformat(since)).total_seconds()
