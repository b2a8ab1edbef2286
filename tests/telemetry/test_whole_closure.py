"""A whole closure on the local host, heard by a collector on a socket: its trace, its numbers, its events."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tenantclosure import telemetry
from tenantclosure.redaction import PERSON
from tests.rehearsals.stage import Stage, clean

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

REQUESTS = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


class Collector:
    """Takes what is sent over OTLP/HTTP and keeps it."""

    def __init__(self) -> None:
        self.requests: dict[str, list[Any]] = {path: [] for path in REQUESTS}

    def spans(self) -> list[Any]:
        sent = (one for request in self.requests["/v1/traces"] for one in request.resource_spans)
        return [span for one in sent for scope in one.scope_spans for span in scope.spans]

    def records(self) -> list[Any]:
        sent = (one for request in self.requests["/v1/logs"] for one in request.resource_logs)
        return [record for one in sent for scope in one.scope_logs for record in scope.log_records]

    def metrics(self) -> list[Any]:
        sent = (one for request in self.requests["/v1/metrics"] for one in request.resource_metrics)
        return [metric for one in sent for scope in one.scope_metrics for metric in scope.metrics]


@contextmanager
def collector() -> Iterator[tuple[str, Collector]]:
    """A collector on the loopback interface, and its address."""
    taken = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                data = gzip.decompress(data)
            taken.requests[self.path].append(REQUESTS[self.path].FromString(data))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing of it belongs in the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def said(attributes: Any) -> dict[str, Any]:
    """Attributes as a dict."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


def test_a_whole_closure_arrives(tmp_path: Path) -> None:
    """One trace holds closure, phases, activities; the items removed add up; its end is an event; nobody is named."""
    with collector() as (address, taken):
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_METRIC_EXPORT_INTERVAL": "1000"}
        with Stage(tmp_path, "--users", "40", "--seed", "77", settings=settings) as stage:
            stage.start()
            # Who asked is looked up to be told of the end; that this failed is told with the path, address and all.
            path = {"method": "GET", "pathRegex": "(?i)/users/olga"}
            fault = {"do": "status", "status": 503, "times": 1, "match": path}
            stage.web.post(f"{stage.sim['url']}/_sim/faults", json=fault).raise_for_status()
            assert 202 == stage.file().status_code
            assert "closed" == stage.ended(150)["result"]
            clean(stage.score())
            closure, score = stage.closure, stage.score()
            until = time.monotonic() + 30
            while f"/users/{PERSON}: HTTP 503" not in str(taken.records()):
                assert time.monotonic() < until, "that the requester could not be looked up is told nowhere"
                time.sleep(0.2)

    root, own = telemetry.closure_ids(closure)
    spans = [span for span in taken.spans() if int.from_bytes(span.trace_id) == root]
    by_name: dict[str, list[Any]] = {}
    for span in spans:
        by_name.setdefault(span.name, []).append(span)
    phases = {said(span.attributes)["phase"]: span for span in by_name["phase"]}
    assert [own] == [int.from_bytes(span.span_id) for span in by_name["closure"]]
    assert {"survey", "gate-plan", "delete-users", "readiness", "delete-tenant"} <= set(phases)
    assert {own} == {int.from_bytes(span.parent_span_id) for span in by_name["phase"]}
    shards = [span for span in by_name["activity"] if said(span.attributes)["activity"] == "work_shard"]
    assert phases["delete-users"].span_id in {span.parent_span_id for span in shards}

    items = [metric for metric in taken.metrics() if metric.name == "closure.items"][-1]
    users = {"closureId": closure, "family": "users", "operation": "delete", "outcome": "removed"}
    assert [score["usersDeleted"]] == [
        point.as_int for point in items.sum.data_points if said(point.attributes) == users
    ]
    assert {"closure.live", "closure.activity.duration", "closure.writes"} <= {m.name for m in taken.metrics()}

    events = [found for record in taken.records() if "event" in (found := said(record.attributes))]
    assert [("closure.ended", closure, "closed")] == [
        (one["event"], one["closureId"], one["result"]) for one in events if one["event"].startswith("closure.")
    ]
    everything = str([taken.requests])
    assert "fabrikam.com" not in everything
    assert stage.sim["domain"] not in everything
