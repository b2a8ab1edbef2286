"""Each test has its own parts; none is left behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tenantclosure import wiring
from tests.activities.rig import Rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A bench over a tenant of 45 users, in use."""
    yield Rig()
    wiring.use(None)
