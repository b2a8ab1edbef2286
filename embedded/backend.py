"""The engine: durabletask's in-memory backend with its known defects mended.

The stock backend was made for short unit tests; closures run for weeks, fan out widely and come back under the same
instance id. Each method below mends one defect, and ``tests/compat/test_backend_*.py`` shows each of them twice: in the
stock class (so that an upgrade tells us what we may drop) and mended here.

Nothing is persisted, on purpose: Records are the truth, and every closure goes on from them.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from datetime import UTC, datetime
from typing import Any, override

import grpc
from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.internal import orchestrator_service_pb2_grpc as stubs
from durabletask.testing.in_memory_backend import InMemoryOrchestrationBackend, OrchestrationInstance

from embedded.alarms import Alarms

RPC_THREADS = 64
UNLIMITED = -1
GRPC_OPTIONS = [
    ("grpc.max_receive_message_length", UNLIMITED),
    ("grpc.max_send_message_length", UNLIMITED),
    ("grpc.so_reuseport", 0),
]
FINISHED = (pb.ORCHESTRATION_STATUS_COMPLETED, pb.ORCHESTRATION_STATUS_FAILED, pb.ORCHESTRATION_STATUS_TERMINATED)
# What an execution asked for itself; it means nothing to the execution that follows under the same instance id.
OWN_RESULTS = frozenset(
    {"taskCompleted", "taskFailed", "timerFired", "subOrchestrationInstanceCompleted", "subOrchestrationInstanceFailed"}
)


class InProcess:
    """Stands in for gRPC's context when our own worker calls the backend without a socket."""

    def __init__(self, stopped: threading.Event | None = None) -> None:
        self._stopped = stopped or threading.Event()

    def is_active(self) -> bool:
        """Whether our worker still wants work."""
        return not self._stopped.is_set()

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        """gRPC's way to refuse, as an exception."""
        raise RuntimeError(f"{code.name}: {details}")


class Backend(InMemoryOrchestrationBackend):
    """An in-memory task hub for real runs."""

    def __init__(self, default_version: str | None = None) -> None:
        super().__init__(max_history_size=10**9, port=0)
        self._default_version = default_version  # host.json's, of every instance that is started without one
        self._alarms = Alarms()
        # child instance id -> (parent instance, its first token then, task id), instead of one thread per child
        self._parents: dict[str, list[tuple[OrchestrationInstance, int, int]]] = {}

    # -- server: loopback only, a free port, no message limit, enough threads for long waits ---------------------

    def start(self) -> str:
        """Serve on a free loopback port; returns its address."""
        self._shutdown_event.clear()
        self._server = grpc.server(futures.ThreadPoolExecutor(RPC_THREADS, "durable-rpc"), options=GRPC_OPTIONS)
        stubs.add_TaskHubSidecarServiceServicer_to_server(self, self._server)
        self._port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self._alarms.start()
        return f"127.0.0.1:{self._port}"

    def stop(self, grace: float | None = None) -> None:
        """Stop serving and let go of everyone who waits."""
        self._alarms.stop()
        with self._lock:  # a client waiting without a deadline would keep the process alive
            for waiters in self._state_waiters.values():
                for waiter in waiters:
                    waiter.event.set()
        super().stop(grace)

    def work_items(self, stopped: threading.Event) -> Iterator[pb.WorkItem]:
        """The work of this hub, without a socket, until ``stopped`` is set."""
        context: Any = InProcess(stopped)
        yield from self.GetWorkItems(pb.GetWorkItemsRequest(), context)

    # -- instances: a finished id may be started again, and earlier executions' results do not leak into it -------

    @override
    def StartInstance(self, request: pb.CreateInstanceRequest, context: Any) -> pb.CreateInstanceResponse:
        if not request.orchestrationIdReusePolicy.replaceableStatus:
            # what the Durable extension does by default (overridableExistingInstanceStates: NonRunningStates)
            request.orchestrationIdReusePolicy.replaceableStatus.extend(FINISHED)
        if self._default_version and not request.version.value:
            request.version.value = self._default_version
        with self._lock:
            response = super().StartInstance(request, context)
            instance = self._instances[response.instanceId]
            self._begin_execution(instance)
            if request.HasField("scheduledStartTimestamp"):
                self._hold_back(instance, request.scheduledStartTimestamp.ToDatetime(tzinfo=UTC))
        return response

    def _hold_back(self, instance: OrchestrationInstance, start_at: datetime) -> None:
        """The stock class notes a later start and starts at once."""
        if start_at > datetime.now(UTC):
            instance.start_at = start_at  # type: ignore[attr-defined]
            self._orchestration_queue.remove(instance.instance_id)
            self._orchestration_queue_set.discard(instance.instance_id)
            self._alarms.at(start_at, lambda: self._enqueue_safely(instance.instance_id))

    def _enqueue_safely(self, instance_id: str) -> None:
        with self._lock:
            self._enqueue_orchestration(instance_id)

    def _create_instance_internal(
        self, instance_id: str, name: str, encoded_input: str | None = None, version: str | None = None
    ) -> None:
        super()._create_instance_internal(instance_id, name, encoded_input, version)
        self._begin_execution(self._instances[instance_id])

    def _begin_execution(self, instance: OrchestrationInstance) -> None:
        # Completion tokens only grow, so the first one of an execution tells older work from its own.
        instance.first_token = instance.completion_token  # type: ignore[attr-defined]

    def _process_complete_orchestration_action(
        self, instance: OrchestrationInstance, complete_action: pb.CompleteOrchestrationAction
    ) -> None:
        again = complete_action.orchestrationStatus == pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW
        if again:
            instance.pending_events = [
                event for event in instance.pending_events if event.WhichOneof("eventType") not in OWN_RESULTS
            ]
        started = next(
            (
                event.executionStarted
                for event in (*instance.history, *instance.dispatched_events)
                if event.HasField("executionStarted")
            ),
            None,
        )
        super()._process_complete_orchestration_action(instance, complete_action)
        if again:
            instance.first_token = self._next_completion_token  # type: ignore[attr-defined]
            if started is not None and started.HasField("parentInstance"):
                self._tell_parent(instance, started.parentInstance)

    def _is_current(self, instance: OrchestrationInstance, first_token: int) -> bool:
        return (
            self._instances.get(instance.instance_id) is instance
            and getattr(instance, "first_token", 0) == first_token
            and instance.status not in FINISHED
        )

    def _deliver(self, instance: OrchestrationInstance, first_token: int, event: pb.HistoryEvent) -> None:
        with self._lock:
            if self._is_current(instance, first_token):
                instance.pending_events.append(event)
                instance.last_updated_at = datetime.now(UTC)
                self._enqueue_orchestration(instance.instance_id)

    # -- queue: an instance in flight neither blocks the others nor waits for the next 100 ms tick ----------------

    def _enqueue_orchestration(self, instance_id: str) -> None:
        start_at = getattr(self._instances.get(instance_id), "start_at", None)
        if instance_id in self._orchestration_in_flight:
            return  # its completion enqueues it again
        if start_at is None or start_at <= datetime.now(UTC):
            super()._enqueue_orchestration(instance_id)

    @override
    def CompleteOrchestratorTask(self, request: pb.OrchestratorResponse, context: Any) -> pb.CompleteTaskResponse:
        with self._lock:
            instance = self._instances.get(request.instanceId)
            if instance and instance.custom_status and not request.HasField("customStatus"):
                request.customStatus.value = instance.custom_status  # the stock class would wipe it
            response = super().CompleteOrchestratorTask(request, context)
            if (
                instance
                and instance.pending_events
                and instance.status not in FINISHED
                and instance.status != pb.ORCHESTRATION_STATUS_SUSPENDED
            ):
                self._enqueue_orchestration(request.instanceId)
        return response

    # -- activities: a failure without a message is still a failure; a late answer is nobody's --------------------

    @override
    def CompleteActivityTask(self, request: pb.ActivityResponse, context: Any) -> pb.CompleteTaskResponse:
        if request.HasField("failureDetails") and not request.failureDetails.errorMessage:
            request.failureDetails.errorMessage = request.failureDetails.errorType or "failed without a message"
        with self._lock:
            instance = self._instances.get(request.instanceId)
            if (
                instance is None
                or int(request.completionToken or 0) < getattr(instance, "first_token", 0)
                or instance.status in FINISHED
            ):
                return pb.CompleteTaskResponse()
            return super().CompleteActivityTask(request, context)

    # -- timers: one thread for all, bound to their execution -------------------------------------------------------

    def _process_create_timer_action(self, instance: OrchestrationInstance, action: pb.OrchestratorAction) -> None:
        fire_at = action.createTimer.fireAt.ToDatetime(tzinfo=UTC)
        instance.history.append(helpers.new_timer_created_event(action.id, fire_at))
        if instance.status == pb.ORCHESTRATION_STATUS_PENDING:
            instance.status = pb.ORCHESTRATION_STATUS_RUNNING
        fired = helpers.new_timer_fired_event(action.id, fire_at)
        first_token = getattr(instance, "first_token", 0)
        self._alarms.at(fire_at, lambda: self._deliver(instance, first_token, fired))

    def _schedule_delayed_entity_operation(self, entity_id: str, event: pb.HistoryEvent, fire_at: datetime) -> None:
        def fire() -> None:
            with self._lock:
                self._queue_entity_operation(entity_id, event)

        self._alarms.at(fire_at, fire)

    # -- children: watched without a thread and without a 30 second limit, knowing and known by their parents ------

    def _process_create_sub_orchestration_action(
        self, instance: OrchestrationInstance, action: pb.OrchestratorAction
    ) -> None:
        super()._process_create_sub_orchestration_action(instance, action)
        child = self._instances.get(action.createSubOrchestration.instanceId)
        if child is not None and child.status == pb.ORCHESTRATION_STATUS_PENDING and not child.history:
            self._tell_parent(
                child,
                pb.ParentInstanceInfo(
                    taskScheduledId=action.id,
                    orchestrationInstance=pb.OrchestrationInstance(instanceId=instance.instance_id),
                ),
            )

    @staticmethod
    def _tell_parent(child: OrchestrationInstance, parent: pb.ParentInstanceInfo) -> None:
        for event in child.pending_events:
            if event.HasField("executionStarted"):
                event.executionStarted.parentInstance.CopyFrom(parent)

    def _watch_sub_orchestration(self, parent_instance_id: str, sub_instance_id: str, task_id: int) -> None:
        with self._lock:
            parent = self._instances[parent_instance_id]
            first_token = getattr(parent, "first_token", 0)
            self._parents.setdefault(sub_instance_id, []).append((parent, first_token, task_id))
            self._report_to_parents(sub_instance_id)

    def _notify_waiters(self, instance_id: str) -> None:
        super()._notify_waiters(instance_id)
        self._report_to_parents(instance_id)

    def _report_to_parents(self, instance_id: str) -> None:
        child = self._instances.get(instance_id)
        if child is None or child.status not in FINISHED:
            return
        for parent, first_token, task_id in self._parents.pop(instance_id, []):
            if child.status == pb.ORCHESTRATION_STATUS_COMPLETED:
                event = helpers.new_sub_orchestration_completed_event(task_id, child.output)
            else:
                event = helpers.new_sub_orchestration_failed_event(task_id, Exception("Sub-orchestration failed"))
                if child.failure_details is not None:  # the child's own error type, not a bare Exception
                    event.subOrchestrationInstanceFailed.failureDetails.CopyFrom(child.failure_details)
            self._deliver(parent, first_token, event)

    def _terminate_instance_internal(self, instance_id: str, output: str | None, recursive: bool = False) -> None:
        super()._terminate_instance_internal(instance_id, output, False)
        if recursive:
            children = [
                child
                for child, watchers in self._parents.items()
                if any(parent.instance_id == instance_id for parent, _, _ in watchers)
            ]
            for child in children:
                self._terminate_instance_internal(child, output, True)

    # -- waits: no deadline means no deadline, not 30 seconds -------------------------------------------------------

    def _wait_for_state(
        self, instance_id: str, predicate: Callable[[OrchestrationInstance], bool], timeout: float | None
    ) -> OrchestrationInstance | None:
        return super()._wait_for_state(instance_id, predicate, timeout or threading.TIMEOUT_MAX)
