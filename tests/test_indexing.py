"""The app as the real Python worker loads it: one wrong annotation keeps the whole app from starting in Azure.

Uses internals of azure-functions-runtime, which is pinned for that.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.durable_functions as df
import pytest
from azure_functions_runtime.bindings.meta import load_binding_registry
from azure_functions_runtime.functions import Registry

import activities
import function_app
import orchestrators
from tenantclosure import names
from web.routes import ROUTES


class _Bag(SimpleNamespace):
    """Stands in for the protobuf classes of the worker."""


class _BindingInfo(_Bag):
    undefined, inout, out = None, 2, 1


PROTOS = SimpleNamespace(BindingInfo=_BindingInfo, RpcFunctionMetadata=_Bag, RpcRetryOptions=_Bag)


def _index(app: Any) -> dict[str, dict[str, Any]]:
    """Load every function as the worker does; returns the trigger of each by function name."""
    load_binding_registry()
    registry, found = Registry(), {}
    for function in app.get_functions():
        registry.add_indexed_function(function, PROTOS)
        bindings = [json.loads(text) for text in function.get_raw_bindings()]
        found[function.get_function_name()] = next(b for b in bindings if b["type"].endswith("Trigger"))
    return found


@pytest.fixture(scope="module")
def triggers() -> dict[str, dict[str, Any]]:
    return _index(function_app.app)


def test_the_engines_own_http_functions_are_left_out(triggers: dict[str, dict[str, Any]]) -> None:
    """They send any request with our identity's token for whoever starts them; the engine registers them by itself."""
    plain = {function.get_function_name() for function in df.DFApp().get_functions()}

    assert plain
    assert set() == plain & set(triggers)


def test_the_real_worker_loads_every_function(triggers: dict[str, dict[str, Any]]) -> None:
    """Nothing is refused, and every function of ours is there exactly once."""
    count = len(orchestrators.ORCHESTRATORS) + len(activities.ACTIVITIES) + len(ROUTES) + 3

    assert count == len(triggers)


def test_durable_functions_are_registered_under_the_names_the_story_uses(triggers: dict[str, dict[str, Any]]) -> None:
    """Orchestrators and activities carry exactly the names of tenantclosure.names."""
    stories = {name for name, trigger in triggers.items() if trigger["type"] == "orchestrationTrigger"}
    touches = {name for name, trigger in triggers.items() if trigger["type"] == "activityTrigger"}

    assert {
        names.CLOSE_TENANT,
        names.AWAIT_GATE,
        names.RUN_PHASE,
        names.RUN_LANE,
        names.END_SUBSCRIPTIONS,
        names.END_SUBSCRIPTION,
        names.AWAIT_MANUAL_TASK,
        names.AWAIT_READY,
    } == stories
    assert set(names.Activity) == touches


def test_every_route_is_bound_as_the_table_says(triggers: dict[str, dict[str, Any]]) -> None:
    """Path and method come from the route table; the host asks for no key, because people sign in."""
    for route in ROUTES:
        trigger = triggers[route.name]
        assert (route.path, [route.method]) == (trigger["route"], [str(m) for m in trigger["methods"]])
        assert "ANONYMOUS" == str(trigger["authLevel"]).upper()


def test_queues_and_timer_are_bound_to_our_storage_and_every_minute(triggers: dict[str, dict[str, Any]]) -> None:
    """Requests and notices come from the records' account; the sweep comes round each minute."""
    queues = {"take_request": names.REQUEST_QUEUE, "send_notice": names.NOTICE_QUEUE}

    bound = {name: tuple(triggers[name][key] for key in ("type", "queueName", "connection")) for name in queues}
    assert {name: ("queueTrigger", queue, "CLOSURE_STORAGE") for name, queue in queues.items()} == bound
    timer = triggers["sweep"]
    assert ("timerTrigger", "0 * * * * *") == (timer["type"], timer["schedule"])


def test_a_wrong_annotation_would_keep_the_app_from_loading() -> None:
    """The trap this file guards against is real: a parameterised generic is refused."""

    async def touch(order: dict[str, int]) -> dict:  # type: ignore[type-arg]
        return order

    app = df.DFApp()
    app.activity_trigger(input_name="order")(touch)
    with pytest.raises(Exception, match="order"):
        _index(app)


def test_the_host_serves_our_paths_as_they_are() -> None:
    """No route prefix, since pages live beside the API; queue messages are base64 and tried five times."""
    host = json.loads((Path(function_app.__file__).parent / "host.json").read_text(encoding="utf-8"))
    extensions = host["extensions"]

    assert "" == extensions["http"]["routePrefix"]
    assert ("base64", 5) == (extensions["queues"]["messageEncoding"], extensions["queues"]["maxDequeueCount"])
    assert "TenantClosure" == extensions["durableTask"]["hubName"]
    assert extensions["durableTask"]["tracing"]["traceInputsAndOutputs"] is False
