"""Wait at one gate until enough people agreed, one vetoed, or the answer-by date passed.

A decision lies in Records before its event is raised, so the event only wakes; a lost one costs at most an hour. A gate
whose people can't be reached is not opened; it is tried again until they can.
"""

from __future__ import annotations

from typing import Any

from durabletask import task

from orchestrators.flow import Flow, Stop, afresh, call, woken
from tenantclosure.names import Activity

LOOK_AGAIN = 3600.0
"""Seconds after which the gate is judged again without having been woken."""
ROUNDS = 25


def await_gate(ctx: task.OrchestrationContext, order: dict[str, Any]) -> Flow:
    """`order` is the run with `gate`. Returns {state}: approved, vetoed, expired or aborted; or a stop."""
    try:
        run, step = {**order, "instance": ctx.instance_id}, Activity.OPEN_GATE
        for _ in range(1 + ROUNDS):
            found = yield from call(ctx, step, run)
            if step == Activity.OPEN_GATE and found["state"] != "unreachable":
                step = Activity.JUDGE_GATE
            elif found["state"] in ("open", "unreachable"):
                yield from woken(ctx, min(found["seconds"], LOOK_AGAIN))
            else:
                return found
    except Stop as stop:
        return {"stop": stop.reason, "detail": stop.detail}
    return afresh(ctx, order)
