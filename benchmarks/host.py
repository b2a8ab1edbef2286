"""The local host, its histories counted: `python -m benchmarks.host`, with the options of `python -m embedded`.

The file named by BENCH_HISTORIES gets {"events", "largest"}: of all executions of all orchestrators, those that started
over counted each time; written about once a second, and at an orderly end.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, override

from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import OrchestrationInstance

from embedded import backend
from embedded.__main__ import main

EVERY_SECONDS = 1.0
ENDS = 2
"""Events that an execution still gets after its last action: that it ended, and that its episode did."""


class CountingBackend(backend.Backend):
    """The engine, with a count of what it writes into histories."""

    def __init__(self, default_version: str | None = None) -> None:
        super().__init__(default_version)
        self._file = Path(os.environ["BENCH_HISTORIES"])
        self._ended, self._largest, self._written = 0, 0, 0.0
        self._open: dict[str, int] = {}
        atexit.register(self._write)

    @override
    def CompleteOrchestratorTask(self, request: pb.OrchestratorResponse, context: Any) -> pb.CompleteTaskResponse:
        with self._lock:
            response = super().CompleteOrchestratorTask(request, context)
            instance = self._instances.get(request.instanceId)
            if instance is not None and instance.status not in backend.FINISHED:
                self._open[request.instanceId] = len(instance.history)
                self._largest = max(self._largest, len(instance.history))
        if time.monotonic() - self._written > EVERY_SECONDS:
            self._write()
        return response

    @override
    def _process_complete_orchestration_action(
        self, instance: OrchestrationInstance, complete_action: pb.CompleteOrchestrationAction
    ) -> None:
        events = len(instance.history) + ENDS
        self._ended += events
        self._largest = max(self._largest, events)
        self._open.pop(instance.instance_id, None)
        super()._process_complete_orchestration_action(instance, complete_action)

    def _write(self) -> None:
        self._written = time.monotonic()
        events = self._ended + sum(self._open.values())
        self._file.write_text(json.dumps({"events": events, "largest": self._largest}), encoding="ascii")


if __name__ == "__main__":
    backend.Backend = CountingBackend  # type: ignore[misc]  # what the host makes its engine of
    sys.exit(main())
