"""Wait for a person: open the task, then probe until the probe proves it done.

A report "done" only brings the next probe forward; it never counts as proof.
"""

from __future__ import annotations

from typing import Any

from durabletask import task

from orchestrators.flow import Flow, call, waited_out, woken
from tenantclosure.names import Activity

ROUNDS = 25


def await_manual_task(ctx: task.OrchestrationContext, order: dict[str, Any]) -> Flow:
    """`order` is the run with kind, target, name, ask (False: only probe, nobody has to act). Returns {proof}."""
    return (yield from waited_out(ctx, order, _rounds(ctx, {**order, "instance": ctx.instance_id})))


def _rounds(ctx: task.OrchestrationContext, run: dict[str, Any]) -> Flow:
    if run["ask"]:
        yield from call(ctx, Activity.OPEN_TASK, run)
    for _ in range(ROUNDS):
        probe = yield from call(ctx, Activity.PROBE_TASK, run)
        if probe["proven"]:
            return {"proof": probe["proof"]}
        yield from woken(ctx, probe["seconds"])
    return None
