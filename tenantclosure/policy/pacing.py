"""How fast we write: a token bucket per lane that learns, carried as plain numbers from one activity to the next.

Microsoft's write quota is a bucket of 3,000 that refills with 20 a second, per application and tenant (tenant-facts D).
Each lane gets a part of it, and all parts together are the whole, so the limit holds whatever the scale-out. Nobody is
told how much others use of it: the bucket starts from what is published and follows what the answers say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

CUT = 0.7
"""What is left of the pace after a 429."""
LEAST = 0.02
"""Part of the limit below which the pace is never cut: one try now and then shows when the trouble is over."""
NEAR = 0.9
"""Up to this part of the pace at which the last trouble came, the way back is fast."""
FAST, SLOW = 1.5, 1.01
"""What 20 writes in a row without trouble make of the pace: far below the last trouble, and near it or beyond."""
SLACK_SECONDS, SLACK_SHARE = 2.0, 0.01
"""How far the service's word on its bucket may lie below our count: its word is rounded to a hundredth, and old."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Tokens at a moment; `rate` tokens a second flow in, at most `burst` stay. `rate` never rises above `limit`.

    `ceiling` is the pace at which the last trouble came; `clean` says that a write has got through since. `whole` is
    what the service's own bucket holds when it is full, of which this one is a part.
    """

    rate: float
    burst: float
    tokens: float
    at: datetime
    limit: float = field(default=0.0)
    ceiling: float = field(default=0.0)
    clean: bool = True
    whole: float = field(default=0.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "limit", self.limit or self.rate)
        object.__setattr__(self, "ceiling", self.ceiling or self.limit)
        object.__setattr__(self, "whole", self.whole or self.burst)

    @property
    def slowest(self) -> bool:
        """Whether the pace can't be cut any more: the trouble lasts."""
        return self.rate <= self.limit * LEAST

    def held(self, now: datetime) -> float:
        """Tokens at this moment, below zero for a debt; a clock that went back adds nothing."""
        passed = max(0.0, (now - self.at).total_seconds())
        return min(self.burst, self.tokens + passed * self.rate)

    def take(self, count: int, now: datetime) -> Bucket:
        """Take tokens; what is missing becomes a debt that later writes wait for."""
        return replace(self, tokens=self.held(now) - count, at=now)

    def wait_for(self, count: int, now: datetime) -> float:
        """Seconds until `count` tokens (or a full bucket, if that is less) are there."""
        lacking = min(float(count), self.burst) - self.held(now)
        return max(0.0, lacking / self.rate)

    def within(self, seconds: float, now: datetime) -> int:
        """How many tokens there will be so soon, one at least; no more than a full bucket."""
        return max(1, int(min(self.burst, max(0.0, self.held(now)) + seconds * self.rate)))

    def throttled(self, now: datetime) -> Bucket:
        """After a 429: the service's bucket is empty, and ours flows more slowly.

        Only the first 429 after a success says at which pace the trouble came; more of them only say that it lasts.
        """
        return replace(
            self,
            tokens=min(0.0, self.held(now)),
            at=now,
            rate=max(self.rate * CUT, self.limit * LEAST),
            ceiling=self.rate if self.clean else self.ceiling,
            clean=False,
        )

    def told(self, used: float, now: datetime) -> Bucket:
        """After `x-ms-throttle-limit-percentage`: our part of what the service's bucket holds, once that is clearly
        less than we alone count on.

        Before, our own lanes may explain it: one that is ahead has emptied its part, one that is behind has not.
        """
        level, held = max(0.0, 1.0 - used) * self.whole, self.held(now)
        slack = self.whole * SLACK_SHARE + self.rate * SLACK_SECONDS
        return replace(self, tokens=level * self.burst / self.whole, at=now) if level + slack < held else self

    def passed(self, count: int, now: datetime) -> Bucket:
        """After so many writes without a 429: the pace comes back to the limit, carefully where it went wrong."""
        near = NEAR * self.ceiling
        if self.rate < near:
            rate = min(near, self.rate * FAST ** (count / 20))
        else:
            rate = min(self.limit, self.rate * SLOW ** (count / 20))
        return replace(self, tokens=self.held(now), at=now, rate=rate, clean=True)

    def limited(self, limit: float, now: datetime) -> Bucket:
        """The same under another limit: others who share it have come or gone."""
        if limit == self.limit:
            return self
        was_free = self.rate == self.limit
        rate = limit if was_free else min(self.rate, limit)
        return replace(self, tokens=self.held(now), at=now, rate=rate, limit=limit, ceiling=limit)

    def to_dict(self) -> dict[str, Any]:
        """As it crosses a durable boundary."""
        return {
            "rate": self.rate,
            "burst": self.burst,
            "tokens": self.tokens,
            "at": self.at.isoformat(),
            "limit": self.limit,
            "ceiling": self.ceiling,
            "clean": self.clean,
            "whole": self.whole,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Bucket:
        """Read what `to_dict` wrote."""
        return cls(**{**data, "at": datetime.fromisoformat(data["at"])})


def tokens_left(burst: float, rate: float, made: Iterable[tuple[datetime, int]], now: datetime) -> float:
    """Tokens the service's bucket holds at least, after writes known as (latest moment, how many).

    Used when a closure goes on after a stop, so that a full bucket is not assumed again. Writes are taken as made at
    their latest moment: a bucket that was full for a while before them has gained nothing by that.
    """
    bucket = None
    for at, count in sorted(made):
        bucket = (bucket or Bucket(rate, burst, burst, at)).take(count, at)
    return burst if bucket is None else max(0.0, bucket.held(now))


def parts(work: Sequence[int]) -> list[float]:
    """Each lane's part of the whole, by what it has to write: then all lanes end together, and none of the quota is
    left to a lane that is through while another still waits.
    """
    weights = [max(1, count) for count in work]  # a lane that only has to look up lost answers needs little
    return [weight / sum(weights) for weight in weights]


def shared(tokens: float, rate: float, burst: float, part: float, now: datetime) -> Bucket:
    """One lane's part of the whole limit; however small, it can save up one write."""
    return Bucket(rate * part, max(1.0, burst * part), tokens * part, now, whole=burst)
