"""Take many subscriptions on, each in a child of its own; a tenant with thousands of them in groups, so that no history
waits for more children than it can bear.
"""

from __future__ import annotations

from typing import Any

from durabletask import task

from orchestrators.flow import Child, Flow, Stop, all_of, child
from tenantclosure import names

WIDEST = 100
"""Children of one history, and subscriptions of a group (durable-facts 3.2), up to its square. With more subscriptions
both grow with the root of their number.
"""


def end_all(ctx: task.OrchestrationContext, order: dict[str, Any], items: list[str]) -> Flow:
    """Take these subscriptions as far as `order` says (run, goal, park); people's reports wake whoever calls this, if
    they are parked. Returns the seconds until the first of them should be looked at again.
    """
    waiter = ctx.instance_id if order["park"] else None
    answers = yield from all_of(_children(ctx, {**order, "waiter": waiter}, items))
    return min((one["seconds"] for one in answers), default=float(order["daySeconds"]))


def end_subscriptions(ctx: task.OrchestrationContext, order: dict[str, Any]) -> Flow:
    """One group: `order` is that of `end_subscription` with items instead of item. Returns {seconds}; or a stop."""
    try:
        one = {name: value for name, value in order.items() if name != "items"}
        answers = yield from all_of([_child(ctx, one, item) for item in order["items"]])
    except Stop as stop:
        return {"stop": stop.reason, "detail": stop.detail}
    return {"seconds": min(one["seconds"] for one in answers)}


def _children(ctx: task.OrchestrationContext, order: dict[str, Any], items: list[str]) -> list[Child]:
    if len(items) <= WIDEST:
        return [_child(ctx, order, item) for item in items]
    size = max(WIDEST, int(len(items) ** 0.5) + 1)
    groups = [items[first : first + size] for first in range(0, len(items), size)]
    return [child(ctx, names.END_SUBSCRIPTIONS, {**order, "items": group}) for group in groups]


def _child(ctx: task.OrchestrationContext, order: dict[str, Any], item: str) -> Child:
    return child(ctx, names.END_SUBSCRIPTION, {**order, "item": item})
