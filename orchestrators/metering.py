"""Every orchestrator is driven from here: what it uses is counted, and no history grows too long.

A story tells the meter what it is about to use (`Use`) before it yields the engine's task; flow.py does both. Counting
depends on nothing but the story and its answers, so it is the same on every replay. Answers of activities and children
bring their own usage; it is taken off here and added up, so a story never sees it (ADR 22).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import wraps
from typing import Any

from durabletask import task

from tenantclosure.policy.usage import Usage, added, history_events

Steps = Generator[Any, Any, Any]
Story = Callable[[task.OrchestrationContext, dict[str, Any]], Steps]

LONGEST = 1500
"""Events that a history may hold; the step that would exceed them begins the next one. 2,000 is the promised bound: the
rest is for events that nobody waited for, and for a fan-out of up to 250 children in a history that is half full. Part
of every story, as is what is counted (policy.usage): another number needs another version (docs/versions.md).
"""


@dataclass(frozen=True)
class Use:
    """Said before a step: so many activities, timers, children or wakes. Answered with the meter."""

    what: str
    count: int = 1


@dataclass(frozen=True)
class Phase:
    """What is used from now on belongs to this phase; without a name it only asks. Answered with the usage by phase."""

    name: str = ""


@dataclass(frozen=True)
class Afresh:
    """What a story returns to go on in a new history with this order."""

    order: dict[str, Any]


class Overlong(Exception):  # not an error: leaves a story whose history is long enough
    """The story begins again in a new history, with the order of this one: how far it is lies in Records."""


class Meter:
    """What one instance has used, over all its histories."""

    def __init__(self, carried: dict[str, Any]) -> None:
        self.phases: dict[str, Usage] = carried.get("phases", {})
        self.phase: str = carried.get("phase", "")
        self.history: int = carried.get("history", 0)
        """How many histories this instance has behind it."""
        self.here: Usage = {}
        """What this history has used."""
        self.add("histories", 1)

    def add(self, what: str, count: int) -> None:
        """Count a step of this history."""
        self.here = added(self.here, {what: count})
        self.take({what: count})

    def take(self, usage: Usage) -> None:
        """Count what others have used."""
        self.phases = {**self.phases, self.phase: added(self.phases.get(self.phase, {}), usage)}

    def has_room(self, use: Use) -> bool:
        """Whether the step still fits. A wake has happened already; and in a short history a wide step has to: it would
        fit no better in the next one.
        """
        if use.what == "wakes" or history_events(self.here) < LONGEST // 2:
            return True
        return history_events(added(self.here, {use.what: use.count})) <= LONGEST

    def answered(self, answer: Any) -> Any:
        """An answer without the usage it brought."""
        if isinstance(answer, list):
            return [self.answered(one) for one in answer]
        if not isinstance(answer, dict) or "usage" not in answer:
            return answer
        self.take(answer["usage"])
        return {name: value for name, value in answer.items() if name != "usage"}

    def carried(self) -> dict[str, Any]:
        """What the next history begins with."""
        return {"phases": self.phases, "phase": self.phase, "history": self.history + 1}


def metered(story: Story) -> Story:
    """The orchestrator that plays this story and answers with its usage besides."""

    @wraps(story)
    def run(ctx: task.OrchestrationContext, order: dict[str, Any]) -> Steps:
        meter = Meter(order.get("usage") or {})
        order = {name: value for name, value in order.items() if name != "usage"}
        try:
            told = yield from _played(story(ctx, order), meter)
        except Overlong:
            told = Afresh(order)
        if isinstance(told, Afresh):
            ctx.continue_as_new({**told.order, "usage": meter.carried()}, save_events=True)
            return None
        return {**told, "usage": added(*meter.phases.values())}

    return run


def _played(flow: Steps, meter: Meter) -> Steps:
    """Hand the story's tasks to the engine and their answers back; what it says to the meter is answered here."""
    say: Callable[[Any], Any] = flow.send
    answer: Any = None
    while True:
        try:
            step = say(answer)
        except StopIteration as end:
            return end.value
        say = flow.send
        if isinstance(step, Phase):
            meter.phase = step.name or meter.phase
            answer = meter.phases
        elif not isinstance(step, Use):
            try:
                answer = meter.answered((yield step))
            except task.TaskFailedError as failed:
                say, answer = flow.throw, failed
        elif meter.has_room(step):
            meter.add(step.what, step.count)
            answer = meter
        else:
            say, answer = flow.throw, Overlong()
