"""Fixtures of the fuzz tests: one server for a file's gateways, one loop for its doors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz import microsoft, office


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[microsoft.Bench]:
    """A server that plays Microsoft, with a client that stays connected."""
    with microsoft.bench(tmp_path_factory.mktemp("certificates")) as made:
        yield made


@pytest.fixture(scope="module")
def doors() -> Iterator[office.Office]:
    """The routes' own functions, with records, tenant and engine in memory."""
    with office.office() as made:
        yield made
