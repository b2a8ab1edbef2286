"""How much may be written: what is left of the tenant's quota, each lane's part, and the part of the application's."""

from __future__ import annotations

from datetime import datetime

from activities.base import Order, activity
from activities.guard import read_manifest, unhindered
from tenantclosure.names import Outcome, Phase, Status
from tenantclosure.policy import pacing
from tenantclosure.wiring import Parts

BULK = frozenset({Phase.QUIET, Phase.USERS, Phase.CANCEL, Phase.APPLICATIONS, Phase.ROLLBACK})
"""Phases that write item after item."""
OTHER_WRITES = 20
"""More than a closure makes besides its shards (freeze, sync, subscriptions); nobody counts those."""


@activity
async def share_quota(parts: Parts, order: Order) -> Order:
    """{parts, buckets}: one of each for every lane; lane k works every `lanes`-th shard from `first` + k on.

    Parts go by what is still to be written, so that all lanes end together. A run that takes over from another starts
    from what that one has left of the bucket.
    """
    row = await unhindered(parts, order)
    shards = (await read_manifest(parts, row))["families"][order["family"]]["shards"]
    settled: dict[int, int] = {}
    async for _, family, operation, shard, noted in parts.ledger.shards(row["closureId"], order["serial"]):
        if (family, operation) == (order["family"], order["operation"]):
            settled[shard] = sum(noted.get(outcome, 0) for outcome in Outcome)
    left = [shard["count"] - settled.get(number, 0) for number, shard in enumerate(shards)]
    numbers = range(order["first"], order["last"])
    shares = pacing.parts(
        [sum(left[number] for number in numbers[lane :: order["lanes"]]) for lane in range(order["lanes"])]
    )
    now, rate, burst = parts.clock.now(), order["rate"], order["burst"]
    tokens = max(0.0, await _tokens(parts, row["closureId"], rate, burst) - OTHER_WRITES)
    return {"parts": shares, "buckets": [pacing.shared(tokens, rate, burst, one, now).to_dict() for one in shares]}


async def fair_rate(parts: Parts, rate: float) -> float:
    """Writes a second for one tenant: Microsoft also limits the application over all tenants (tenant-facts D)."""
    writing = 0
    async for row in parts.ledger.closures():
        writing += row["status"] == Status.RUNNING and row["phase"] in BULK
    return min(rate, parts.settings.app_rate / max(1, writing))


async def _tokens(parts: Parts, closure: str, rate: float, burst: float) -> float:
    """What the service's bucket holds at least, counted from the writes this closure has made so far."""
    made = [
        (datetime.fromisoformat(counts["at"]), counts["writes"])
        async for *_, counts in parts.ledger.shards(closure)
        if counts.get("writes")
    ]
    return pacing.tokens_left(burst, rate, made, parts.clock.now())
