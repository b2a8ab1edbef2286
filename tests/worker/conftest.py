"""One worker for each file of tests; what the app needs around it is in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tenantclosure import wiring
from tests.activities.rig import Rig
from tests.web.conftest import desk as desk
from tests.worker.worker import Worker


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """The app in Azure's worker, with strict typing as it is deployed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AZURE_FUNCTIONS_DURABLE_STRICT_TYPING", "true")
        made = Worker()
        yield made
        made.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    """Parts in memory over a tenant of 45 users, for the activities."""
    yield Rig()
    wiring.use(None)
