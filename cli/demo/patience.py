"""Decides when a rehearsal that ends by itself has waited long enough."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from tenantclosure.names import Phase

RESTLESS = frozenset({"updatedAt", "rate", "eta", "earliest"})
"""Members that change although nothing happens."""
LONGEST_WAIT = timedelta(minutes=30)
"""A blocker that goes away by itself within this time is worth waiting for."""


class Patience:
    """Given each document; `over` says that only blockers without a local remedy remain, or that nothing moves."""

    def __init__(self, day_seconds: float, *, approve_all: bool) -> None:
        # The longest silence Microsoft's lags ask for is 90 days; a third more for the slow laptop.
        self._still_seconds = max(120.0, 120.0 * day_seconds)
        self._blocked_seconds = max(10.0, 3 * day_seconds)
        self._for_people = () if approve_all else ("waiting-approval", "paused")
        self._last, self._last_change = "", time.monotonic()

    def over(self, document: dict[str, Any], left_alone: frozenset[str] = frozenset()) -> bool:
        """Whether to stop waiting now; people may take as long as they like.

        `left_alone` are ids of open tasks that nobody here will get done.
        """
        now = time.monotonic()
        seen = json.dumps({key: value for key, value in document.items() if key not in RESTLESS}, sort_keys=True)
        if seen != self._last:
            self._last, self._last_change = seen, now
        if document.get("status") in self._for_people:
            return False
        hopeless = document.get("status") == "waiting" and _hopeless(document, left_alone)
        return now - self._last_change > (self._blocked_seconds if hopeless else self._still_seconds)


def _hopeless(document: dict[str, Any], left_alone: frozenset[str]) -> bool:
    blockers = document.get("blockers") or []
    # Before the phase readiness blockers are foreseen: the closure may yet come to what clears them.
    return (
        document.get("phase", Phase.READINESS) == Phase.READINESS
        and bool(blockers)
        and not set((document.get("tasks") or {}).get("ids") or ()) - left_alone
        and not any(_passes(blocker) for blocker in blockers)
    )


def _passes(blocker: Any) -> bool:
    earliest = blocker.get("earliest") if isinstance(blocker, dict) else None
    try:
        return earliest is not None and datetime.fromisoformat(str(earliest)) < datetime.now(UTC) + LONGEST_WAIT
    except (ValueError, TypeError):
        return False
