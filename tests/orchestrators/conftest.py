"""Every orchestrator test runs with the Functions codec in strict mode, as in Azure."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def strict_typing() -> Iterator[None]:
    """Objects and envelopes on the wire are refused."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AZURE_FUNCTIONS_DURABLE_STRICT_TYPING", "true")
        yield
