"""Instance ids over time: starting a finished id again, and what earlier executions leave behind."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb
from google.protobuf.wrappers_pb2 import StringValue

from embedded.backend import Backend
from tests.compat.hub import AGAIN, Hub, activity, end, kinds, timer

pytestmark = pytest.mark.slow  # only an upgrade of the engine changes what they show


def finish(hub: Hub, instance_id: str) -> None:
    """Run an instance to its end."""
    hub.start(instance_id)
    hub.answer(hub.take(), end())


def test_stock_refuses_a_finished_id(stock: Hub) -> None:
    """The stock backend refuses to start a finished instance id again; the Durable extension allows it."""
    finish(stock, "i")

    with pytest.raises(RuntimeError, match="ALREADY_EXISTS"):
        stock.start("i")


def test_ours_starts_a_finished_id_again(mended: Hub) -> None:
    """Ours replaces a finished instance, as the extension does."""
    finish(mended, "i")

    mended.start("i")

    assert mended.state("i").orchestrationStatus == pb.ORCHESTRATION_STATUS_PENDING
    assert kinds(mended.take()) == ["executionStarted"]


def test_ours_refuses_a_live_id(mended: Hub) -> None:
    """A live instance id stays taken, so it can serve as a lock."""
    mended.start("i")

    with pytest.raises(RuntimeError, match="ALREADY_EXISTS"):
        mended.start("i")


def versions(hub: Hub, **more: Any) -> list[str]:
    """The version an instance is started with, in its first history and in the one after it."""
    hub.start("i", **more)
    found = []
    for action in (end(AGAIN), end()):
        item = hub.take()
        assert item is not None
        (started,) = [
            one.executionStarted for one in item.orchestratorRequest.newEvents if one.HasField("executionStarted")
        ]
        found.append(started.version.value)
        hub.answer(item, action)
    return found


def test_stock_starts_without_a_version(stock: Hub) -> None:
    """The stock backend knows no host.json: who names no version has none."""
    assert ["", ""] == versions(stock)


def test_ours_gives_the_default_version() -> None:
    """Ours gives host.json's `defaultVersion`, as the Durable extension does; a new history stays in its version."""
    hub = Hub(Backend("1.4"))
    assert ["1.4", "1.4"] == versions(hub)
    assert ["1.3", "1.3"] == versions(Hub(Backend("1.4")), version=StringValue(value="1.3"))


def test_stock_child_has_the_version_it_is_given(stock: Hub) -> None:
    """A child gets no version by itself, so whoever starts one names it (`flow.child`)."""
    found = []
    for given in (None, "1.3"):
        name = f"i-{given}"
        stock.start(name, version=StringValue(value="1.3"))
        child = helpers.new_create_sub_orchestration_action(1, "o", f"{name}-child", None, given)
        stock.answer(stock.take(), child)
        item = stock.take()
        assert item is not None
        found += [one.executionStarted.version.value for one in item.orchestratorRequest.newEvents[-1:]]
    assert ["", "1.3"] == found


def race_timer(hub: Hub) -> pb.WorkItem | None:
    """An execution leaves a timer behind and continues as new; the next one waits for something else."""
    hub.start("i")
    hub.answer(hub.take(), timer(0.15), end(AGAIN))
    hub.answer(hub.take(), activity(1))
    hub.take()  # the activity, which runs on
    return hub.take(0.5)


def test_stock_timer_outlives_its_execution(stock: Hub) -> None:
    """In the stock backend a timer left behind fires into the next execution, under an id that now means another."""
    assert kinds(race_timer(stock)) == ["timerFired"]


def test_our_timer_dies_with_its_execution(mended: Hub) -> None:
    """Ours drops it."""
    assert race_timer(mended) is None


def race_activity(hub: Hub) -> pb.WorkItem | None:
    """An execution leaves an activity behind and continues as new; then the activity answers."""
    hub.start("i")
    hub.answer(hub.take(), activity(1), end(AGAIN))
    again = hub.take()
    hub.answer(again, timer(60))
    left_behind = hub.take()
    hub.answer_activity(left_behind, result=StringValue(value='"old"'))
    return hub.take()


def test_stock_activity_result_crosses_executions(stock: Hub) -> None:
    """In the stock backend the old activity's result reaches the next execution."""
    assert kinds(race_activity(stock)) == ["taskCompleted"]


def test_our_activity_result_stays_with_its_execution(mended: Hub) -> None:
    """Ours drops it."""
    assert race_activity(mended) is None


def test_ours_keeps_events_across_executions(mended: Hub) -> None:
    """What people sent while an execution was ending reaches the next one."""
    mended.start("i")
    item = mended.take()
    mended.backend.RaiseEvent(pb.RaiseEventRequest(instanceId="i", name="go"), mended.context)
    mended.answer(item, end(AGAIN))

    assert kinds(mended.take()) == ["executionStarted", "eventRaised"]


def status_after_silent_episode(hub: Hub) -> str:
    """Set a custom status in one episode and none in the next."""
    hub.start("i")
    hub.answer(hub.take(), timer(60), customStatus=StringValue(value='"survey"'))
    hub.backend.RaiseEvent(pb.RaiseEventRequest(instanceId="i", name="go"), hub.context)
    hub.answer(hub.take())
    return hub.state("i").customStatus.value


def test_stock_forgets_the_custom_status(stock: Hub) -> None:
    """An episode that sets no custom status wipes it in the stock backend (the page would go blank)."""
    assert status_after_silent_episode(stock) == ""


def test_ours_keeps_the_custom_status(mended: Hub) -> None:
    """Ours keeps the last one, as DTFx does."""
    assert status_after_silent_episode(mended) == '"survey"'


def start_later(hub: Hub) -> pb.WorkItem | None:
    """Schedule a start for half a second from now and look for it at once."""
    request = pb.CreateInstanceRequest(instanceId="i", name="o")
    request.scheduledStartTimestamp.FromDatetime(datetime.now(UTC) + timedelta(seconds=0.5))
    hub.backend.StartInstance(request, hub.context)
    return hub.take(0.2)


def test_stock_ignores_a_later_start(stock: Hub) -> None:
    """The stock backend starts at once what was scheduled for later."""
    assert start_later(stock) is not None


def test_ours_starts_later(mended: Hub) -> None:
    """Ours waits for the date."""
    assert start_later(mended) is None
    assert mended.take(1.0) is not None
