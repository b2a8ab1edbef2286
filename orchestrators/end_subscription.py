"""Take one subscription as far as the phase wants it, however long that lasts.

Where it stands lies in Records; each round is one activity that looks, decides by policy and makes at most one call.
"""

from __future__ import annotations

from typing import Any

from durabletask import task

from orchestrators.flow import HELD, Flow, Stop, call, woken
from tenantclosure.names import Activity
from tenantclosure.policy import timing

ROUNDS = 25


def end_subscription(ctx: task.OrchestrationContext, order: dict[str, Any]) -> Flow:
    """`order` is the run with item (id) and goal. Returns {stage} once the goal is reached."""
    try:
        run = {**order, "instance": ctx.instance_id}
        for _ in range(ROUNDS):
            step = yield from call(ctx, Activity.ADVANCE_SUBSCRIPTION, run)
            if step["done"]:
                return {"stage": step["stage"]}
            yield from woken(ctx, step["seconds"])
    except Stop as stop:
        if stop.reason not in HELD:
            return {"stop": stop.reason, "detail": stop.detail}
        # The parent waits for all its children, and another may run for months: wait it out here, not there.
        yield from woken(ctx, max(order["daySeconds"] * timing.HOUR, order["leastPoll"]))
    except task.TaskFailedError:
        # Microsoft or storage is away for longer than every try: the same, for the same reason.
        yield from woken(ctx, max(order["daySeconds"] * timing.HOUR, order["leastPoll"]))
    ctx.continue_as_new(order, save_events=True)
    return None
