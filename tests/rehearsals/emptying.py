"""A local host whose task hub is emptied by SIGUSR1 while it lives: `python -m tests.rehearsals.emptying`.

Everything the engine knew is gone: instances, timers, queued work. What runs right then answers to nobody. The sweep
comes twice a second and takes no closure for a young one, so that a rehearsal need not wait for the full minute.
"""

from __future__ import annotations

import signal
import sys
from datetime import timedelta
from typing import Any

from embedded import backend, timers
from embedded.__main__ import main
from web import sweeping

EVERY = timedelta(seconds=0.5)


class ForgetfulBackend(backend.Backend):
    """The embedded backend, which forgets on a signal."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        signal.signal(signal.SIGUSR1, lambda *_: self.forget())

    def forget(self) -> None:
        """Empty the hub."""
        with self._lock:
            self._instances.clear()
            self._parents.clear()
            self._orchestration_queue.clear()
            self._orchestration_queue_set.clear()
            self._orchestration_in_flight.clear()
            self._activity_queue.clear()


if __name__ == "__main__":
    backend.Backend = ForgetfulBackend  # type: ignore[misc]  # what `LocalHost` makes its hub of
    timers.read_schedule = lambda _: timers.Interval(EVERY)  # type: ignore[assignment]
    sweeping.YOUNG = timedelta()
    sys.exit(main())
