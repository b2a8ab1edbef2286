"""The stepper is worth trusting: it finds what it is there to find."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from durabletask import task

from tests.orchestrators.stepper import Stepper, Trouble
from tests.orchestrators.tenant import DAY


def test_changed_mind_on_replay_is_reported() -> None:
    """An orchestrator that schedules something else when it is replayed fails as non-deterministic."""
    names = itertools.cycle(["first", "second"])

    def fickle(ctx: task.OrchestrationContext, _: Any) -> Any:
        yield ctx.call_activity(next(names))
        yield ctx.call_activity("last")

    stepper = Stepper([fickle], dict.fromkeys(["first", "second", "last"], lambda _: None))
    instance = stepper.start("fickle", {})
    stepper.run()

    assert instance.status == "failed"
    assert "NonDeterminismError" in instance.error


def test_every_episode_starts_from_the_first_event() -> None:
    """Code before the first wait runs once for each episode, so a hidden state would show."""
    runs: list[int] = []

    def counting(ctx: task.OrchestrationContext, _: Any) -> Any:
        runs.append(1)
        for _ in range(3):
            yield ctx.call_activity("work")

    stepper = Stepper([counting], {"work": lambda _: None})
    stepper.start("counting", {})
    stepper.run()

    assert 4 == len(runs) == stepper.episodes


def test_trouble_reaches_the_orchestrator_and_mistakes_reach_the_test() -> None:
    """`Trouble` is a failed task; any other exception of a script ends the test."""

    def calling(ctx: task.OrchestrationContext, name: str) -> Any:
        try:
            yield ctx.call_activity(name)
        except task.TaskFailedError as failed:
            return failed.details.message

    def trouble(_: Any) -> Any:
        raise Trouble("no answer")

    stepper = Stepper([calling], {"trouble": trouble})
    instance = stepper.start("calling", "trouble")  # type: ignore[arg-type]
    stepper.run()

    assert "no answer" == instance.output
    with pytest.raises(KeyError, match="unknown"):
        stepper.start("calling", "unknown", "again")  # type: ignore[arg-type]
        stepper.run()


def test_a_hundred_days_pass_at_once_and_to_the_second() -> None:
    """A timer of 100 days, which the engine cuts in pieces, fires exactly then."""
    from datetime import timedelta

    def sleeping(ctx: task.OrchestrationContext, _: Any) -> Any:
        began = ctx.current_utc_datetime
        yield ctx.create_timer(timedelta(days=100))
        return (ctx.current_utc_datetime - began).total_seconds()

    stepper = Stepper([sleeping], {})
    instance = stepper.start("sleeping", {})
    stepper.run()

    assert 100 * DAY == instance.output == stepper.time


def test_stale_timer_does_not_reach_the_next_execution() -> None:
    """What an execution left behind is not heard by the one that continues it."""
    from datetime import timedelta

    def again(ctx: task.OrchestrationContext, rounds: int) -> Any:
        late = ctx.create_timer(timedelta(seconds=50))
        yield ctx.create_timer(timedelta(seconds=1))
        late.cancel()
        if rounds:
            ctx.continue_as_new(rounds - 1, save_events=True)
            return None
        yield ctx.create_timer(timedelta(seconds=500))
        return "late"

    stepper = Stepper([again], {})
    instance = stepper.start("again", 2)  # type: ignore[arg-type]
    stepper.run()

    assert "late" == instance.output
    assert 503.0 == stepper.time
