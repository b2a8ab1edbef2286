"""Feeds the engine's work items to the handlers that DFApp registered, in the formats the Durable extension uses.

Orchestrations and entities are base64 of protobuf, activities JSON through the Functions codec, so whatever would break
in Azure's serialisation breaks here too. Handlers of orchestrations replay in the Durable library's own threads; slow
activities (at most ``ACTIVITIES`` at once, in the host's threads or as coroutines) therefore never hold them up.
"""

import asyncio
import base64
import logging
import threading
from collections.abc import Coroutine
from typing import Any

import azure.functions as func
from azure.durable_functions.internal.converters import ActivityTriggerConverter
from azure.functions import meta
from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb

from embedded.backend import Backend, InProcess
from embedded.invocation import Invoker
from embedded.loading import App, Function

ACTIVITIES = 32
ORCHESTRATIONS = 16
ENTITIES = 16
logger = logging.getLogger(__name__)


class Worker:
    """Takes work from the backend until stopped; then lets what runs finish, within limits."""

    def __init__(self, app: App, backend: Backend, invoker: Invoker) -> None:
        self._backend, self._invoker = backend, invoker
        self._functions = {
            kind: {function.key: function for function in app.of_kind(kind)}
            for kind in ("orchestrationTrigger", "activityTrigger", "entityTrigger")
        }
        self._stopped = threading.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._lanes = {
            kind: asyncio.Semaphore(size)
            for kind, size in (("orchestration", ORCHESTRATIONS), ("activity", ACTIVITIES), ("entity", ENTITIES))
        }
        self._pump = threading.Thread(target=self._take_work, name="durable-pump", daemon=True)
        self._context: Any = InProcess()

    def start(self) -> None:
        """Begin to take work."""
        self._pump.start()

    async def stop(self, grace: float) -> None:
        """Take no more work; wait ``grace`` seconds for running activities, then cancel."""
        self._stopped.set()
        if self._running:
            await asyncio.wait(set(self._running), timeout=grace)
        for task in self._running:
            task.cancel()

    def _take_work(self) -> None:
        for item in self._backend.work_items(self._stopped):
            if item.HasField("orchestratorRequest"):
                work = self._lane("orchestration", self._orchestrate(item.orchestratorRequest, item.completionToken))
            elif item.HasField("activityRequest"):
                work = self._lane("activity", self._act(item.activityRequest, item.completionToken))
            else:
                work = self._lane("entity", self._operate(item.entityRequestV2, item.completionToken))
            self._invoker.loop.call_soon_threadsafe(self._spawn, work)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._invoker.loop.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _lane(self, kind: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            async with self._lanes[kind]:
                if not self._stopped.is_set():
                    await work
        finally:
            work.close()  # never started: the host is stopping, and this engine forgets anyway

    def _find(self, kind: str, key: str) -> Function:
        try:
            return self._functions[kind][key]
        except KeyError:
            raise LookupError(f"The app has no function '{key}' with {kind}.") from None

    async def _orchestrate(self, request: pb.OrchestratorRequest, token: str) -> None:
        started = [
            event.executionStarted
            for event in (*request.pastEvents, *request.newEvents)
            if event.HasField("executionStarted")
        ]
        try:
            function = self._find("orchestrationTrigger", started[-1].name)
            answer = await self._invoker.call(function, func.OrchestrationContext(encode(request)))
            response = pb.OrchestratorResponse.FromString(base64.b64decode(answer))
        except Exception as error:
            logger.exception("The orchestrator of %s failed outside its own code.", request.instanceId)
            response = pb.OrchestratorResponse(
                instanceId=request.instanceId,
                actions=[
                    helpers.new_complete_orchestration_action(
                        -1, pb.ORCHESTRATION_STATUS_FAILED, "", helpers.new_failure_details(error)
                    )
                ],
            )
        response.completionToken = token
        self._backend.CompleteOrchestratorTask(response, self._context)

    async def _act(self, request: pb.ActivityRequest, token: str) -> None:
        response = pb.ActivityResponse(
            instanceId=request.orchestrationInstance.instanceId, taskId=request.taskId, completionToken=token
        )
        try:
            function = self._find("activityTrigger", request.name)
            value = ActivityTriggerConverter.decode(
                meta.Datum(request.input.value or "null", "string"), trigger_metadata=None
            )
            result = ActivityTriggerConverter.encode(await self._invoker.call(function, value), expected_type=None)
            response.result.value = result.value
        except Exception as error:
            logger.info("The activity %s failed: %s", request.name, type(error).__name__, exc_info=True)
            response.failureDetails.CopyFrom(helpers.new_failure_details(error))
        self._backend.CompleteActivityTask(response, self._context)

    async def _operate(self, request: pb.EntityRequest, token: str) -> None:
        batch, infos = helpers.convert_to_entity_batch_request(request)
        try:
            function = self._find("entityTrigger", batch.instanceId.split("@")[1].lower())
            answer = await self._invoker.call(function, func.EntityContext(encode(batch)))
            result = pb.EntityBatchResult.FromString(base64.b64decode(answer))
        except Exception as error:
            logger.exception("The entity %s failed outside its own code.", batch.instanceId)
            failure = pb.OperationResultFailure(failureDetails=helpers.new_failure_details(error))
            result = pb.EntityBatchResult(
                results=[pb.OperationResult(failure=failure) for _ in batch.operations],
                entityState=batch.entityState if batch.HasField("entityState") else None,
            )
        result.completionToken = token
        del result.operationInfos[:]
        result.operationInfos.extend(infos)
        self._backend.CompleteEntityTask(result, self._context)


def encode(message: Any) -> str:
    """Protobuf as the Durable extension sends it."""
    return base64.b64encode(message.SerializeToString()).decode("ascii")
