"""Fixtures for the gateways to storage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tenantclosure.gateways.records import AzureRecords
from tenantclosure.settings import Settings
from tests.fakes.proxy import LosingProxy


def storage_settings(**values: str) -> Settings:
    """Settings in which only storage matters."""
    base = {
        "CLOSURE_CREDENTIAL": "certificate",
        "CLOSURE_CLIENT_ID": "none",
        "CLOSURE_CERTIFICATE_FILE": Path("none"),
        "CLOSURE_HOME_TENANT_ID": "home",
    }
    return Settings.model_validate({**base, **values})


@pytest.fixture
def settings_for() -> Callable[..., Settings]:
    """Makes settings from storage's environment names."""
    return storage_settings


@pytest_asyncio.fixture
async def proxy(azurite: str) -> AsyncIterator[LosingProxy]:
    """A proxy before Azurite that can lose answers."""
    async with LosingProxy(azurite) as proxy:
        yield proxy


@pytest_asyncio.fixture
async def behind_proxy(proxy: LosingProxy) -> AsyncIterator[AzureRecords]:
    """Records that reach Azurite by way of the proxy, on warm (reused) connections."""
    records = AzureRecords(storage_settings(CLOSURE_STORAGE=proxy.connection_string))
    await records.prepare()
    proxy.requests.clear()
    yield records
    await records.close()
