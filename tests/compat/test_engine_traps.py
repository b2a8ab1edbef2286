"""The traps of durabletask 1.12 and azure-functions-durable 2.0.0rc3 that our code steps around.

Each test shows that a trap is still there. When an upgrade makes one fail, read what changed, then drop the fence.
"""

import contextlib
import dataclasses
import json
import sys
import time
import types
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df
import pytest
from azure.durable_functions.internal.serialization import DEFAULT_FUNCTIONS_DATA_CONVERTER as FUNCTIONS_CODEC
from azure_functions_runtime.bindings.meta import load_binding_registry
from azure_functions_runtime.functions import FunctionLoadError, Registry
from durabletask import task
from durabletask.client import OrchestrationState, TaskHubGrpcClient
from durabletask.worker import TaskHubGrpcWorker

from embedded.backend import Backend

pytestmark = pytest.mark.slow  # only an upgrade of the engine changes what they show

MOMENT = timedelta(milliseconds=40)
STRICT = "AZURE_FUNCTIONS_DURABLE_STRICT_TYPING"


def all_of_nothing(ctx: task.OrchestrationContext, _: Any) -> Any:
    """Wait for an empty list of tasks."""
    yield task.when_all([])
    return "done"


def lost_wait(ctx: task.OrchestrationContext, cancel: bool) -> Any:
    """Lose a race for an event, then wait for it again."""
    first = ctx.wait_for_external_event("go")
    yield task.when_any([first, ctx.create_timer(MOMENT)])
    if cancel:
        first.cancel()
    ctx.set_custom_status("waiting again")
    second, limit = ctx.wait_for_external_event("GO"), ctx.create_timer(timedelta(seconds=1))
    winner = yield task.when_any([second, limit])
    return "heard" if winner is second else "swallowed"


def retry_with_timeout(ctx: task.OrchestrationContext, _: Any) -> Any:
    """Retry within a time limit, then go on until a later episode replays it all after that limit."""
    policy = task.RetryPolicy(
        first_retry_interval=timedelta(milliseconds=100),
        max_number_of_attempts=5,
        retry_timeout=timedelta(milliseconds=250),
    )
    with contextlib.suppress(task.TaskFailedError):
        yield ctx.call_activity("refuse", retry_policy=policy)
    yield ctx.create_timer(timedelta(milliseconds=400))
    return (yield ctx.call_activity("agree"))


def call_async(ctx: task.OrchestrationContext, _: Any) -> Any:
    """Call an activity that is a coroutine function."""
    return (yield ctx.call_activity("asynchronous"))


def start_over(ctx: task.OrchestrationContext, rounds: int) -> Any:
    """Continue as new twice, then take an event that came long before."""
    if rounds:
        yield ctx.create_timer(MOMENT)
        ctx.continue_as_new(rounds - 1, save_events=True)
        return None
    event = yield ctx.wait_for_external_event("early")
    return event


def child_each_time(ctx: task.OrchestrationContext, order: dict[str, Any]) -> Any:
    """Start one child in each of two histories, under a name of its own if asked to; returns both their ids."""
    name = f"{ctx.instance_id}:{len(order['ids'])}" if order["named"] else None
    ids = [*order["ids"], (yield ctx.call_sub_orchestrator("who_am_i", instance_id=name))]
    if len(ids) < 2:
        ctx.continue_as_new({**order, "ids": ids}, save_events=True)
        return None
    return ids


def who_am_i(ctx: task.OrchestrationContext, _: Any) -> Any:
    """Return its own instance id."""
    yield ctx.create_timer(MOMENT)
    return ctx.instance_id


def ten_days(ctx: task.OrchestrationContext, _: Any) -> Any:
    """One long timer."""
    yield ctx.create_timer(timedelta(days=10))


def refuse(_ctx: task.ActivityContext, _: Any) -> None:
    """Fail always."""
    raise ValueError("no")


def agree(_ctx: task.ActivityContext, _: Any) -> str:
    """Succeed always."""
    return "yes"


async def asynchronous(_ctx: task.ActivityContext, _: Any) -> str:
    """Answer, if somebody awaits."""
    return "awaited"


@pytest.fixture(scope="module")
def hub() -> Iterator[TaskHubGrpcClient]:
    """A client of our backend with durabletask's own worker on it."""
    backend = Backend()
    address = backend.start()
    worker = TaskHubGrpcWorker(host_address=address)
    known = (all_of_nothing, lost_wait, retry_with_timeout, call_async, start_over, ten_days)
    for orchestrator in (*known, child_each_time, who_am_i):
        worker.add_orchestrator(orchestrator)
    for activity in (refuse, agree, asynchronous):
        worker.add_activity(activity)
    worker.start()
    client = TaskHubGrpcClient(host_address=address)
    yield client
    client.close()
    worker.stop()
    backend.stop(0)


def finish(hub: TaskHubGrpcClient, instance: str, seconds: float = 10) -> OrchestrationState:
    """The end of an orchestration."""
    state = hub.wait_for_orchestration_completion(instance, timeout=seconds)
    assert state is not None
    return state


def output(state: OrchestrationState) -> Any:
    """What an orchestration returned."""
    return json.loads(state.serialized_output or "null")


def test_when_all_of_nothing_never_completes(hub: TaskHubGrpcClient) -> None:
    """``when_all([])`` hangs for ever, so an empty fan-out must not reach it."""
    instance = hub.schedule_new_orchestration("all_of_nothing")

    with pytest.raises(TimeoutError):
        hub.wait_for_orchestration_completion(instance, timeout=1)


@pytest.mark.parametrize(("cancel", "result"), [(False, "swallowed"), (True, "heard")])
def test_lost_event_wait(hub: TaskHubGrpcClient, cancel: bool, result: str) -> None:
    """A wait that lost a race swallows the next event unless it is cancelled."""
    instance = hub.schedule_new_orchestration("lost_wait", input=cancel)
    while (state := hub.get_orchestration_state(instance)) is None or not state.serialized_custom_status:
        time.sleep(0.01)
    hub.raise_orchestration_event(instance, "go")

    assert output(finish(hub, instance)) == result


def test_retry_timeout_is_not_deterministic(hub: TaskHubGrpcClient) -> None:
    """``RetryPolicy.retry_timeout`` compares with the wall clock on replay and breaks the orchestration."""
    state = finish(hub, hub.schedule_new_orchestration("retry_with_timeout"))

    assert state.failure_details is not None
    assert "NonDeterminism" in state.failure_details.error_type


def test_async_activity_needs_the_functions_handlers(hub: TaskHubGrpcClient) -> None:
    """durabletask's own worker does not await an activity; the Functions handlers do (see tests/embedded)."""
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # "never awaited" is the point
        state = finish(hub, hub.schedule_new_orchestration("call_async"))

    assert state.failure_details is not None
    assert "coroutine" in state.failure_details.message


def test_early_event_survives_continue_as_new(hub: TaskHubGrpcClient) -> None:
    """With ``save_events=True`` an event that nobody waited for yet reaches a later execution."""
    instance = hub.schedule_new_orchestration("start_over", input=2)
    hub.raise_orchestration_event(instance, "early", data={"by": "ann"})

    assert output(finish(hub, instance)) == {"by": "ann"}


@pytest.mark.parametrize("named", [True, False])
def test_children_of_a_new_history_get_the_ids_of_the_old_ones(hub: TaskHubGrpcClient, named: bool) -> None:
    """After ``continue_as_new`` the engine numbers children from the beginning; only names of our own stay apart."""
    instance = hub.schedule_new_orchestration("child_each_time", input={"ids": [], "named": named})
    ids = output(finish(hub, instance))

    assert len(ids) == 2
    assert (ids[0] != ids[1]) == named


def test_live_instance_id_is_refused(hub: TaskHubGrpcClient) -> None:
    """A second start under a live instance id is refused, which makes the id a lock."""
    hub.schedule_new_orchestration("ten_days", instance_id="tenant-1")

    with pytest.raises(Exception, match="ALREADY_EXISTS"):
        hub.schedule_new_orchestration("ten_days", instance_id="tenant-1")


def test_long_timers_are_split(hub: TaskHubGrpcClient) -> None:
    """The SDK cuts a timer longer than three days, so the first piece of ten days is three."""
    instance = hub.schedule_new_orchestration("ten_days")
    while not (
        timers := [
            event for event in hub.get_orchestration_history(instance) if type(event).__name__ == "TimerCreatedEvent"
        ]
    ):
        time.sleep(0.01)

    days = (timers[0].fire_at.replace(tzinfo=UTC) - datetime.now(UTC)) / timedelta(days=1)
    assert 2.9 < days < 3.1


@dataclasses.dataclass
class Plain:
    """What the Functions codec cannot write."""

    number: int


@pytest.mark.parametrize("value", [Plain(1), datetime(2026, 1, 1, tzinfo=UTC)])
def test_functions_codec_refuses_rich_values(value: object) -> None:
    """Dataclasses and dates do not cross a durable boundary on Functions; only plain JSON does."""
    with pytest.raises(TypeError):
        FUNCTIONS_CODEC.serialize(value)


class Hooked:
    """A class that any loaded module may happen to have."""

    @classmethod
    def from_json(cls, _: Any) -> "Hooked":
        """Build one from what came from outside."""
        return cls()


ENVELOPE = json.dumps({"__class__": "Hooked", "__module__": "hooks_for_test", "__data__": {}})


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded module with a class that has ``from_json``."""
    module = types.ModuleType("hooks_for_test")
    module.Hooked = Hooked  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "hooks_for_test", module)


def test_loose_codec_builds_objects_from_outside(hooks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without strict typing, JSON from outside chooses the class that is built."""
    monkeypatch.delenv(STRICT, raising=False)

    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        assert isinstance(FUNCTIONS_CODEC.deserialize(ENVELOPE), Hooked)


def test_strict_codec_does_not(hooks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """With strict typing it is refused; that is why the host always sets it."""
    monkeypatch.setenv(STRICT, "true")

    with pytest.raises(TypeError):
        FUNCTIONS_CODEC.deserialize(ENVELOPE)


def index(annotation: Any) -> None:
    """Have the real Python worker check an app with one activity whose only argument is annotated so."""

    def work(item: Any) -> str:
        return "done"

    work.__annotations__["item"] = annotation
    app = df.DFApp()
    app.activity_trigger(input_name="item")(work)
    load_binding_registry()
    binding_info = types.SimpleNamespace(undefined=None, inout=2, out=1)
    for function in app.get_functions():
        Registry().add_indexed_function(function, types.SimpleNamespace(BindingInfo=binding_info))


@pytest.mark.parametrize("annotation", [dict[str, int], list[int], int | None])
def test_real_worker_refuses_generic_annotations(annotation: Any) -> None:
    """A one-argument activity with a generic annotation keeps the whole app from loading in Azure."""
    with pytest.raises(FunctionLoadError, match="work"):
        index(annotation)


def test_real_worker_takes_plain_annotations() -> None:
    """Plain ``dict`` is fine."""
    index(dict)


def test_decorated_function_has_no_name() -> None:
    """A decorated activity is a FunctionBuilder without ``__name__``: call activities by name, not by reference."""
    app = df.DFApp()

    @app.activity_trigger(input_name="item")
    def work(item: dict) -> str:
        return "done"

    assert not hasattr(work, "__name__")
