"""How fast we write: a token bucket per lane, carried as plain numbers from one activity to the next.

Microsoft's write quota is a bucket of 3,000 that refills with 20 a second, per application and tenant (tenant-facts D).
A lane's share is the limit divided by the live lanes, so the limit holds whatever the scale-out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Bucket:
    """Tokens at a moment; `rate` tokens a second flow in, at most `burst` stay."""

    rate: float
    burst: float
    tokens: float
    at: datetime

    def held(self, now: datetime) -> float:
        """Tokens at this moment, below zero for a debt; a clock that went back adds nothing."""
        passed = max(0.0, (now - self.at).total_seconds())
        return min(self.burst, self.tokens + passed * self.rate)

    def take(self, count: int, now: datetime) -> Bucket:
        """Take tokens; what is missing becomes a debt that later writes wait for."""
        return Bucket(self.rate, self.burst, self.held(now) - count, now)

    def wait_for(self, count: int, now: datetime) -> float:
        """Seconds until `count` tokens (or a full bucket, if that is less) are there."""
        lacking = min(float(count), self.burst) - self.held(now)
        return max(0.0, lacking / self.rate)

    def to_dict(self) -> dict[str, Any]:
        """As it crosses a durable boundary."""
        return {"rate": self.rate, "burst": self.burst, "tokens": self.tokens, "at": self.at.isoformat()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Bucket:
        """Read what `to_dict` wrote."""
        return cls(data["rate"], data["burst"], data["tokens"], datetime.fromisoformat(data["at"]))


def tokens_left(burst: float, rate: float, made: Iterable[tuple[datetime, int]], now: datetime) -> float:
    """Tokens the service's bucket holds at least, after writes known as (latest moment, how many).

    Used when a closure goes on after a stop, so that a full bucket is not assumed again. Writes are taken as made at
    their latest moment: a bucket that was full for a while before them has gained nothing by that.
    """
    bucket = None
    for at, count in sorted(made):
        bucket = (bucket or Bucket(rate, burst, burst, at)).take(count, at)
    return burst if bucket is None else max(0.0, bucket.held(now))


def share(tokens: float, rate: float, burst: float, lanes: int, now: datetime) -> Bucket:
    """One lane's part of the whole limit."""
    return Bucket(rate / lanes, max(1.0, burst / lanes), tokens / lanes, now)
