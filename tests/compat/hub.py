"""Drives a backend by hand, without a worker: start, take the next work item, answer it."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import InMemoryOrchestrationBackend

from embedded.backend import InProcess

COMPLETED, FAILED = pb.ORCHESTRATION_STATUS_COMPLETED, pb.ORCHESTRATION_STATUS_FAILED
AGAIN = pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW


class ForAMoment(InProcess):
    """A stream that stays open for a short time, so that "no work" is an answer too."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._end = time.monotonic() + seconds

    def is_active(self) -> bool:
        return time.monotonic() < self._end


class Hub:
    """One backend under test."""

    def __init__(self, backend: InMemoryOrchestrationBackend) -> None:
        self.backend = backend
        self.context: Any = InProcess()

    def start(self, instance_id: str, **more: Any) -> None:
        self.backend.StartInstance(pb.CreateInstanceRequest(instanceId=instance_id, name="o", **more), self.context)

    def take(self, seconds: float = 0.3) -> pb.WorkItem | None:
        """The next work item, or None when there is none for a moment."""
        context: Any = ForAMoment(seconds)
        return next(self.backend.GetWorkItems(pb.GetWorkItemsRequest(), context), None)

    def answer(self, item: pb.WorkItem | None, *actions: pb.OrchestratorAction, **more: Any) -> None:
        assert item is not None, "there was no work item"
        self.backend.CompleteOrchestratorTask(
            pb.OrchestratorResponse(
                instanceId=item.orchestratorRequest.instanceId,
                actions=actions,
                completionToken=item.completionToken,
                **more,
            ),
            self.context,
        )

    def answer_activity(self, item: pb.WorkItem | None, **more: Any) -> None:
        assert item is not None, "there was no work item"
        request = item.activityRequest
        self.backend.CompleteActivityTask(
            pb.ActivityResponse(
                instanceId=request.orchestrationInstance.instanceId,
                taskId=request.taskId,
                completionToken=item.completionToken,
                **more,
            ),
            self.context,
        )

    def state(self, instance_id: str) -> pb.OrchestrationState:
        request = pb.GetInstanceRequest(instanceId=instance_id, getInputsAndOutputs=True)
        return self.backend.GetInstance(request, self.context).orchestrationState


def end(status: Any = COMPLETED, failure: pb.TaskFailureDetails | None = None) -> pb.OrchestratorAction:
    """The orchestration ends."""
    return helpers.new_complete_orchestration_action(99, status, '"done"', failure)


def activity(number: int = 1) -> pb.OrchestratorAction:
    """It calls an activity."""
    return helpers.new_schedule_task_action(number, "a", None, None)


def timer(seconds: float, number: int = 1) -> pb.OrchestratorAction:
    """It sets a timer."""
    return helpers.new_create_timer_action(number, datetime.now(UTC) + timedelta(seconds=seconds))


def child(instance_id: str, number: int = 1) -> pb.OrchestratorAction:
    """It starts a child."""
    return helpers.new_create_sub_orchestration_action(number, "o", instance_id, None, None)


def kinds(item: pb.WorkItem | None) -> list[str | None]:
    """What is new in an orchestration's work item, without the book-ends."""
    assert item is not None, "there was no work item"
    return [
        kind
        for event in item.orchestratorRequest.newEvents
        if (kind := event.WhichOneof("eventType")) != "orchestratorStarted"
    ]
