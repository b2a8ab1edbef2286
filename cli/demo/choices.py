"""What a person chose for a rehearsal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cli.errors import BadInput

PUBLISHED_QUOTA = "3000/150"
"""Graph's published write quota: 3,000 requests in 2 minutes 30, that is a burst of 3,000 and then 20 a second."""
UNLIMITED = "5000/100000"


@dataclass(frozen=True, slots=True)
class Choices:
    """The options of `closure demo`."""

    users: int
    seed: int
    profile: str
    quota: str
    approve_all: bool
    once: bool
    as_json: bool
    day_seconds: float
    latency_ms: float
    keep_state: bool
    state_dir: Path | None
    output: Path | None
    port: int

    @property
    def ends_by_itself(self) -> bool:
        """With --approve-all nobody is needed, so nobody has to end it either."""
        return self.once or self.approve_all


def write_limit(quota: str) -> str:
    """Our own pace (`rate/burst`) for a simulator quota (`off` or CAP/WINDOW in seconds). Raises BadInput."""
    if quota == "off":
        return UNLIMITED
    cap, _, window = quota.partition("/")
    try:
        count, seconds = int(cap), float(window)
    except ValueError:
        count, seconds = 0, 0.0
    if count < 1 or not 0 < seconds < float("inf"):
        raise BadInput("--quota", f"{quota!r} is not a quota.", "Give off, or CAP/WINDOW in seconds such as 3000/150.")
    return f"{max(1, int(count / seconds))}/{count}"
