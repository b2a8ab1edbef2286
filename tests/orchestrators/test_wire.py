"""What crosses a durable boundary: names that both sides know, and plain JSON in the Functions codec's strict mode."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
from azure.durable_functions.internal.serialization import DEFAULT_FUNCTIONS_DATA_CONVERTER as CODEC

import activities
import orchestrators
from tenantclosure import names
from tests.orchestrators.stepper import Stepper, Trouble
from tests.orchestrators.tenant import HOUR, ORDER, ROOT, Tenant


@pytest.fixture(scope="module")
def eventful() -> Stepper:
    """A closure in which everything is scheduled that can be: sync, tasks, quiet period, drift, pause, held shards."""
    tenant = Tenant(quiet_days=2, lanes=2, shards={"users": (3, 2), "domains": (1, 1), "applications": (2, 2)})
    tenant.subscriptions = {"own": "self-service", "sub-1": "manual"}
    tenant.sync = {"state": "refused", "why": "403 Forbidden"}
    tenant.does("open_wave", {"stop": "drift", "detail": "1 new in users: ü9"})
    tenant.does("check_readiness", {"ready": False, "checks": [], "seconds": HOUR})
    tenant.does("review_refused", {"again": 1, "first": 0, "last": 1, "waiting": 0})
    tenant.does("turn_off_mfa", Trouble("503"), {"stop": "paused", "detail": ""})
    tenant.when("check_control", lambda order: "length" not in order, {"paused": True})
    tenant.does("work_shard", {"state": "held", "bucket": {"tokens": 0.5}, "retryAfter": 2 * HOUR})
    tenant.does("advance_subscription", {"done": False, "parked": True, "stage": "planned", "seconds": HOUR})
    tenant.does("probe_task", {"proven": False, "proof": "", "seconds": HOUR})
    stepper, instance = tenant.close()
    assert instance.output == {"closureId": ORDER["closureId"], "result": "closed"}, instance.error
    return stepper


def test_activity_names_are_the_functions_that_are_exported() -> None:
    """Each name has its activity and each activity its name; so nothing is scheduled that nobody answers."""
    exported = [function.__name__ for function in activities.ACTIVITIES]

    assert sorted(names.Activity) == sorted(exported)
    assert len(exported) == len(set(exported))


def test_orchestrator_names_are_the_functions_that_are_exported() -> None:
    """The names that are scheduled as children are those the app registers."""
    exported = {function.__name__ for function in orchestrators.ORCHESTRATORS}
    named = {
        *(names.CLOSE_TENANT, names.AWAIT_GATE, names.RUN_PHASE),
        *(names.RUN_LANE, names.END_SUBSCRIPTIONS, names.END_SUBSCRIPTION, names.AWAIT_MANUAL_TASK, names.AWAIT_READY),
    }

    assert named == exported
    assert len(orchestrators.ORCHESTRATORS) == len(exported)


def test_orchestrators_take_context_and_input() -> None:
    """Two positional parameters: with one, the Functions library would hand over its old context instead."""
    for function in orchestrators.ORCHESTRATORS:
        assert ["ctx", "order"] == list(inspect.signature(function).parameters)


def test_every_activity_is_scheduled_by_some_orchestrator(eventful: Stepper) -> None:
    """No activity is left over; a closed workforce tenant needs no undoing and no Azure resource."""
    undone = Tenant(shards={"users": (2, 1)})
    undone.to_restore = [{"family": "users", "operation": "restore", "shards": 2}]
    undone.run["tenantType"] = "CIAM"
    undone.does("delete_directory", {"stop": "rollback", "detail": ""})
    stepper, _ = undone.close()

    assert set(names.Activity) == {*eventful.names(), *stepper.names()}


def test_every_orchestrator_is_used(eventful: Stepper) -> None:
    """All children were started by the eventful closure; groups are for a tenant with many more subscriptions."""
    assert {function.__name__ for function in orchestrators.ORCHESTRATORS} - {names.END_SUBSCRIPTIONS} == {
        execution.orchestrator for execution in eventful.executions()
    }


def test_everything_scheduled_is_plain_json(eventful: Stepper) -> None:
    """Orders and results survive a round trip unchanged, without envelopes that name classes."""
    raws = [call.raw for call in eventful.calls if call.kind != "timer"]
    raws += [execution.raw_output for execution in eventful.executions() if execution.raw_output]

    assert len(raws) > 100
    for raw in raws:
        assert json.loads(json.dumps(json.loads(raw), allow_nan=False)) == json.loads(raw)
        assert "__class__" not in raw
        assert "__module__" not in raw


def test_everything_scheduled_passes_the_codec_in_strict_mode(eventful: Stepper) -> None:
    """What the codec reads as a dict it writes again as the same JSON; every order has a schema."""
    for call in eventful.calls:
        if call.kind == "timer":
            continue
        read = CODEC.deserialize(call.raw, dict)
        assert call.order == json.loads(CODEC.serialize(read) or "null")
        assert names.SCHEMA == read["schema"]


def test_strict_mode_would_refuse_an_object() -> None:
    """The codec under test is the strict one: an envelope from outside is not turned into an object."""
    envelope = json.dumps({"__class__": "Tenant", "__module__": "tests.orchestrators.tenant", "__data__": {}})

    with pytest.raises(TypeError):
        CODEC.serialize(object())
    with pytest.raises(TypeError):
        CODEC.deserialize(envelope)


def test_orders_stay_small(eventful: Stepper) -> None:
    """No order holds a listing: each stays under two kilobytes."""
    assert max(len(call.raw) for call in eventful.calls) < 2048


def test_children_have_ids_that_every_backend_takes(eventful: Stepper) -> None:
    """Instance ids are unique, at most 100 printable characters, and free of what Durable Functions forbids."""
    ids = list(eventful.instances)

    assert ids[0] == ROOT
    assert all(len(id_) <= 100 and id_.isascii() and id_.isprintable() for id_ in ids)
    assert not {mark for id_ in ids for mark in id_} & set("/\\#?@")


def order_of(kind: str, stepper: Stepper) -> dict[str, Any]:
    """The first order of one kind of child."""
    return stepper.of(kind)[0].order


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        (names.AWAIT_GATE, {"gate", "phase", "serial"}),
        (names.RUN_PHASE, {"family", "operation", "first", "last", "lanes"}),
        (names.RUN_LANE, {"next", "lanes", "part", "bucket", "round", "rate", "burst"}),
        (names.END_SUBSCRIPTION, {"item", "goal", "daySeconds", "leastPoll", "park", "waiter"}),
        (names.AWAIT_READY, {"looks", "daySeconds", "leastPoll"}),
        (names.AWAIT_MANUAL_TASK, {"kind", "target", "name", "ask"}),
    ],
)
def test_children_get_what_their_docstrings_ask_for(kind: str, keys: set[str], eventful: Stepper) -> None:
    """Each kind of child finds its keys in its order."""
    assert keys <= order_of(kind, eventful).keys()
