"""Fixtures that several areas share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from embedded import azurite as embedded_azurite


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Azurite for this test run, on free ports: its connection string."""
    embedded_azurite.install()
    server = embedded_azurite.Azurite(tmp_path_factory.mktemp("azurite"))
    server.begin()
    try:
        yield server.ready()
    finally:
        server.stop()
