"""Applies Graph's published quotas: token buckets per app and tenant (tenant-facts D).

Writes: CAP per WINDOW seconds (3,000 per 150 s unless chosen otherwise). Reads: resource units by tenant size. Two
small special limits: Conditional Access (1 request/s for the tenant, no Retry-After) and identity reports (5 per 10 s).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.world import GraphError

if TYPE_CHECKING:
    from simulator.graph.router import GraphCall, Route

SPECIAL = {"conditionalAccess": (1.0, 1.0), "reports": (5.0, 10.0)}
WARN_FROM = 0.8


@dataclass(slots=True)
class Bucket:
    """Tokens that come back at a steady rate."""

    tokens: float | None = None
    stamp: float = field(default_factory=time.monotonic)

    def take(self, cost: float, capacity: float, window: float) -> tuple[bool, float, float]:
        """Take tokens; return whether they were there, the used part of the bucket, and seconds to wait if not."""
        now = time.monotonic()
        rate = capacity / window
        have = capacity if self.tokens is None else min(capacity, self.tokens + (now - self.stamp) * rate)
        self.stamp = now
        if have >= cost:
            self.tokens = have - cost
            return True, 1 - self.tokens / capacity, 0.0
        self.tokens = have
        # Microsoft does not send the client back for one token: wait until a second's worth has gathered.
        wanted = max(cost, min(capacity, rate))
        return False, 1.0, (wanted - have) / rate


def unit_capacity(users: int) -> float:
    """Return the resource units per 10 s for a tenant of this size (S, M, L)."""
    return 3500.0 if users < 50 else 5000.0 if users <= 500 else 8000.0


class Throttle:
    """All buckets; ``quota`` None switches every limit off."""

    def __init__(self, quota: tuple[int, float] | None) -> None:
        self.quota = quota
        self._buckets: dict[tuple[str, ...], Bucket] = {}

    def reset(self, quota: tuple[int, float] | None) -> None:
        """Choose another quota, with full buckets."""
        self.quota = quota
        self._buckets.clear()

    def charge(self, call: GraphCall, route: Route | None) -> dict[str, str]:
        """Charge one call and return the headers that tell about it. Raises GraphError 429 when there is no room."""
        if self.quota is None:
            return {}
        app, tenant = call.caller.app_id, call.tenant.id
        write = call.method != "GET"
        if route is not None and route.limit is not None:
            self._special(route.limit, app, tenant)
        units = 1 if write else read_cost(call.query, 1 if route is None else route.cost)
        users = len(call.tenant.directory.users.live)
        used = self._take("ResourceUnit", units, unit_capacity(users), 10.0, app, tenant)
        if write:
            used = max(used, self._take("Write", 1, float(self.quota[0]), self.quota[1], app, tenant))
        headers = {"x-ms-resource-unit": str(units)}
        if used > WARN_FROM:
            headers["x-ms-throttle-limit-percentage"] = f"{used:.2f}"
        return headers

    def _take(self, kind: str, cost: float, capacity: float, window: float, app: str, tenant: str) -> float:
        bucket = self._buckets.setdefault((kind, app, tenant), Bucket())
        taken, used, wait = bucket.take(cost, capacity, window)
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
        taken, _, wait = self._buckets.setdefault(owner, Bucket()).take(1, capacity, window)
        if not taken:
            headers = {} if limit == "conditionalAccess" else {"Retry-After": f"{wait:.3f}"}
            raise GraphError(429, "TooManyRequests", "Too many requests, please try again later.", headers)


def read_cost(query: dict[str, str], base: int) -> int:
    """Return what a read costs: $select -1, $expand +1, $top below 20 -1, never under 1 (tenant-facts D)."""
    cost = base - ("$select" in query) + ("$expand" in query)
    top = query.get("$top", "")
    return max(1, cost - (top.isdigit() and int(top) < 20))
