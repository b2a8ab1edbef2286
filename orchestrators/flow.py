"""The engine's traps fenced: all, wait for an event, pause, and calls that are tried again.

Raw children, `when_all`, `when_any`, `RetryPolicy` and un-cancelled waits are forbidden elsewhere (durable-facts 1.3,
1.6).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from durabletask import task

from orchestrators.metering import Afresh, Meter, Phase, Use
from tenantclosure.names import WAKE
from tenantclosure.policy import timing
from tenantclosure.policy.usage import Usage, timers_of

Flow = Generator[Any, Any, Any]

PATIENCE = (1, 2, 5, 10, 30, 60, 120, 300, 600, 900)
"""Seconds between tries of an activity that met trouble; the one retry layer (ADR 3). Then the run fails and
`sweep` restarts it.
"""
HELD = ("paused", "revoked", "window")
"""Stops that pass: an operator's pause, an approval that was taken back, a closed deletion window. They are waited out.
"""
LONGEST_TIMER = 30 * 86400.0
"""Longest single wait in seconds; what is longer is waited for in rounds."""


class Stop(Exception):  # not an error: a reason to leave the story, like StopIteration
    """An activity says the story can't go on as it stands: `reason` is one of HELD, drift, rollback, aborted, vetoed,
    expired, rail or failed.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Child:
    """A child to be started by `all_of`."""

    ctx: task.OrchestrationContext
    name: str
    order: dict[str, Any]


def call(ctx: task.OrchestrationContext, name: str, order: dict[str, Any]) -> Flow:
    """Call an activity; trouble is tried again on durable timers, a stop becomes `Stop`."""
    for patience in (*PATIENCE, None):
        yield Use("activities")
        try:
            answer = yield ctx.call_activity(name, input=order)
        except task.TaskFailedError:
            if patience is None:
                raise
            yield from pause(ctx, patience)
            continue
        return _checked(answer)
    raise AssertionError("unreachable")


def child(ctx: task.OrchestrationContext, name: str, order: dict[str, Any]) -> Child:
    """A child for `all_of`."""
    return Child(ctx, name, order)


def all_of(children: list[Child]) -> Flow:
    """Start all children and wait for their results, in order; an empty list is fenced, because the engine would wait
    for ever.

    A child gets its parent's version (ADR 18). The engine numbers children afresh in each history, and an id that comes
    twice would mix up two children (tests/compat): from the second history on they get names of their own.
    """
    if not children:
        return []
    meter: Meter = yield Use("children", len(children))
    tasks: list[task.Task[Any]] = []
    for number, one in enumerate(children, meter.here["children"] - len(children)):
        id_ = f"{one.ctx.instance_id}:{meter.history:x}.{number:04x}" if meter.history else None
        tasks.append(one.ctx.call_sub_orchestrator(one.name, input=one.order, instance_id=id_, version=one.ctx.version))
    answers = yield task.when_all(tasks)
    return [_checked(answer) for answer in answers]


def pause(ctx: task.OrchestrationContext, seconds: float) -> Flow:
    """Wait on a durable timer."""
    yield Use("timers", timers_of(seconds))
    yield ctx.create_timer(timedelta(seconds=max(seconds, 0.0)))


def woken(ctx: task.OrchestrationContext, seconds: float) -> Flow:
    """Wait for the event `wake` or for a timer; the loser is cancelled so that it swallows no later event."""
    seconds = min(max(seconds, 0.0), LONGEST_TIMER)
    yield Use("timers", timers_of(seconds))
    event = ctx.wait_for_external_event(WAKE)
    timer = ctx.create_timer(timedelta(seconds=seconds))
    winner = yield task.when_any([event, timer])
    if winner is event:
        timer.cancel()
        yield Use("wakes")
        return True
    event.cancel()
    return False


def spend_on(phase: str) -> Flow:
    """What is used from here on belongs to this phase."""
    yield Phase(phase)


def spent() -> Flow:
    """What this instance and its children have used: {phase: usage}."""
    by_phase: dict[str, Usage] = yield Phase()
    return by_phase


def afresh(_: task.OrchestrationContext, order: dict[str, Any]) -> Afresh:
    """Go on in a new history with this order; a story ends with `return afresh(ctx, order)`."""
    return Afresh(order)


def waited_out(ctx: task.OrchestrationContext, order: dict[str, Any], story: Flow) -> Flow:
    """The answer of `story`, a child's rounds; without one (None) the child goes on in a new history.

    What holds the closure, and Microsoft or storage being away for longer than every try, is waited out by the hour
    here and not in the parent: the parent waits for all its children, and another may run for months.
    """
    try:
        answer = yield from story
        if answer is not None:
            return answer
    except Stop as stop:
        if stop.reason not in HELD:
            return {"stop": stop.reason, "detail": stop.detail}
        yield from woken(ctx, max(order["daySeconds"] * timing.HOUR, order["leastPoll"]))
    except task.TaskFailedError:
        yield from woken(ctx, max(order["daySeconds"] * timing.HOUR, order["leastPoll"]))
    return afresh(ctx, order)


def _checked(answer: Any) -> Any:
    if isinstance(answer, dict) and answer.get("stop"):
        raise Stop(answer["stop"], str(answer.get("detail", "")))
    return answer
