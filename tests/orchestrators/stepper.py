"""Runs orchestrators on a virtual clock, through the handler that the Functions host would call.

Every episode goes base64 of protobuf in, base64 of protobuf out, with the whole history replayed from its first event;
months pass in milliseconds. All that leans on the engine's internals is in this file.
"""

from __future__ import annotations

import base64
import heapq
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from azure.durable_functions.orchestrator import Orchestrator
from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb
from google.protobuf import json_format

Answer = Callable[[dict[str, Any]], Any]
VERSION: str = json.loads((Path(__file__).parents[2] / "host.json").read_text("utf-8"))["extensions"]["durableTask"][
    "defaultVersion"
]
"""What the host gives to an instance that is started without a version."""
START = datetime(2026, 1, 1)  # noqa: DTZ001  # the engine's own clock is naive UTC
WORDS = {
    pb.ORCHESTRATION_STATUS_COMPLETED: "completed",
    pb.ORCHESTRATION_STATUS_FAILED: "failed",
    pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW: "continued-as-new",
}


class Trouble(Exception):  # what a scripted activity raises so that the engine sees a failed task
    """A scripted activity failed."""


@dataclass
class Call:
    """Something an orchestrator had scheduled: an activity, a child or a timer; times in seconds since the start."""

    kind: str
    name: str
    order: Any
    at: float
    instance: str
    by: str
    raw: str = ""
    until: float | None = None


@dataclass
class Execution:
    """One history from its first event to its end, or to its continue_as_new."""

    orchestrator: str
    instance: str
    history: list[pb.HistoryEvent] = field(default_factory=list)
    status: str = "running"
    raw_output: str = ""


@dataclass
class Instance:
    """One orchestration instance with all its executions."""

    id: str
    name: str
    parent: tuple[Instance, int] | None = None
    version: str = VERSION
    executions: list[Execution] = field(default_factory=list)
    inbox: list[pb.HistoryEvent] = field(default_factory=list)
    failure: pb.TaskFailureDetails | None = None

    @property
    def now(self) -> Execution:
        """The execution that runs."""
        return self.executions[-1]

    @property
    def status(self) -> str:
        """running, completed or failed."""
        return self.now.status

    @property
    def output(self) -> Any:
        """What it returned, without what it used."""
        told = self._told()
        return {name: value for name, value in told.items() if name != "usage"} if isinstance(told, dict) else told

    @property
    def usage(self) -> dict[str, int]:
        """What it said it used, with all its children."""
        found: dict[str, int] = self._told()["usage"]
        return found

    def _told(self) -> Any:
        return json.loads(self.now.raw_output) if self.now.raw_output else None

    @property
    def error(self) -> str:
        """Type and text of what it failed with."""
        return f"{self.failure.errorType}: {self.failure.errorMessage}" if self.failure else ""


class Stepper:
    """A little engine: scripted activities, children, timers and events on one virtual clock."""

    def __init__(
        self,
        orchestrators: Sequence[Callable[..., Any]],
        activities: Mapping[str, Answer],
        *,
        children: Mapping[str, Answer] | None = None,
        lasts: Mapping[str, float] | None = None,
        in_batches: bool = False,
    ) -> None:
        self.handlers = {function.__name__: Orchestrator.create(function) for function in orchestrators}
        self.activities, self.children, self.lasts = activities, dict(children or {}), dict(lasts or {})
        self.in_batches = in_batches
        self.time = 0.0
        self.calls: list[Call] = []
        self.instances: dict[str, Instance] = {}
        self.episodes = 0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    # -- what a test does ----------------------------------------------------------------------------------------------
    def start(self, name: str, order: dict[str, Any], instance: str = "root", version: str = VERSION) -> Instance:
        """Start an orchestration; `run` takes it further."""
        return self._begin(name, json.dumps(order), instance, None, version)

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """Let something happen in the world at this time."""
        heapq.heappush(self._due, (seconds, next(self._order), action))

    def wake(self, instance: str, event: str = "wake", data: Any = None) -> None:
        """Raise an external event now; for an unknown or ended instance it is lost, as in the engine."""
        found = self.instances.get(instance)
        if found is not None and found.status == "running":
            self._deliver(found, helpers.new_event_raised_event(event, None if data is None else json.dumps(data)))

    def run(self, until: float = float("inf"), episodes: int = 20_000) -> Stepper:
        """Go on until nothing is due any more before `until`."""
        while self._due and self._due[0][0] <= until:
            at, _, action = heapq.heappop(self._due)
            self.time = max(self.time, at)
            action()
            assert self.episodes <= episodes, "it never ends"
        if until != float("inf"):
            self.time = max(self.time, until)
        return self

    # -- what a test looks at ------------------------------------------------------------------------------------------
    def names(self, kind: str = "activity", by: str | None = None) -> list[str]:
        """Names of everything scheduled, in order."""
        return [call.name for call in self.calls if call.kind == kind and by in (None, call.by)]

    def of(self, name: str) -> list[Call]:
        """Every call of one activity or child."""
        return [call for call in self.calls if call.name == name]

    def waits(self, instance: str) -> list[float]:
        """How long each timer of an instance was meant to last."""
        timers = [call for call in self.calls if call.kind == "timer" and call.instance == instance]
        return [call.until - call.at for call in timers if call.until is not None]

    def longest(self) -> dict[str, int]:
        """The longest history per orchestrator."""
        found: dict[str, int] = {}
        for execution in self.executions():
            size = len(execution.history)
            found[execution.orchestrator] = max(found.get(execution.orchestrator, 0), size)
        return found

    def executions(self) -> list[Execution]:
        """Every execution of every instance."""
        return [execution for instance in self.instances.values() for execution in instance.executions]

    # -- the engine ----------------------------------------------------------------------------------------------------
    def _begin(self, name: str, raw: str, id_: str, parent: tuple[Instance, int] | None, version: str) -> Instance:
        assert id_ not in self.instances, f"the instance {id_} exists; the in-memory backend refuses a second one"
        instance = self.instances[id_] = Instance(id_, name, parent, version)
        self._execute(instance, raw, [])
        return instance

    def _execute(self, instance: Instance, raw: str, carried: Sequence[pb.HistoryEvent]) -> None:
        instance.executions.append(Execution(instance.name, instance.id))
        waiting, instance.inbox = instance.inbox, []
        started = helpers.new_execution_started_event(instance.name, instance.id, raw, version=instance.version)
        self._deliver(instance, started, *carried, *waiting)

    def _deliver(self, instance: Instance, *events: pb.HistoryEvent) -> None:
        instance.inbox += events
        self.at(self.time, lambda: self._episode(instance))

    def _episode(self, instance: Instance) -> None:
        if not instance.inbox or instance.status != "running":
            return
        take = len(instance.inbox) if self.in_batches or not instance.now.history else 1
        events, instance.inbox = instance.inbox[:take], instance.inbox[take:]
        if instance.inbox:
            self.at(self.time, lambda: self._episode(instance))
        new = [helpers.new_orchestrator_started_event(self.moment()), *events]
        execution = instance.now
        response = answer(self.handlers[instance.name], instance.id, execution.history, new)
        execution.history += new
        self.episodes += 1
        for action in sorted(response.actions, key=lambda one: one.id):
            self._act(instance, action)
        if execution.status == "running":
            execution.history.append(helpers.new_orchestrator_completed_event())

    def _act(self, instance: Instance, action: pb.OrchestratorAction) -> None:
        kind = action.WhichOneof("orchestratorActionType")
        if kind == "scheduleTask":
            self._schedule(instance, action.id, action.scheduleTask.name, action.scheduleTask.input.value)
        elif kind == "createTimer":
            self._timer(instance, action.id, action.createTimer.fireAt.ToDatetime())
        elif kind == "createSubOrchestration":
            child = action.createSubOrchestration
            self._child(instance, action.id, child.name, child.instanceId, child.input.value, child.version.value)
        elif kind == "completeOrchestration":
            self._complete(instance, action.completeOrchestration)
        else:
            raise AssertionError(f"the stepper does not play {kind}")

    def _note(self, instance: Instance, kind: str, name: str, raw: str, until: float | None = None) -> Call:
        order = json.loads(raw) if raw else None
        call = Call(kind, name, order, self.time, instance.id, instance.name, raw, until)
        self.calls.append(call)
        return call

    def _later(self, instance: Instance, seconds: float, event: Callable[[], pb.HistoryEvent]) -> None:
        """Deliver an event to this execution; one that has ended or started over no longer hears it."""
        execution = instance.now

        def deliver() -> None:
            if execution is instance.now and execution.status == "running":
                self._deliver(instance, event())

        self.at(self.time + seconds, deliver)

    def _schedule(self, instance: Instance, number: int, name: str, raw: str) -> None:
        instance.now.history.append(helpers.new_task_scheduled_event(number, name, raw))
        lasts = self.lasts.get(name, 0.0)
        call = self._note(instance, "activity", name, raw, self.time + lasts)

        def answered() -> pb.HistoryEvent:
            try:
                told = self.activities[name](call.order)
            except Trouble as trouble:
                return helpers.new_task_failed_event(number, trouble)
            return helpers.new_task_completed_event(number, json.dumps(told))

        self._later(instance, lasts, answered)

    def _timer(self, instance: Instance, number: int, fire_at: datetime) -> None:
        instance.now.history.append(helpers.new_timer_created_event(number, fire_at))
        until = (fire_at - START).total_seconds()
        self._note(instance, "timer", "timer", "", until)
        self._later(instance, max(until - self.time, 0.0), lambda: helpers.new_timer_fired_event(number, fire_at))

    def _child(self, instance: Instance, number: int, name: str, id_: str, raw: str, version: str) -> None:
        instance.now.history.append(helpers.new_sub_orchestration_created_event(number, name, id_, raw, version))
        call = self._note(instance, "child", name, raw)
        if name not in self.children:
            self._begin(name, raw, id_, (instance, number), version)
            return
        told = json.dumps(self.children[name](call.order))
        self._later(instance, 0.0, lambda: helpers.new_sub_orchestration_completed_event(number, told))

    def _complete(self, instance: Instance, end: pb.CompleteOrchestrationAction) -> None:
        execution = instance.now
        execution.status, execution.raw_output = WORDS[end.orchestrationStatus], end.result.value
        if execution.status == "continued-as-new":
            self._execute(instance, end.result.value, end.carryoverEvents)
            return
        if execution.status == "failed":
            instance.failure = end.failureDetails
        if instance.parent is None:
            return
        parent, number = instance.parent
        if execution.status == "completed":
            event = helpers.new_sub_orchestration_completed_event(number, end.result.value)
        else:
            event = helpers.new_sub_orchestration_failed_event(number, Exception(end.failureDetails.errorMessage))
        if parent.status == "running":
            self._deliver(parent, event)

    def moment(self) -> datetime:
        return START + timedelta(seconds=self.time)


def answer(
    handler: Callable[[Any], str], instance: str, past: Sequence[pb.HistoryEvent], new: Sequence[pb.HistoryEvent]
) -> pb.OrchestratorResponse:
    """One episode exactly as the Durable extension asks for it."""
    request = pb.OrchestratorRequest(instanceId=instance, pastEvents=past, newEvents=new)
    told = handler(base64.b64encode(request.SerializeToString()).decode())
    return pb.OrchestratorResponse.FromString(base64.b64decode(told))


# -- histories as JSON -------------------------------------------------------------------------------------------------
def dump(execution: Execution) -> dict[str, Any]:
    """A finished execution as JSON; inputs of what it scheduled are left out, because a replay never looks at them."""
    events = []
    for event in execution.history:
        copy = pb.HistoryEvent.FromString(event.SerializeToString())
        for kind in ("taskScheduled", "subOrchestrationInstanceCreated"):
            if copy.HasField(kind):
                getattr(copy, kind).ClearField("input")
        if copy.HasField("taskFailed"):
            copy.taskFailed.failureDetails.ClearField("stackTrace")
        if copy.WhichOneof("eventType") != "orchestratorStarted":
            copy.ClearField("timestamp")
        events.append(json_format.MessageToDict(copy))
    return {
        "orchestrator": execution.orchestrator,
        "instance": execution.instance,
        "status": execution.status,
        "output": json.loads(execution.raw_output) if execution.raw_output else None,
        "history": events,
    }


def replay(orchestrator: Callable[..., Any], recorded: Mapping[str, Any]) -> tuple[str, Any]:
    """Run today's code over a recorded history: (status, output); for a failure the output is type and text."""
    events = [json_format.ParseDict(event, pb.HistoryEvent()) for event in recorded["history"]]
    last = max(number for number, event in enumerate(events) if event.HasField("orchestratorStarted"))

    def renamed(ctx: Any, order: Any) -> Any:
        return orchestrator(ctx, order)

    response = answer(Orchestrator.create(renamed), recorded["instance"], events[:last], events[last:])
    ends = [one.completeOrchestration for one in response.actions if one.HasField("completeOrchestration")]
    if not ends:
        return "running", None
    status = WORDS[ends[0].orchestrationStatus]
    if status == "failed":
        return status, f"{ends[0].failureDetails.errorType}: {ends[0].failureDetails.errorMessage}"
    return status, json.loads(ends[0].result.value) if ends[0].result.value else None
