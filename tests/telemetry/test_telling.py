"""Events, spans and numbers: what they say, what they never say, and that their failure harms nothing."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.base import activity
from tenantclosure import redaction, telemetry, wiring
from tenantclosure.errors import RailBroken, ServiceTrouble, Throttled
from tenantclosure.names import Rail
from tenantclosure.settings import Settings
from tenantclosure.signals import Event, Metric
from tenantclosure.telemetry import export, lines
from tests.telemetry.ears import Ears
from tests.web.rig import Desk
from tests.web.rig import desk as make_desk

log = logging.getLogger("activities.test")
CLOSURE = "0b0a1c2d-0000-4000-8000-000000000001-1"
ORDER = {
    "closureId": CLOSURE,
    "epoch": 1,
    "serial": 2,
    "phase": "delete-users",
    "family": "users",
    "operation": "delete",
    "shard": 7,
    "comment": "ann@fabrikam.com asked for it",
}


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(logging.LogRecord)
    lines.install()
    yield
    telemetry.use(None, None)
    logging.setLogRecordFactory(before)


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Parts in memory."""
    yield make_desk()
    wiring.use(None)


async def _run(body: Any, order: dict[str, Any] = ORDER) -> dict[str, Any]:
    return dict(await activity(body)(dict(order)))


async def test_a_try_of_an_activity_is_a_span_of_the_closures_trace(desk: Desk) -> None:
    """It hangs below its phase, names shard and family, and says nothing else of its order; log lines belong to it."""

    async def work_shard(parts: Any, order: Any) -> dict[str, Any]:
        log.info("working")
        telemetry.count(Metric.ITEMS, 3, outcome="removed")
        return {"state": "done"}

    with Ears() as ears:
        assert {"state": "done"} == await _run(work_shard)
        (span,), (line,), told = ears.spans(), ears.logs(), ears.metrics()
    root, _ = telemetry.closure_ids(CLOSURE)
    said = {key: value for key, value in ORDER.items() if key != "comment"}

    assert {**said, "activity": "work_shard", "answer": "ok"} == dict(span.attributes)
    assert (root, telemetry.phase_id(CLOSURE, "delete-users", 2)) == (span.context.trace_id, span.parent.span_id)
    assert (root, span.context.span_id) == (line.trace_id, line.span_id)
    assert ("working", CLOSURE, 7) == (line.body, line.attributes["closureId"], line.attributes["shard"])
    here = {"closureId": CLOSURE, "family": "users", "operation": "delete", "outcome": "removed"}
    assert {frozenset(here.items()): 3} == told["closure.items"]
    assert {frozenset({"activity": "work_shard", "answer": "ok"}.items()): 1} == told["closure.activity.duration"]


@pytest.mark.parametrize(
    ("error", "answer"),
    [(ServiceTrouble("away"), "trouble"), (Throttled("slow", retry_after=1.0), "trouble"), (ValueError("x"), "failed")],
)
async def test_what_an_activity_raises_passes_through(desk: Desk, error: Exception, answer: str) -> None:
    """The engine still sees it; the span says what kind of end it was, and a 429 is counted."""

    async def look(parts: Any, order: Any) -> dict[str, Any]:
        raise error

    with Ears() as ears:
        with pytest.raises(type(error)):
            await _run(look)
        (span,), told = ears.spans(), ears.metrics()

    assert answer == span.attributes["answer"]
    assert int(isinstance(error, Throttled)) == sum(told.get("closure.throttled", {}).values())


async def test_a_broken_rail_is_an_event(desk: Desk) -> None:
    """It names the rail and the activity; what the rail found stays in the audit."""

    async def write(parts: Any, order: Any) -> dict[str, Any]:
        raise RailBroken(Rail.DIGEST, "the plan of ann@fabrikam.com was changed")

    with Ears() as ears:
        assert "rail" == (await _run(write))["stop"]
        found = [one for one in ears.logs() if one.attributes.get("event")]

    assert ["rail.broken"] == [one.attributes["event"] for one in found]
    assert ("plan-digest", "write", CLOSURE) == tuple(
        found[0].attributes[key] for key in ("rail", "activity", "closureId")
    )
    assert "fabrikam" not in str(found[0].attributes) + str(found[0].body)


def test_phase_and_closure_get_the_ids_their_parts_have_named() -> None:
    """Spans that are written at the end still stand above what came before them, in every process."""
    since, now = "2026-11-01T12:00:00.000Z", datetime(2026, 11, 1, 13, tzinfo=UTC)
    with Ears() as ears:
        telemetry.phase_ended(CLOSURE, "delete-users", 2, since, now)
        telemetry.closure_ended(CLOSURE, "closed", since, now)
        phase, closure = ears.spans()

    assert (telemetry.closure_ids(CLOSURE), None) == (
        (closure.context.trace_id, closure.context.span_id),
        closure.parent,
    )
    assert telemetry.phase_id(CLOSURE, "delete-users", 2) == phase.context.span_id
    assert (closure.context.span_id, closure.context.trace_id) == (phase.parent.span_id, phase.context.trace_id)
    assert [3600 * 10**9] * 2 == [span.end_time - span.start_time for span in (phase, closure)]


@pytest.mark.parametrize("already", [False, True])
def test_an_exception_tells_no_secret_and_names_nobody(*, already: bool) -> None:
    """Text and trail of an exception pass the redaction before they are sent, whether or not every record has."""
    if already:
        redaction.install()
    with Ears() as ears:
        try:
            raise ValueError("GET https://x.test/users/ann%40fabrikam.com?sig=abcdefghijkl")
        except ValueError:
            log.exception("failed")
        (line,) = ears.logs()

    assert "ValueError" == line.attributes["exception.type"]
    assert "abcdefghijkl" not in str(line.attributes)
    assert "fabrikam" not in str(line.attributes)


def test_what_an_event_says_is_blacked_out() -> None:
    """A reason may quote an answer from outside: the redaction sees attributes as well, sent or on a terminal."""
    with Ears() as ears, telemetry.concerning(reason="DELETE /users/ann%40fabrikam.com?sig=abcdefghijkl", count=3):
        log.warning("refused")
        (line,) = ears.logs()
        record = logging.getLogger("x").makeRecord("web.x", logging.INFO, "f", 1, "refused", (), None)

    assert (f"DELETE /users/{redaction.PERSON}?sig={redaction.BLACK}", 3) == (
        line.attributes["reason"],
        line.attributes["count"],
    )
    assert "fabrikam" not in lines.Line().format(record)


def test_what_sends_is_not_told_on() -> None:
    """A failure to send must not become one more thing to send; other libraries are heard from warnings on."""
    with Ears() as ears:
        logging.getLogger("azure.monitor.opentelemetry").error("could not send")
        logging.getLogger("aiohttp.access").info("GET /")
        logging.getLogger("aiohttp.access").warning("odd")
        told = [line.body for line in ears.logs()]

    assert ["odd"] == told


class Broken:
    """A tracer, meter and instrument in one, on which everything fails."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("create_"):
            return lambda *_: self
        raise RuntimeError("telemetry is broken")


async def test_telemetry_that_fails_harms_no_activity(desk: Desk) -> None:
    """With every call into OpenTelemetry failing, an activity and an event end as they would without."""
    telemetry.use(Broken(), Broken())  # type: ignore[arg-type]  # it is what it stands for: broken

    async def work(parts: Any, order: Any) -> dict[str, Any]:
        telemetry.count(Metric.ITEMS, 1, outcome="removed")
        telemetry.show([])
        telemetry.phase_ended(CLOSURE, "survey", 1, "no date", datetime.now(UTC))
        telemetry.event(log, logging.INFO, Event.CLOSURE_ENDED, "ended", result="closed")
        with telemetry.sweeping():
            return {"state": "done"}

    assert {"state": "done"} == await _run(work)


def test_a_malformed_connection_string_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The app goes on without telemetry and says so, without the string."""
    export.begin(Settings.model_construct(insights="nonsense with secret", collector="", site="x"))

    assert "no telemetry is sent" in caplog.text
    assert "secret" not in caplog.text


def test_without_a_setting_no_sdk_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody pays for what is not used."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    export.begin(Settings.model_construct(insights="", collector="", site="x"))


def test_installing_both_again_changes_nothing() -> None:
    """The app may be loaded many times in one process: redaction and ids are put around a record once each."""
    redaction.install()
    made = logging.getLogRecordFactory()
    lines.install()
    redaction.install()

    assert made is logging.getLogRecordFactory()


def test_a_line_says_what_it_is_about() -> None:
    """On a terminal the ids stand at the line's end; a record that concerns nobody stays as it is."""
    with telemetry.concerning(closureId=CLOSURE, phase="survey"):
        record = logging.getLogger("x").makeRecord("web.x", logging.INFO, "f", 1, "started", (), None)
    bare = logging.getLogger("x").makeRecord("web.x", logging.INFO, "f", 1, "started", (), None)

    assert lines.Line().format(record).endswith(f"INFO web.x: started [closureId={CLOSURE} phase=survey]")
    assert lines.Line().format(bare).endswith("INFO web.x: started")


@pytest.mark.parametrize("named", [CLOSURE, "ann@fabrikam.com", "x" * 4000])
async def test_a_request_is_about_the_closure_it_names(desk: Desk, named: str) -> None:
    """Only in the form of one of our ids: what else a path holds comes from outside."""
    heard: list[Any] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(lines.about(record).get("closureId"))

    handler, spoken = Listening(), logging.getLogger("tests.spoken")
    spoken.addHandler(handler)
    spoken.setLevel(logging.INFO)
    route = desk.routes["show_closure"]

    async def speak(call: Any) -> Any:
        spoken.info("here")
        return await route.handler(call)

    desk.routes["show_closure"] = replace(route, handler=speak)
    await desk.call("show_closure", closureId=named)
    spoken.removeHandler(handler)

    assert [named if named == CLOSURE else None] == heard
