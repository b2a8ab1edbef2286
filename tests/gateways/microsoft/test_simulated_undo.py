"""What was done is undone, through the gateways against the simulator, over sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from tenantclosure.gateways.arm import ArmBilling
from tenantclosure.gateways.graph import GraphDirectory
from tenantclosure.gateways.http import connections
from tenantclosure.gateways.identity import Credentials
from tenantclosure.names import Family

from .conftest import StillClock
from .simulated import Simulated, simulator

pytestmark = pytest.mark.simulator
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def world() -> Iterator[Simulated]:
    """A cloud-only tenant without lag and quota."""
    with simulator("--users", "30", "--quota", "off", "--lag-ms", "0", "--day-seconds", "1") as running:
        yield running


@pytest_asyncio.fixture
async def settings(world: Simulated) -> AsyncIterator[Any]:
    """Settings with static tokens; connections are closed afterwards."""
    made = world.settings()
    yield made
    await connections(made).close()


@pytest.fixture
def graph(world: Simulated, settings) -> GraphDirectory:
    """The Graph gateway before the simulator."""
    return GraphDirectory(settings, Credentials(settings), world.ready["tenantId"], StillClock())


async def test_users_sign_in_again(graph) -> None:
    """Blocked in one batch, let in again in another; a fresh read says so each time."""
    ids = await ordinary(graph)
    for change, enabled in ((graph.block_sign_in, False), (graph.allow_sign_in, True)):
        assert all(answer.done for answer in await change(ids[:10]))
        assert {user.facts["enabled"] for user in await users(graph) if user.id in ids[:10]} == {enabled}


async def test_the_deleted_come_back(graph) -> None:
    """20 users, and applications, come back from the recycle bin with their ids; what is not in it says 404."""
    found = {Family.USERS: (await ordinary(graph))[:20], Family.APPLICATIONS: []}
    found[Family.APPLICATIONS] = [item.id async for page in graph.pages(Family.APPLICATIONS) for item in page][:2]
    for family, ids in found.items():
        assert all(answer.done for answer in await graph.delete_many(family, ids))
        assert set((await graph.states_of(family, ids)).values()) == {"deleted"}
        answers = await graph.restore_many(family, ids)
        assert [(answer.id, answer.done) for answer in answers] == [(id_, True) for id_ in ids]
        assert set((await graph.states_of(family, ids)).values()) == {"present"}
    (answer,) = await graph.restore_many(Family.USERS, [NOBODY])
    assert answer.absent


async def test_azure_is_enabled_again(world, settings) -> None:
    """Cancelled, then enabled while it is only disabled; the state says so each time."""
    arm = ArmBilling(settings, Credentials(settings), world.ready["tenantId"])
    (azure, *_) = await arm.azure_subscriptions()
    assert (await arm.cancel_azure(azure.id, ignore_resources=True)).done
    assert await arm.azure_state(azure.id) == "Disabled"
    assert (await arm.enable_azure(azure.id)).done
    assert await arm.azure_state(azure.id) == "Enabled"


async def users(graph: GraphDirectory) -> list[Any]:
    return [user async for page in graph.pages(Family.USERS) for user in page]


async def ordinary(graph: GraphDirectory) -> list[str]:
    """Users without roles whom nothing protects."""
    holders = await graph.role_holders()
    return [user.id for user in await users(graph) if not user.facts["restricted"] and user.id not in holders]
