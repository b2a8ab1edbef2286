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


def moment(text: str) -> datetime:
    """A date of Microsoft's as an aware one; some APIs leave the zone out and mean UTC."""
    read = datetime.fromisoformat(text)
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


def poll_after(days_since_action: float) -> float:
    """Days until the next look at something slow (subscription-facts 10.3): dense at first, then daily."""
    if days_since_action < 2 * HOUR:
        return 15 * MINUTE
    if days_since_action < 4:
        return HOUR
    return 1.0


def confirm_after(tries: int) -> float:
    """Days until the next fresh listing after a wave: half a minute, growing to ten minutes."""
    return min(0.5 * 2.0 ** min(tries, 10), 10.0) * MINUTE


def left_of(since: str, seconds: float, now: datetime) -> float:
    """Seconds left of a wait that began `since` (ISO 8601); `now` is UTC, as the engine gives it without an offset."""
    return seconds - (now.replace(tzinfo=UTC) - datetime.fromisoformat(since)).total_seconds()
