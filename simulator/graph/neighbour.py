"""Plays another program that writes with our app in the target: at normal priority, evenly spaced, without retries.

It makes its writes late but at their own times: whoever looks at the bucket lets it catch up first.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.graph.throttle import Bucket


MOST_WRITES = 1000


class Neighbour:
    """What it asks for, in writes a second, and what it was given; a rate of 0 is nobody."""

    def __init__(self, rate: float) -> None:
        self.asked = 0
        self.given = 0
        self.rate = self.due = 0.0
        self.set(rate)

    def set(self, rate: float) -> None:
        """Choose how many writes a second it asks for, from now on; ValueError when that is no rate."""
        if not 0 <= rate <= MOST_WRITES:
            raise ValueError(f"'neighbour' is a number of writes a second, 0 to {MOST_WRITES}")
        self.rate = rate
        self.due = time.monotonic() + (1 / rate if rate else 0.0)

    def catch_up(self, bucket: Bucket, quota: tuple[int, float] | None) -> None:
        """Make the writes that are due by now."""
        if not self.rate:
            return
        now = time.monotonic()
        while self.due <= now:
            self.asked += 1
            self.given += quota is None or bucket.take(1, *quota, now=self.due)[0]
            self.due += 1 / self.rate
