"""The post office as a fixture."""

from __future__ import annotations

import pytest

from tests.outbox.rig import Post


@pytest.fixture
async def post() -> Post:
    """A closure whose plan is frozen, with a mailer and a channel that keep what they get."""
    return await Post().filed()
