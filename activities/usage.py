"""What a closure has used: kept by each run as it ends its phases, and put together for the report (ADR 22)."""

from __future__ import annotations

from typing import Any

from activities.base import Order
from tenantclosure.names import Phase
from tenantclosure.policy import costs
from tenantclosure.policy.usage import Usage, added
from tenantclosure.wiring import Parts

MARK = "usage"
"""The mark of a run, by its epoch: {phases: {phase: usage}}, all that the run has used so far."""


async def keep_usage(parts: Parts, order: Order) -> None:
    """Put what the run has used so far on record, in place of what it had used before; harmless when repeated."""
    if "spent" in order:
        await parts.ledger.set_mark(order["closureId"], MARK, order["epoch"], {"phases": order["spent"]})


def account(marks: dict[tuple[str, int], dict[str, Any]]) -> dict[str, Any]:
    """The account of all runs (shape: policy.costs.accounted); phases in their order, those that used nothing left out.

    A run that was cut off counts up to the last phase that it ended.
    """
    runs = [doc["phases"] for (mark, _), doc in sorted(marks.items()) if mark == MARK]
    spent: dict[str, Usage] = {
        phase: added(*(run[phase] for run in runs if phase in run))
        for phase in ("", *map(str, Phase))
        if any(phase in run for run in runs)
    }
    # What comes before the first phase is the look at Records that each run begins with.
    return costs.accounted({phase or "start": usage for phase, usage in spent.items()})
