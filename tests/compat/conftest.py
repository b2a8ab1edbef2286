"""Backends for the compatibility tests: the stock one, ours, and ours with a native worker attached."""

from collections.abc import Iterator

import pytest
from durabletask.testing.in_memory_backend import InMemoryOrchestrationBackend

from embedded.backend import Backend
from tests.compat.hub import Hub


@pytest.fixture
def stock() -> Hub:
    """The stock backend, driven by hand and without its server."""
    return Hub(InMemoryOrchestrationBackend())


@pytest.fixture
def mended() -> Iterator[Hub]:
    """Our backend, driven by hand."""
    backend = Backend()
    backend.start()
    yield Hub(backend)
    backend.stop(0)
