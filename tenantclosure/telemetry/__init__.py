"""What a closure tells operations: who a log line is about, events, spans, counters, gauges.

Only OpenTelemetry's API is used here; `export` puts its SDK behind it when a setting says where to send. Until then,
and whenever anything in here fails, nothing happens: telemetry never harms a closure. Only ids, words and counts go in.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from opentelemetry import context, trace
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from tenantclosure.errors import ServiceTrouble
from tenantclosure.signals import Attribute, Event, Metric, Span

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Meter, Observation

log = logging.getLogger(__name__)

Value = str | int | float
Reading = tuple[Metric, float, Mapping[str, Value]]
"""One value of a gauge with its attributes."""

FRESH = 180.0
"""Seconds after which gauges are no longer told: another instance sweeps by then, or none does."""
COUNTERS = (Metric.ITEMS, Metric.WRITES, Metric.THROTTLED, Metric.PURGED)
HISTOGRAMS = (Metric.ACTIVITY_SECONDS, Metric.SWEEP_SECONDS)
GAUGES = tuple(metric for metric in Metric if metric not in (*COUNTERS, *HISTOGRAMS))
_ORDERED = {
    "closureId": Attribute.CLOSURE,
    "phase": Attribute.PHASE,
    "serial": Attribute.SERIAL,
    "epoch": Attribute.EPOCH,
    "family": Attribute.FAMILY,
    "operation": Attribute.OPERATION,
    "shard": Attribute.SHARD,
    "gate": Attribute.GATE,
}
"""What an activity's order says that is told on; nothing else of it is."""
_COUNTED = (Attribute.CLOSURE, Attribute.FAMILY, Attribute.OPERATION)
"""What counters take over from whom the work is about."""

_about: ContextVar[Mapping[str, Value]] = ContextVar("about", default={})  # noqa: B039  # never changed in place
_pinned: ContextVar[tuple[int, int] | None] = ContextVar("pinned", default=None)


@dataclass
class _Sink:
    """Where spans and numbers go."""

    tracer: trace.Tracer
    counters: dict[Metric, Counter]
    histograms: dict[Metric, Histogram]
    readings: list[Reading] = field(default_factory=list)
    read_at: float = 0.0

    def observe(self, metric: Metric, _: CallbackOptions) -> Iterable[Observation]:
        """The gauge's values as the last sweep saw them, unless that is too long ago."""
        from opentelemetry.metrics import Observation

        if time.monotonic() - self.read_at > FRESH:
            return []
        return [Observation(value, dict(said)) for name, value, said in self.readings if name == metric]


_now: dict[str, _Sink] = {}


def use(tracer: trace.Tracer | None, meter: Meter | None) -> None:
    """Send spans and numbers there from now on; None: nowhere. Not OpenTelemetry's global providers, because the engine
    would write spans of its own there, which the Functions host writes already.
    """
    _now.clear()
    if tracer is None or meter is None:
        return
    counters = {name: meter.create_counter(name, "1") for name in COUNTERS}
    histograms = {name: meter.create_histogram(name, "s") for name in HISTOGRAMS}
    sink = _now["sink"] = _Sink(tracer, counters, histograms)
    for name in GAUGES:
        meter.create_observable_gauge(name, [functools.partial(sink.observe, name)])


def _harmless[**P](tell: Callable[P, None]) -> Callable[P, None]:
    """Whatever telling meets ends here."""

    @functools.wraps(tell)
    def told(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            tell(*args, **kwargs)
        except Exception:  # a lost number costs less than a stopped closure
            log.debug("telemetry failed", exc_info=True)

    return told


# -- whom it is about --------------------------------------------------------------------------------------------------
def about() -> Mapping[str, Value]:
    """What the running task is about: goes on each of its log records, events and counters."""
    return _about.get()


@contextmanager
def concerning(**what: Value | None) -> Iterator[None]:
    """Everything told inside is about this as well (names: signals.Attribute); None says nothing."""
    token = _about.set({**_about.get(), **{name: value for name, value in what.items() if value is not None}})
    try:
        yield
    finally:
        _about.reset(token)


def ordered(order: Mapping[str, Any]) -> dict[str, Value]:
    """What an activity's order says it is about."""
    found = {name: order.get(key) for key, name in _ORDERED.items()}
    return {str(name): value for name, value in found.items() if isinstance(value, str | int)}


# -- events and numbers ------------------------------------------------------------------------------------------------
def event(logger: logging.Logger, level: int, name: Event, text: str, **what: Value | None) -> None:
    """Write one log record with the attribute `event`."""
    with concerning(event=str(name), **what):
        logger.log(level, "%s", text)


@_harmless
def count(name: Metric, number: int = 1, **what: Value) -> None:
    """Add to a counter; what the work is about comes along."""
    if number and (sink := _now.get("sink")):
        known = {str(key): value for key in _COUNTED if (value := about().get(key)) is not None}
        sink.counters[name].add(number, {**known, **what})


@_harmless
def measure(name: Metric, seconds: float, **what: Value) -> None:
    """Put one duration into a histogram."""
    if sink := _now.get("sink"):
        sink.histograms[name].record(seconds, what)


@_harmless
def show(readings: Iterable[Reading]) -> None:
    """What the gauges tell until the next call; after FRESH seconds they tell nothing."""
    if sink := _now.get("sink"):
        sink.readings, sink.read_at = list(readings), time.monotonic()


# -- spans -------------------------------------------------------------------------------------------------------------
def closure_ids(closure: str) -> tuple[int, int]:
    """Trace id and the root span's id of a closure: the same in every process, so that one trace holds all of it."""
    made = hashlib.sha256(f"closure {closure}".encode()).digest()
    return int.from_bytes(made[:16]), int.from_bytes(made[16:24])


def phase_id(closure: str, phase: str, serial: int) -> int:
    """The id of a phase's span, which its activities name before it is written."""
    return int.from_bytes(hashlib.sha256(f"phase {closure} {serial} {phase}".encode()).digest()[:8])


def pinned() -> tuple[int, int] | None:
    """Trace and span id that the span being started must get."""
    return _pinned.get()


class Try:
    """One try of an activity, while it runs."""

    def __init__(self) -> None:
        self.answer = "ok"


@contextmanager
def activity(name: str, order: Mapping[str, Any]) -> Iterator[Try]:
    """A span and a duration around one try of an activity; what it raises passes through. Log records inside belong to
    the span.
    """
    one, began, span = Try(), time.monotonic(), _begun(name, order)
    token = context.attach(trace.set_span_in_context(span)) if span else None
    try:
        yield one
    except ServiceTrouble:
        one.answer = "trouble"
        raise
    except BaseException:
        one.answer = "failed"
        raise
    finally:
        if token is not None:
            context.detach(token)
        _ended(span, one.answer)
        measure(Metric.ACTIVITY_SECONDS, time.monotonic() - began, activity=name, answer=one.answer)


def _begun(name: str, order: Mapping[str, Any]) -> trace.Span | None:
    try:
        if (sink := _now.get("sink")) is None:
            return None
        closure, phase = str(order.get("closureId", "")), order.get("phase")
        root, span_id = closure_ids(closure)
        parent = phase_id(closure, phase, int(order.get("serial", 0))) if isinstance(phase, str) else span_id
        here = trace.get_current_span().get_span_context()
        return sink.tracer.start_span(
            Span.ACTIVITY,
            _under(root, parent),
            SpanKind.CONSUMER,  # a row of `requests` in Application Insights, as work that was handed to us
            {**ordered(order), Attribute.ACTIVITY: name},
            [Link(here)] if here.is_valid else None,  # what the Functions host knows about the same call
        )
    except Exception:  # see `_harmless`
        log.debug("telemetry failed", exc_info=True)
        return None


@_harmless
def _ended(span: trace.Span | None, answer: str) -> None:
    if span is None:
        return
    span.set_attribute(Attribute.ANSWER, answer)
    if answer in ("failed", "trouble"):
        span.set_status(Status(StatusCode.ERROR))
    span.end()


@_harmless
def phase_ended(closure: str, phase: str, serial: int, since: str, now: datetime) -> None:
    """Write a phase's span, from when it first began."""
    root, parent = closure_ids(closure)
    said: dict[str, Value] = {Attribute.CLOSURE: closure, Attribute.PHASE: phase, Attribute.SERIAL: serial}
    _write(Span.PHASE, root, phase_id(closure, phase, serial), parent, since, now, said)


@_harmless
def closure_ended(closure: str, result: str, since: str, now: datetime) -> None:
    """Write a closure's span, from its filing to its end."""
    root, own = closure_ids(closure)
    _write(Span.CLOSURE, root, own, None, since, now, {Attribute.CLOSURE: closure, Attribute.RESULT: result})


@contextmanager
def sweeping() -> Iterator[None]:
    """A span and a duration around one sweep."""
    began, sink = time.time_ns(), _now.get("sink")
    try:
        yield
    finally:
        ended = time.time_ns()
        measure(Metric.SWEEP_SECONDS, (ended - began) / 1e9)
        if sink is not None:
            _swept(sink, began, ended)


@_harmless
def _swept(sink: _Sink, began: int, ended: int) -> None:
    sink.tracer.start_span(Span.SWEEP, kind=SpanKind.CONSUMER, start_time=began).end(ended)


def _write(
    name: Span, root: int, own: int, parent: int | None, since: str, now: datetime, said: Mapping[str, Value]
) -> None:
    if (sink := _now.get("sink")) is None:
        return
    token = _pinned.set((root, own))
    try:
        under = _under(root, parent) if parent is not None else trace.set_span_in_context(trace.INVALID_SPAN)
        began = datetime.fromisoformat(since)
        span = sink.tracer.start_span(name, under, SpanKind.INTERNAL, said, start_time=_nanoseconds(began))
    finally:
        _pinned.reset(token)
    span.end(_nanoseconds(now))


def _under(root: int, parent: int) -> Any:
    context = SpanContext(root, parent, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return trace.set_span_in_context(NonRecordingSpan(context))


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000_000)
