"""Puts OpenTelemetry's SDK behind the call sites: to Application Insights, to an OTLP collector, or to both.

The SDK and its exporters take a second to load and are imported here only, when a setting says where to send. They send
on threads of their own and drop what they can't deliver. Application Insights takes tokens of the managed identity that
`APPLICATIONINSIGHTS_AUTHENTICATION_STRING` names; its exporter and the Functions host both read that by themselves.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tenantclosure import redaction, telemetry
from tenantclosure.settings import Settings
from tenantclosure.telemetry.lines import about

if TYPE_CHECKING:
    from opentelemetry._logs import Logger
    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace.export import SpanExporter

log = logging.getLogger(__name__)

SERVICE = "tenant-closure"
OURS = ("activities", "orchestrators", "tenantclosure", "web")
"""Loggers whose progress is sent; of all others only warnings are."""
THEIRS = ("azure.core", "azure.identity", "azure.monitor", "opentelemetry", "urllib3", "requests")
"""Loggers of what sends: told on, each failure to send would be one more thing to send."""

_running: list[Sending] = []


class Sending:
    """Everything that sends, so that it can be ended in order."""

    def __init__(
        self,
        site: str,
        spans: Sequence[SpanExporter],
        metrics: Sequence[MetricReader],
        logs: Sequence[LogRecordExporter],
    ) -> None:
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

        class Ids(RandomIdGenerator):
            """Random ids, but for spans that must get the one their parts have named already."""

            def generate_trace_id(self) -> int:
                pinned = telemetry.pinned()
                return pinned[0] if pinned else super().generate_trace_id()

            def generate_span_id(self) -> int:
                pinned = telemetry.pinned()
                return pinned[1] if pinned else super().generate_span_id()

        resource = Resource.create({"service.name": site or SERVICE, "service.namespace": SERVICE})
        self._tracing = TracerProvider(resource=resource, id_generator=Ids(), shutdown_on_exit=True)
        for exporter in spans:
            self._tracing.add_span_processor(BatchSpanProcessor(exporter))
        self._metering = MeterProvider(metric_readers=metrics, resource=resource)
        self._logging = LoggerProvider(resource=resource)
        for one in logs:
            self._logging.add_log_record_processor(BatchLogRecordProcessor(one))
        self._handler = Handler(self._logging.get_logger(SERVICE))

    def begin(self) -> None:
        """Send from now on."""
        telemetry.use(self._tracing.get_tracer(SERVICE), self._metering.get_meter(SERVICE))
        logging.getLogger().addHandler(self._handler)
        for name in OURS:
            logging.getLogger(name).setLevel(logging.INFO)

    def flush(self) -> None:
        """Send what is ready."""
        for provider in (self._tracing, self._logging):
            provider.force_flush()

    def end(self) -> None:
        """Send what is left, and no more."""
        logging.getLogger().removeHandler(self._handler)
        for name in OURS:
            logging.getLogger(name).setLevel(logging.NOTSET)
        telemetry.use(None, None)
        for provider in (self._tracing, self._metering, self._logging):
            try:
                provider.shutdown()
            except Exception:  # the others are ended all the same
                log.debug("telemetry did not end cleanly", exc_info=True)


class Handler(logging.Handler):
    """Hands log records on, with what they are about as attributes. OpenTelemetry's own handler is deprecated, and its
    successor sends whatever any library put on a record.
    """

    def __init__(self, to: Logger) -> None:
        super().__init__()
        self._to = to

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this record is sent."""
        top = record.name.partition(".")[0]
        if record.name.startswith(THEIRS):
            return False
        return record.levelno >= (logging.INFO if top in OURS else logging.WARNING) and bool(super().filter(record))

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one record on; what fails is dropped."""
        try:
            self._to.emit(_told(record))
        except Exception:  # a lost line costs less than a stopped closure; logging it would come back here
            return


def _told(record: logging.LogRecord) -> Any:
    from opentelemetry._logs import LogRecord, SeverityNumber

    attributes: dict[str, Any] = {**about(record), "logger": record.name, **_exception(record)}
    severity = {
        logging.DEBUG: SeverityNumber.DEBUG,
        logging.INFO: SeverityNumber.INFO,
        logging.WARNING: SeverityNumber.WARN,
        logging.ERROR: SeverityNumber.ERROR,
        logging.CRITICAL: SeverityNumber.FATAL,
    }.get(record.levelno, SeverityNumber.UNSPECIFIED)
    return LogRecord(
        timestamp=int(record.created * 1e9),
        severity_text=record.levelname,
        severity_number=severity,
        body=record.getMessage(),
        attributes=attributes,
    )


def _exception(record: logging.LogRecord) -> dict[str, str]:
    """A record's exception without secrets; of one that held some, `redaction` has left the text only."""
    trail = record.exc_text or ""
    if record.exc_info and record.exc_info[0] is not None:
        trail = "".join(traceback.format_exception(*record.exc_info))
    if not trail:
        return {}
    kind, _, said = trail.rstrip().rpartition("\n")[2].partition(": ")
    told = {"exception.type": kind, "exception.message": said, "exception.stacktrace": trail}
    return {name: redaction.redacted(text) for name, text in told.items()}


def begin(settings: Settings) -> None:
    """Begin to send if a setting says where; once in a process. A fault in it stops nothing but telemetry."""
    if _running or not (settings.insights or settings.collector):
        return
    try:
        sending = Sending(settings.site, *_exporters(settings))
        sending.begin()
        _running.append(sending)
    except Exception as error:  # for example a malformed connection string; its text may hold what was set
        log.error("no telemetry is sent: it could not be set up (%s)", type(error).__name__)


def end() -> None:
    """Send what is left, and stop."""
    while _running:
        _running.pop().end()


def _exporters(settings: Settings) -> tuple[list[SpanExporter], list[MetricReader], list[LogRecordExporter]]:
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    spans: list[SpanExporter] = []
    metrics: list[MetricReader] = []
    logs: list[LogRecordExporter] = []
    if settings.insights:
        from azure.monitor.opentelemetry.exporter import (
            AzureMonitorLogExporter,
            AzureMonitorMetricExporter,
            AzureMonitorTraceExporter,
        )

        # Nothing waits on disk: it would outlive what the records may, and the disk is another one after a restart.
        to: dict[str, Any] = {"connection_string": settings.insights, "disable_offline_storage": True}
        spans.append(AzureMonitorTraceExporter(**to))
        metrics.append(PeriodicExportingMetricReader(AzureMonitorMetricExporter(**to)))
        logs.append(AzureMonitorLogExporter(**to))
    if settings.collector:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        # They read the address, and headers if it wants any, from OpenTelemetry's own settings.
        spans.append(OTLPSpanExporter())
        metrics.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
        logs.append(OTLPLogExporter())
    return spans, metrics, logs
