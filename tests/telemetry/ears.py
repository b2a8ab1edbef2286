"""Hears spans, numbers and log records in memory, behind the very set-up that sends them elsewhere."""

from __future__ import annotations

from typing import Any, Self

from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tenantclosure.telemetry.export import Sending
from tenantclosure.telemetry.lines import install

Told = dict[str, dict[frozenset[tuple[str, Any]], float]]


class Ears:
    """Listens inside a `with`."""

    def __init__(self) -> None:
        self._spans, self._logs = InMemorySpanExporter(), InMemoryLogRecordExporter()
        self._reader = InMemoryMetricReader()
        self._sending = Sending("here", [self._spans], [self._reader], [self._logs])

    def __enter__(self) -> Self:
        install()
        self._sending.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._sending.end()

    def spans(self) -> list[Any]:
        """Every span that has ended."""
        self._sending.flush()
        return list(self._spans.get_finished_spans())

    def logs(self) -> list[Any]:
        """Every log record that was sent."""
        self._sending.flush()
        return [one.log_record for one in self._logs.get_finished_logs()]

    def metrics(self) -> Told:
        """Value by name and attributes: of a counter its sum, of a histogram how many."""
        found: Told = {}
        data = self._reader.get_metrics_data()
        for scope in (scope for one in data.resource_metrics for scope in one.scope_metrics) if data else ():
            for metric in scope.metrics:
                points = found.setdefault(metric.name, {})
                for point in metric.data.data_points:
                    value = point.count if hasattr(point, "count") else point.value
                    points[frozenset((point.attributes or {}).items())] = value
        return found
