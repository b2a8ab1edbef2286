"""Applies Graph's published quotas: token buckets per app and tenant (tenant-facts D).

Writes: CAP per WINDOW seconds (3,000 per 150 s unless chosen otherwise). Reads: resource units by tenant size. Two
small special limits: Conditional Access (1 request/s for the tenant, no Retry-After) and identity reports (5 per 10 s).

Of ``x-ms-throttle-priority`` Microsoft documents the header, and that low is refused before normal and normal before
high, within unchanged limits. How is ours: a write that says low is refused while the bucket would keep less than a
second's worth of tokens, as long as somebody wrote at another priority within the last ten seconds. Normal and high are
alike. An item of a batch without the header has the batch's.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.graph.neighbour import Neighbour
from simulator.world import GraphError

if TYPE_CHECKING:
    from simulator.graph.router import GraphCall, Route

SPECIAL = {"conditionalAccess": (1.0, 1.0), "reports": (5.0, 10.0)}
WARN_FROM = 0.8
RESPECTED_SECONDS = 10.0
"""How long a write of normal priority makes low ones leave a second's worth of tokens."""


@dataclass(slots=True)
class Bucket:
    """Tokens that come back at a steady rate."""

    tokens: float | None = None
    stamp: float = field(default_factory=time.monotonic)
    normal_at: float = -math.inf
    """When somebody last asked at a priority other than low."""

    def level(self, capacity: float, window: float, now: float) -> float:
        """Let tokens come back until now; return how many there are."""
        if self.tokens is None:
            self.tokens = capacity
        self.tokens = min(capacity, self.tokens + max(0.0, now - self.stamp) * capacity / window)
        self.stamp = max(now, self.stamp)
        return self.tokens

    def take(
        self, cost: float, capacity: float, window: float, *, low: bool = False, now: float | None = None
    ) -> tuple[bool, float, float]:
        """Take tokens; return whether they were there, the used part of the bucket, and seconds to wait if not."""
        now = time.monotonic() if now is None else now
        rate = capacity / window
        kept = 0.0
        if not low:
            self.normal_at = now
        elif now - self.normal_at < RESPECTED_SECONDS:
            kept = max(0.0, min(rate, capacity - cost))
        have = self.level(capacity, window, now)
        if have >= cost + kept:
            self.tokens = have - cost
            return True, 1 - self.tokens / capacity, 0.0
        # Microsoft does not send the client back for one token: wait until a second's worth has gathered.
        wanted = min(capacity, kept + max(cost, min(capacity, rate)))
        return False, 1.0, (wanted - have) / rate


def unit_capacity(users: int) -> float:
    """Return the resource units per 10 s for a tenant of this size (S, M, L)."""
    return 3500.0 if users < 50 else 5000.0 if users <= 500 else 8000.0


class Throttle:
    """All buckets; ``quota`` None switches every limit off."""

    def __init__(self, quota: tuple[int, float] | None, owner: tuple[str, str], neighbour: float) -> None:
        self.quota = quota
        self.neighbour = Neighbour(neighbour)
        self.refused_alone = 0
        self.refused_in_batches = 0
        self._owner = owner
        self._buckets: dict[tuple[str, ...], Bucket] = {}

    def reset(self, quota: tuple[int, float] | None) -> None:
        """Choose another quota, with full buckets."""
        self.settle()
        self.quota = quota
        self._buckets.clear()

    def settle(self) -> None:
        """Let the neighbour make the writes that are due by now."""
        self.neighbour.catch_up(self._bucket("Write", *self._owner), self.quota)

    def write_tokens(self) -> float | None:
        """Return what the write bucket of our app in the target holds; None without a quota."""
        if self.quota is None:
            return None
        self.settle()
        return self._bucket("Write", *self._owner).level(*self.quota, time.monotonic())

    def charge(self, call: GraphCall, route: Route | None) -> dict[str, str]:
        """Charge one call and return the headers that tell about it. Raises GraphError 429 when there is no room."""
        if self.quota is None:
            return {}
        try:
            return self._charge(call, route, self.quota)
        except GraphError:
            if call.in_batch:
                self.refused_in_batches += 1
            else:
                self.refused_alone += 1
            raise

    def _charge(self, call: GraphCall, route: Route | None, quota: tuple[int, float]) -> dict[str, str]:
        app, tenant = call.caller.app_id, call.tenant.id
        write = call.method != "GET"
        if route is not None and route.limit is not None:
            self._special(route.limit, app, tenant)
        units = 1 if write else read_cost(call.query, 1 if route is None else route.cost)
        users = len(call.tenant.directory.users.live)
        used = self._take("ResourceUnit", units, unit_capacity(users), 10.0, app, tenant)
        if write:
            if (app, tenant) == self._owner:
                self.settle()
            low = call.headers.get("x-ms-throttle-priority", "").lower() == "low"
            used = max(used, self._take("Write", 1, float(quota[0]), quota[1], app, tenant, low=low))
        headers = {"x-ms-resource-unit": str(units)}
        if used > WARN_FROM:
            headers["x-ms-throttle-limit-percentage"] = f"{used:.2f}"
        return headers

    def _bucket(self, *owner: str) -> Bucket:
        found = self._buckets.get(owner)
        if found is None:
            found = self._buckets[owner] = Bucket()
        return found

    def _take(
        self, kind: str, cost: float, capacity: float, window: float, app: str, tenant: str, *, low: bool = False
    ) -> float:
        taken, used, wait = self._bucket(kind, app, tenant).take(cost, capacity, window, low=low)
        if taken:
            return used
        headers = {
            "Retry-After": f"{wait:.3f}",
            "x-ms-throttle-limit-percentage": "1.00",
            "x-ms-throttle-scope": f"Tenant_Application/{'Write' if kind == 'Write' else 'ReadWrite'}/{app}/{tenant}",
            "x-ms-throttle-information": f"{kind}LimitExceeded",
        }
        raise GraphError(429, "TooManyRequests", "Too many requests, please try again later.", headers)

    def _special(self, limit: str, app: str, tenant: str) -> None:
        capacity, window = SPECIAL[limit]
        owner = (limit, tenant) if limit == "conditionalAccess" else (limit, app, tenant)
        taken, _, wait = self._bucket(*owner).take(1, capacity, window)
        if not taken:
            headers = {} if limit == "conditionalAccess" else {"Retry-After": f"{wait:.3f}"}
            raise GraphError(429, "TooManyRequests", "Too many requests, please try again later.", headers)


def read_cost(query: dict[str, str], base: int) -> int:
    """Return what a read costs: $select -1, $expand +1, $top below 20 -1, never under 1 (tenant-facts D)."""
    cost = base - ("$select" in query) + ("$expand" in query)
    top = query.get("$top", "")
    return max(1, cost - (top.isdigit() and int(top) < 20))
