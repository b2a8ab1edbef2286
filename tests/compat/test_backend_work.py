"""Work within an execution: activities, timers, children, and the queue they wait in."""

import threading

import pytest
from durabletask.internal import orchestrator_service_pb2 as pb

from tests.compat.hub import FAILED, Hub, activity, child, end, kinds, timer

pytestmark = pytest.mark.slow  # only an upgrade of the engine changes what they show


def fail_without_message(hub: Hub) -> list[str | None]:
    """An activity fails with an exception that has no text."""
    hub.start("i")
    hub.answer(hub.take(), activity())
    hub.answer_activity(hub.take(), failureDetails=pb.TaskFailureDetails(errorType="builtins.ValueError"))
    return kinds(hub.take())


def test_stock_takes_a_silent_failure_for_success(stock: Hub) -> None:
    """An activity that raises an exception without text has succeeded, says the stock backend."""
    assert fail_without_message(stock) == ["taskCompleted"]


def test_ours_knows_a_silent_failure(mended: Hub) -> None:
    """Ours says it failed."""
    assert fail_without_message(mended) == ["taskFailed"]


def threads_for_timers(hub: Hub) -> int:
    """How many threads two hundred timers cost."""
    hub.start("i")
    item = hub.take()
    before = threading.active_count()
    hub.answer(item, *(timer(0.8, number) for number in range(1, 201)))
    return threading.active_count() - before


def test_stock_needs_a_thread_for_each_timer(stock: Hub) -> None:
    """Two hundred timers are two hundred sleeping threads in the stock backend."""
    assert threads_for_timers(stock) == 200


def test_ours_needs_no_thread_for_a_timer(mended: Hub) -> None:
    """Ours keeps them on one list, and they all fire."""
    assert threads_for_timers(mended) == 0

    fired = 0
    while fired < 200 and (item := mended.take(1.5)):
        fired += len(kinds(item))
        mended.answer(item)
    assert fired == 200


def end_of_busy_episode(hub: Hub) -> bool:
    """An instance in flight gets an event, the worker looks for other work, the episode ends: is it woken?"""
    hub.start("busy")
    item = hub.take()
    hub.backend.RaiseEvent(pb.RaiseEventRequest(instanceId="busy", name="go"), hub.context)
    assert hub.take(0.05) is None
    hub.answer(item)
    return hub.backend._work_available.is_set()


def test_stock_does_not_wake_the_worker_after_an_episode(stock: Hub) -> None:
    """In the stock queue what arrived during an episode waits for the next 100 ms tick."""
    assert not end_of_busy_episode(stock)


def test_ours_wakes_the_worker_after_an_episode(mended: Hub) -> None:
    """Ours hands the next episode out at once."""
    assert end_of_busy_episode(mended)
    assert kinds(mended.take()) == ["eventRaised"]


def start_child(hub: Hub) -> pb.WorkItem | None:
    """Have a parent start a child; returns the child's first work item."""
    hub.start("parent")
    hub.answer(hub.take(), child("kid"))
    return hub.take()


def test_stock_child_does_not_know_its_parent(stock: Hub) -> None:
    """The stock backend does not tell a child who started it (ctx.parent_instance_id is None)."""
    item = start_child(stock)

    assert item is not None
    assert not item.orchestratorRequest.newEvents[-1].executionStarted.HasField("parentInstance")
    stock.answer(item, end())


def test_our_child_knows_its_parent(mended: Hub) -> None:
    """Ours does."""
    item = start_child(mended)

    assert item is not None
    started = item.orchestratorRequest.newEvents[-1].executionStarted
    assert started.parentInstance.orchestrationInstance.instanceId == "parent"


def test_our_child_is_watched_without_a_thread(mended: Hub) -> None:
    """Stock: a thread per child that gives up after 30 seconds. Ours: the child's end is told when it comes."""
    before = threading.active_count()
    item = start_child(mended)
    assert before == threading.active_count()

    mended.answer(item, end())

    assert kinds(mended.take()) == ["subOrchestrationInstanceCompleted"]


def child_failure(hub: Hub) -> str:
    """The type of a child's error, as its parent sees it."""
    hub.answer(start_child(hub), end(FAILED, pb.TaskFailureDetails(errorType="our.Refused", errorMessage="no")))
    item = hub.take(1.0)
    assert item is not None
    return item.orchestratorRequest.newEvents[-1].subOrchestrationInstanceFailed.failureDetails.errorType


def test_stock_parent_sees_a_bare_exception(stock: Hub) -> None:
    """The stock backend loses the type of a child's error."""
    assert child_failure(stock) == "builtins.Exception"


def test_our_parent_sees_the_childs_error(mended: Hub) -> None:
    """Ours hands it on."""
    assert child_failure(mended) == "our.Refused"


def terminate_parent(hub: Hub) -> list[str]:
    """Terminate recursively; which instances were told?"""
    hub.answer(start_child(hub), timer(60))
    hub.backend.TerminateInstance(pb.TerminateRequest(instanceId="parent", recursive=True), hub.context)
    ended = []
    while item := hub.take():
        ended.append(item.orchestratorRequest.instanceId)
        hub.answer(item, end(pb.ORCHESTRATION_STATUS_TERMINATED))
    return sorted(ended)


def test_stock_terminates_the_parent_only(stock: Hub) -> None:
    """The stock backend leaves children running when asked to terminate recursively."""
    assert terminate_parent(stock) == ["parent"]


def test_ours_terminates_children_too(mended: Hub) -> None:
    """Ours does as asked."""
    assert terminate_parent(mended) == ["kid", "parent"]
