"""When people are reminded of a manual task, and when it goes to Support (subscription-facts 10.3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tenantclosure.policy.timing import SHOWN_LEAST, SHOWN_WITHIN

REMIND_AFTER = (1.0, 3.0, 7.0)
"""Days after its opening on which an open task is brought to mind."""


def reminders_due(task: Mapping[str, Any], now: datetime, day_seconds: float) -> int:
    """How many reminders an open task should have had by now, counted from its opening; 0 for a proven one.

    Whoever reminds compares it with the task's `reminders`, sends one message at most and stores the number, so that a
    long sleep does not end in a heap of mail.
    """
    if task["state"] != "open":
        return 0
    opened = datetime.fromisoformat(task["openedAt"])
    return sum(opened + timedelta(seconds=days * day_seconds) <= now for days in REMIND_AFTER)


def late(since: str, now: datetime, day_seconds: float) -> bool:
    """Whether what was done, accepted or reported `since` ought to show by now: 72 hours and a day of slack."""
    gone = (now - datetime.fromisoformat(since)).total_seconds()
    return gone >= max(SHOWN_WITHIN * day_seconds, SHOWN_LEAST)


def to_escalate(task: Mapping[str, Any], now: datetime, day_seconds: float) -> bool:
    """Whether an open task was reported done so long ago that Support has to be asked, and was not asked yet."""
    if task["state"] != "open" or task.get("escalatedAt") or not task["reports"]:
        return False
    return late(task["reports"][-1]["at"], now, day_seconds)
