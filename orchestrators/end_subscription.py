"""Take one subscription as far as the phase wants it, however long that lasts.

Where it stands lies in Records; each round is one activity that looks, decides by policy and makes at most one call.
With `park` it stops as soon as only a date or a person can bring it forward; whoever started it comes back later.
"""

from __future__ import annotations

from typing import Any

from durabletask import task

from orchestrators.flow import Flow, Stop, call, waited_out, woken
from tenantclosure.names import Activity

ROUNDS = 25


def end_subscription(ctx: task.OrchestrationContext, order: dict[str, Any]) -> Flow:
    """`order` is the run with item (id), goal, park and waiter (the instance that people's reports wake).

    Returns {stage, seconds until it should be looked at again}; the goal is reached, or it is parked. Or a stop.
    """
    run = {**order, "instance": order["waiter"] or ctx.instance_id}
    if order["park"]:
        try:
            return (yield from _rounds(ctx, run)) or {"stage": "", "seconds": 0.0}
        except Stop as stop:
            return {"stop": stop.reason, "detail": stop.detail}
        except task.TaskFailedError:
            # One seller that is away for longer than every try must not hold up the others.
            return {"stage": "", "seconds": order["daySeconds"]}
    return (yield from waited_out(ctx, order, _rounds(ctx, run)))


def _rounds(ctx: task.OrchestrationContext, run: dict[str, Any]) -> Flow:
    for _ in range(ROUNDS):
        step = yield from call(ctx, Activity.ADVANCE_SUBSCRIPTION, run)
        if step["done"] or (run["park"] and step["parked"]):
            return {"stage": step["stage"], "seconds": run["daySeconds"] if step["done"] else step["seconds"]}
        yield from woken(ctx, step["seconds"])
    return None
