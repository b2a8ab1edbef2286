"""Wait for a person: open the task, then probe until the probe proves it done.

A report "done" only brings the next probe forward; it never counts as proof.
"""

from __future__ import annotations

from typing import Any

from durabletask import task

from orchestrators.flow import HELD, Flow, Stop, call, woken
from tenantclosure.names import Activity
from tenantclosure.policy import timing

ROUNDS = 25


def await_manual_task(ctx: task.OrchestrationContext, order: dict[str, Any]) -> Flow:
    """`order` is the run with kind, target, name, ask (False: only probe, nobody has to act). Returns {proof}."""
    try:
        run = {**order, "instance": ctx.instance_id}
        if order["ask"]:
            yield from call(ctx, Activity.OPEN_TASK, run)
        for _ in range(ROUNDS):
            probe = yield from call(ctx, Activity.PROBE_TASK, run)
            if probe["proven"]:
                return {"proof": probe["proof"]}
            yield from woken(ctx, probe["seconds"])
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
