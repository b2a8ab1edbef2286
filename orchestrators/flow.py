"""The engine's traps fenced: all, wait for an event, pause, and calls that are tried again.

Raw children, `when_all`, `when_any`, `RetryPolicy` and un-cancelled waits are forbidden elsewhere (durable-facts 1.3,
1.6).
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from durabletask import task

from tenantclosure.names import WAKE
from tenantclosure.policy import timing

Flow = Generator[task.Task[Any], Any, Any]

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


def call(ctx: task.OrchestrationContext, name: str, order: dict[str, Any]) -> Flow:
    """Call an activity; trouble is tried again on durable timers, a stop becomes `Stop`."""
    for patience in (*PATIENCE, None):
        try:
            answer = yield ctx.call_activity(name, input=order)
        except task.TaskFailedError:
            if patience is None:
                raise
            yield from pause(ctx, patience)
            continue
        return _checked(answer)
    raise AssertionError("unreachable")


def child(ctx: task.OrchestrationContext, name: str, order: dict[str, Any], turn: str | None = None) -> task.Task[Any]:
    """Start a child, in its parent's version (ADR 18).

    Whoever starts new histories names the `turn`: the engine numbers a parent's children afresh in each history, and an
    id that comes twice would mix up two children (tests/compat).
    """
    id_ = f"{ctx.instance_id}:{turn}" if turn else None
    return ctx.call_sub_orchestrator(name, input=order, instance_id=id_, version=ctx.version)


def all_of(tasks: list[task.Task[Any]]) -> Flow:
    """Results of all tasks in order; an empty list is fenced, because the engine would wait for ever."""
    if not tasks:
        return []
    answers = yield task.when_all(tasks)
    return [_checked(answer) for answer in answers]


def pause(ctx: task.OrchestrationContext, seconds: float) -> Flow:
    """Wait on a durable timer."""
    yield ctx.create_timer(timedelta(seconds=max(seconds, 0.0)))


def woken(ctx: task.OrchestrationContext, seconds: float) -> Flow:
    """Wait for the event `wake` or for a timer; the loser is cancelled so that it swallows no later event."""
    event = ctx.wait_for_external_event(WAKE)
    timer = ctx.create_timer(timedelta(seconds=min(max(seconds, 0.0), LONGEST_TIMER)))
    winner = yield task.when_any([event, timer])
    if winner is event:
        timer.cancel()
        return True
    event.cancel()
    return False


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
    ctx.continue_as_new(order, save_events=True)
    return None


def _checked(answer: Any) -> Any:
    if isinstance(answer, dict) and answer.get("stop"):
        raise Stop(answer["stop"], str(answer.get("detail", "")))
    return answer
