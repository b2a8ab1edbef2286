"""Wait until nothing stands in the way of the tenant's deletion any more, be it for hours or for 485 days.

Each round is a history of its own: bring those subscriptions forward whose date has come, come back to what refused to
go, then look at everything the portal's delete page checks.
"""

from __future__ import annotations

from typing import Any

from durabletask import task

from orchestrators.end_subscriptions import end_all
from orchestrators.flow import Flow, Stop, afresh, call, woken
from orchestrators.waves import review
from tenantclosure.names import Activity, Family
from tenantclosure.policy import timing
from tenantclosure.policy.selling import Provider
from tenantclosure.policy.stages import Goal

REVIEWED = (Family.USERS, Family.DOMAINS, Family.APPLICATIONS, Family.SERVICE_PRINCIPALS)
"""A domain goes only after the users that carry its name."""


def await_ready(ctx: task.OrchestrationContext, order: dict[str, Any]) -> Flow:
    """`order` is the run with looks (how many rounds there were). Returns {} once ready; or a stop."""
    try:
        run = {**order, "instance": ctx.instance_id}
        found = yield from call(ctx, Activity.LIST_SUBSCRIPTIONS, {**run, "providers": list(Provider), "due": True})
        seconds = yield from end_all(ctx, {**run, "goal": Goal.DELETED, "park": True}, found["items"])
        for family in REVIEWED:
            yield from review(ctx, run, family)
        look = yield from call(ctx, Activity.CHECK_READINESS, run)
        if look["ready"]:
            return {}
        least = run["daySeconds"] * min(timing.HOUR * 2 ** min(order["looks"], 5), 1.0)
        yield from woken(ctx, max(min(least, found["seconds"], look["seconds"], seconds), run["leastPoll"]))
    except Stop as stop:
        return {"stop": stop.reason, "detail": stop.detail}
    return afresh(ctx, {**order, "looks": order["looks"] + 1})
