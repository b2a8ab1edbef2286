"""One thread that calls functions back at given times, however many and however far away."""

import heapq
import itertools
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

# The wall clock may jump (a laptop wakes up, a clock is set): look again at least this often.
LONGEST_NAP_SECONDS = 5.0
logger = logging.getLogger(__name__)


class Alarms:
    """Pending callbacks by due time; each must be quick and is called outside our lock."""

    def __init__(self) -> None:
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()  # breaks ties: callbacks do not compare
        self._changed = threading.Condition()
        self._stopped = False

    def start(self) -> None:
        """Begin to call back."""
        threading.Thread(target=self._run, name="alarms", daemon=True).start()

    def stop(self) -> None:
        """Call nobody back any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def at(self, when: datetime, call: Callable[[], None]) -> None:
        """Call ``call`` at ``when``, or at once when that is past."""
        with self._changed:
            heapq.heappush(self._due, (when, next(self._order), call))
            self._changed.notify()

    def __len__(self) -> int:
        return len(self._due)

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next callback that is due; None once stopped."""
        with self._changed:
            while not self._stopped:
                seconds = (self._due[0][0] - datetime.now(UTC)).total_seconds() if self._due else LONGEST_NAP_SECONDS
                if seconds <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(min(seconds, LONGEST_NAP_SECONDS))
        return None

    def _run(self) -> None:
        while (call := self._next()) is not None:
            try:
                call()
            except Exception:
                logger.exception("A timer's callback failed.")
