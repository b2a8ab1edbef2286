"""The local host with a `Clock` that jumps: `python -m tests.chaos.host`, with the options of `python -m embedded`.

The file named by CHAOS_CLOCK holds by how many seconds the clock is off; it is read at every look, so that a clock that
jumped stays as wrong after a kill as a machine's would.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

from embedded.__main__ import main
from tenantclosure.gateways import clock


class JumpingClock(clock.SystemClock):
    """The wall clock, off by what the file says."""

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=float(Path(os.environ["CHAOS_CLOCK"]).read_text(encoding="ascii")))


if __name__ == "__main__":
    clock.SystemClock = JumpingClock  # type: ignore[misc]  # what `wiring.build` makes the port's implementation of
    sys.exit(main())
