"""The gateways on a B2C tenant of the simulator: what it lacks is never asked for, and its Azure resource is it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from tenantclosure.errors import AccessRefused
from tenantclosure.gateways.external import ArmDirectory
from tenantclosure.gateways.graph import GraphDirectory
from tenantclosure.gateways.http import connections
from tenantclosure.gateways.identity import Credentials
from tenantclosure.names import Family

from .conftest import StillClock
from .simulated import Simulated, simulator

pytestmark = pytest.mark.simulator


@pytest.fixture(scope="module")
def world() -> Iterator[Simulated]:
    """A small B2C tenant."""
    with simulator("--users", "5", "--profile", "external-b2c", "--quota", "off", "--lag-ms", "0") as running:
        yield running


@pytest_asyncio.fixture
async def settings(world: Simulated) -> AsyncIterator[Any]:
    made = world.settings()
    yield made
    await connections(made).close()


@pytest.mark.slow
async def test_the_whole_tenant_is_read(world: Simulated, settings: Any) -> None:
    """Every family to its last page, its type, and how much of what only such a tenant has is left."""
    graph = GraphDirectory(settings, Credentials(settings), world.ready["tenantId"], StillClock())
    for family in Family:
        assert [item async for page in graph.pages(family) for item in page] or family != Family.USERS, family
    assert "AAD B2C" == (await graph.organization()).tenant_type
    leftovers = await graph.external_leftovers()
    assert {"user flows", "custom policies", "policy keys", "identity providers"} == set(leftovers)
    assert all(leftovers.values()), leftovers


async def test_its_resource_is_found_and_guarded(world: Simulated, settings: Any) -> None:
    """Azure says whose it is; while the tenant is not empty its deletion is refused; without the role nothing shows."""
    azure = ArmDirectory(settings, Credentials(settings), world.ready["tenantId"])
    resource = world.ready["externalDirectory"]
    found = await azure.find(resource)
    assert found is not None
    assert (world.ready["tenantId"], "b2c") == (found["tenantId"], found["kind"])
    assert None is await azure.find(resource + "x")
    answer, operation = await azure.delete(resource)
    assert (409, "TenantNotEmpty", None) == (answer.status, answer.code, operation)
    world.sim("consent", {"resourceRole": False})
    with pytest.raises(AccessRefused, match="Contributor"):
        await azure.find(resource)
    world.sim("consent", {"resourceRole": True})
