"""What the engine writes into a history, against what the meter counts: an upgrade that writes more shows here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from durabletask import task
from durabletask.client import TaskHubGrpcClient
from durabletask.worker import TaskHubGrpcWorker

from embedded.backend import Backend
from orchestrators import flow
from orchestrators.metering import metered
from tenantclosure.policy.usage import episodes, history_events


def step_by_step(ctx: task.OrchestrationContext, order: dict[str, Any]) -> flow.Flow:
    """Two activities, a timer and a child, one after the other."""
    yield from flow.call(ctx, "agree", order)
    yield from flow.pause(ctx, 0.01)
    yield from flow.all_of([flow.child(ctx, "one_call", order)])
    yield from flow.call(ctx, "agree", order)
    return {}


def all_at_once(ctx: task.OrchestrationContext, order: dict[str, Any]) -> flow.Flow:
    """Twenty children at a time."""
    yield from flow.all_of([flow.child(ctx, "one_call", order) for _ in range(20)])
    return {}


def one_call(ctx: task.OrchestrationContext, order: dict[str, Any]) -> flow.Flow:
    """One activity."""
    yield from flow.call(ctx, "agree", order)
    return {}


def woken_up(ctx: task.OrchestrationContext, _: dict[str, Any]) -> flow.Flow:
    """A wait that an event ends."""
    yield from flow.woken(ctx, 3600.0)
    return {}


def agree(_ctx: task.ActivityContext, _: Any) -> dict[str, Any]:
    """Answer."""
    return {}


@pytest.fixture(scope="module")
def hub() -> Iterator[TaskHubGrpcClient]:
    """A client of our backend with durabletask's own worker on it."""
    backend = Backend()
    address = backend.start()
    worker = TaskHubGrpcWorker(host_address=address)
    for story in (step_by_step, all_at_once, one_call, woken_up):
        worker.add_orchestrator(metered(story))
    worker.add_activity(agree)
    worker.start()
    client = TaskHubGrpcClient(host_address=address)
    yield client
    client.close()
    worker.stop()
    backend.stop(0)


def played(hub: TaskHubGrpcClient, story: str, children: int, *events: str) -> tuple[list[str], dict[str, int]]:
    """The kinds of all events that the engine wrote for it and its children, and the usage it told."""
    id_ = hub.schedule_new_orchestration(story, input={})
    for event in events:
        hub.raise_orchestration_event(id_, event)
    state = hub.wait_for_orchestration_completion(id_, timeout=20)
    assert state is not None
    found = [state.instance_id, *(f"{id_}:{number:04x}" for number in range(1, 100))]
    histories = [hub.get_orchestration_history(one) for one in found if hub.get_orchestration_state(one)]
    assert children == len(histories) - 1
    written = [type(event).__name__ for history in histories for event in history]
    return written, json.loads(state.serialized_output or "{}")["usage"]


def test_one_thing_after_the_other_is_counted_exactly(hub: TaskHubGrpcClient) -> None:
    """Ends, episodes, activities, timers and children: as many events as the meter says, and as many episodes."""
    written, usage = played(hub, "step_by_step", 1)

    assert {"histories": 2, "activities": 3, "timers": 1, "children": 1} == usage
    assert history_events(usage) == len(written)
    assert episodes(usage) == written.count("OrchestratorStartedEvent")


def test_a_fan_out_is_counted_as_its_worst_case(hub: TaskHubGrpcClient) -> None:
    """Answers that come together share an episode; the count is what it is when none do."""
    written, usage = played(hub, "all_at_once", 20)

    assert {"histories": 21, "activities": 20, "children": 20} == usage
    spared = episodes(usage) - written.count("OrchestratorStartedEvent")
    assert history_events(usage) == len(written) + 2 * spared


@pytest.mark.slow
def test_a_timer_that_lost_is_counted_as_if_it_fired(hub: TaskHubGrpcClient) -> None:
    """The event's own, and of the cancelled timer its end and the episode it would have had."""
    written, usage = played(hub, "woken_up", 0, "wake")

    assert {"histories": 1, "timers": 1, "wakes": 1} == usage
    assert "TimerFiredEvent" not in written
    spared = episodes(usage) - written.count("OrchestratorStartedEvent")
    assert spared in (1, 2)  # the event may come before the story has begun
    assert history_events(usage) == len(written) + 1 + 2 * spared
