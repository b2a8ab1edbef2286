"""Work through the shards of one family in a fixed number of lanes.

Each lane is a sub-orchestration that works strictly one shard after the other with its part of the write quota, so the
tenant's limit holds however many workers there are (durable-facts 3.5).
"""

from __future__ import annotations

from typing import Any

from durabletask import task

from orchestrators.flow import Flow, Stop, afresh, all_of, call, child, pause
from tenantclosure import names
from tenantclosure.names import Activity

STEPS = 16
"""Activity calls after which a lane starts a new history."""
ROUNDS = 5
"""How often held items of a shard come round again before they count as failed."""


def run_phase(ctx: task.OrchestrationContext, order: dict[str, Any]) -> Flow:
    """`order` is the run with family, operation, first and last (shards). Returns {}; or a stop."""
    try:
        order = {**order, "lanes": min(order["lanes"], order["last"] - order["first"])}
        shared = yield from call(ctx, Activity.SHARE_QUOTA, order)
        lanes = enumerate(zip(shared["parts"], shared["buckets"], strict=True))
        yield from all_of(
            [
                child(
                    ctx,
                    names.RUN_LANE,
                    {**order, "next": order["first"] + lane, "part": part, "bucket": bucket, "round": 0},
                )
                for lane, (part, bucket) in lanes
            ]
        )
    except Stop as stop:
        return {"stop": stop.reason, "detail": stop.detail}
    return {}


def run_lane(ctx: task.OrchestrationContext, order: dict[str, Any]) -> Flow:
    """One lane: shard `next`, then every `lanes`-th one up to `last`; `bucket` is what is left of its quota.

    Only a shard whose items gave trouble of their own counts its rounds; one that waits for the quota waits on.
    """
    try:
        for _ in range(STEPS):
            if order["next"] >= order["last"]:
                return {}
            final = order["round"] >= ROUNDS
            worked = yield from call(ctx, Activity.WORK_SHARD, {**order, "shard": order["next"], "final": final})
            order = {**order, "bucket": worked["bucket"]}
            if worked["state"] == "done":
                order = {**order, "next": order["next"] + order["lanes"], "round": 0}
            elif worked["state"] != "more":
                order = {**order, "round": order["round"] + (worked["state"] == "held")}
                yield from pause(ctx, worked["retryAfter"])
    except Stop as stop:
        return {"stop": stop.reason, "detail": stop.detail}
    return afresh(ctx, order)
