"""The desk as a fixture; the process's parts are put back afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tenantclosure import wiring
from tests.web import rig
from web import limiting, refusals


@pytest.fixture
def desk() -> Iterator[rig.Desk]:
    """Parts in memory, in force for the handlers while the test runs."""
    refusals.forget()
    limiting.forget()
    yield rig.desk()
    wiring.use(None)
