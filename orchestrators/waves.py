"""Removing one family of the plan, and coming back to what refused to go."""

from __future__ import annotations

from typing import Any

from durabletask import task

from orchestrators.flow import Flow, all_of, call, child, pause
from tenantclosure import names
from tenantclosure.names import Activity
from tenantclosure.policy import timing

Run = dict[str, Any]


def remove(ctx: task.OrchestrationContext, run: Run, family: str, operation: str) -> Flow:
    """One family: ordinary shards, privileged shards last, each after a fresh listing; then until a fresh listing shows
    none of it.
    """
    work = {**run, "family": family, "operation": operation}
    wave = yield from call(ctx, Activity.OPEN_WAVE, work)
    ordinary, shards = wave["privilegedFrom"], wave["shards"]
    if ordinary:
        yield from work_shards(ctx, {**work, "first": 0, "last": ordinary})
        if ordinary < shards:
            yield from call(ctx, Activity.OPEN_WAVE, work)
    if ordinary < shards:
        yield from work_shards(ctx, {**work, "first": ordinary, "last": shards})
    if operation == "delete":
        yield from _confirm(ctx, work)


def review(ctx: task.OrchestrationContext, run: Run, family: str) -> Flow:
    """What refused to go: a task for each cause that a person has to clear, another try where the cause is gone. The
    review itself lists afresh.
    """
    work = {**run, "family": family, "operation": "delete"}
    found = yield from call(ctx, Activity.REVIEW_REFUSED, work)
    if found["again"]:
        again = {**work, "first": found["first"], "last": found["last"]}
        yield from all_of([child(ctx, names.RUN_PHASE, again)])
        yield from _confirm(ctx, work)


def work_shards(ctx: task.OrchestrationContext, work: Run) -> Flow:
    """Shards `first` to `last` of a family, in lanes."""
    yield from all_of([child(ctx, names.RUN_PHASE, work)])


def _confirm(ctx: task.OrchestrationContext, work: Run) -> Flow:
    tries = 0
    while not (yield from call(ctx, Activity.CONFIRM_WAVE, {**work, "tries": tries}))["confirmed"]:
        yield from pause(ctx, max(work["daySeconds"] * timing.confirm_after(tries), work["leastPoll"]))
        tries += 1
