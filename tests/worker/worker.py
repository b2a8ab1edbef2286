"""Azure's Python worker without its host: the real library indexes the app and runs each call, as it does in Azure.

Uses internals of azure-functions-runtime, which is pinned for that. Only the wire (protobuf) is left out: calls enter
by the seam that the library has for it, with the values that the host would have sent.
"""

from __future__ import annotations

import base64
import json
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as runtime
from azure_functions_runtime import handle_event, loader
from azure_functions_runtime.bindings.datumdef import Datum
from azure_functions_runtime.bindings.meta import load_binding_registry
from azure_functions_runtime.native_invocation import invocation_request_native
from durabletask.internal import orchestrator_service_pb2 as pb

from embedded.backend import Backend
from embedded.invocation import client_configuration

ROOT = Path(__file__).resolve().parents[2]


class _Bag(SimpleNamespace):
    """Stands in for the protobuf classes of the worker."""


class _BindingInfo(_Bag):
    undefined, inout, out = None, 2, 1


PROTOS = SimpleNamespace(BindingInfo=_BindingInfo, RpcFunctionMetadata=_Bag, RpcRetryOptions=_Bag)


class Failed(Exception):
    """The worker reported a failed invocation to the host; the text is what the host would have logged."""


class Response:
    """What the host would send to the browser."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.status = int(value["status_code"].value)
        self.headers = {name.lower(): datum.value for name, datum in value["headers"].items()}
        self.cookies = {name: morsel for cookie in value["cookies"] or () for name, morsel in cookie.items()}
        self.body: bytes = value["body"].value

    def json(self) -> Any:
        return json.loads(self.body)

    def text(self) -> str:
        return self.body.decode()


def _loaded() -> Any:
    """The app's functions, loaded once in a worker; other tests may have loaded this app or another of that name."""
    before, path = sys.modules.pop("function_app", None), list(sys.path)
    sys.path.insert(0, str(ROOT))
    try:
        return loader.index_function_app(str(ROOT / "function_app.py"))
    finally:
        sys.path[:] = path
        if before is not None:
            sys.modules["function_app"] = before


class Worker:
    """One worker process with the app loaded, and a task hub in memory for its durable clients."""

    def __init__(self) -> None:
        load_binding_registry()
        runtime.start_threadpool_executor()
        self.hub = Backend("1.0")
        self.client = client_configuration(self.hub.start(), "http://127.0.0.1:1", "TenantClosure")
        functions = _loaded()
        known, _ = loader.process_indexed_function(PROTOS, handle_event._functions, functions, str(ROOT))
        self.functions = {one.name: one for one in known}
        self.bindings = {name: [json.loads(text) for text in one.raw_bindings] for name, one in self.functions.items()}

    def close(self) -> None:
        runtime.stop_threadpool_executor()
        self.hub.stop(0)

    def of(self, kind: str) -> list[str]:
        """Every function with this kind of trigger."""
        return sorted(name for name in self.functions if self.trigger(name)["type"] == kind)

    def trigger(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(one for one in self.bindings[name] if one["type"].endswith("Trigger"))
        return found

    async def call(self, name: str, value: Datum, **metadata: Datum) -> Datum | None:
        """Invoke a function with its trigger's value; durable clients are given as the extension gives them."""
        inputs = [(self.trigger(name)["name"], value)]
        inputs += [
            (one["name"], Datum(self.client, "string")) for one in self.bindings[name] if one["type"] == "durableClient"
        ]
        number = uuid.uuid4().hex
        ok, answer, _, error, trace = await invocation_request_native(
            number, self.functions[name].function_id, inputs, metadata
        )
        if not ok:
            raise Failed(f"{error}\n{trace}")
        found: Datum | None = answer
        return found

    async def http(
        self,
        name: str,
        *,
        path: Mapping[str, str],
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        site: str = "https://closure.fabrikam.com",
    ) -> Response:
        """A request at a function's own route and method."""
        trigger = self.trigger(name)
        request = {
            "method": Datum(trigger["methods"][0], "string"),
            "url": Datum(f"{site}/{trigger['route'].format_map({**path})}", "string"),
            "headers": {key: Datum(text, "string") for key, text in (headers or {}).items()},
            "query": {key: Datum(text, "string") for key, text in (query or {}).items()},
            "params": {key: Datum(text, "string") for key, text in path.items()},
            "body": Datum(body, "bytes"),
        }
        answer = await self.call(name, Datum(request, "http"))
        assert answer is not None and answer.type == "http"
        return Response(answer.value)

    async def activity(self, name: str, order: Any) -> Any:
        """Run an activity on an order: JSON in, JSON out."""
        answer = await self.call(name, Datum(json.dumps(order), "string"))
        assert answer is not None and answer.type == "json"
        return json.loads(answer.value)

    async def orchestrate(
        self, name: str, instance: str, past: list[pb.HistoryEvent], new: list[pb.HistoryEvent]
    ) -> pb.OrchestratorResponse:
        """One episode of an orchestration: base64 of protobuf in and out."""
        request = pb.OrchestratorRequest(instanceId=instance, pastEvents=past, newEvents=new)
        answer = await self.call(name, Datum(base64.b64encode(request.SerializeToString()).decode(), "string"))
        assert answer is not None and answer.type == "string"
        return pb.OrchestratorResponse.FromString(base64.b64decode(answer.value))

    async def queue(self, name: str, message: Any) -> None:
        """A message as the queue extension hands it over."""
        told = {
            "Id": Datum("m1", "string"),
            "DequeueCount": Datum("1", "json"),
            "PopReceipt": Datum("receipt", "string"),
            "InsertionTime": Datum('"2026-11-01T12:00:00+00:00"', "json"),
            "ExpirationTime": Datum('"2026-11-08T12:00:00+00:00"', "json"),
            "NextVisibleTime": Datum('"2026-11-01T12:00:30+00:00"', "json"),
        }
        assert await self.call(name, Datum(json.dumps(message), "string"), **told) is None

    async def tick(self, name: str) -> None:
        """A timer that is due."""
        status = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": False}
        assert await self.call(name, Datum(json.dumps(status), "json")) is None

    def started(self) -> set[str]:
        """Every instance that somebody started in the hub."""
        return set(self.hub._instances)
