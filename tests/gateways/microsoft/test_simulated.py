"""The gateways through the real SDKs against the simulator, over sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from tenantclosure.errors import RailBroken, SignInRefused
from tenantclosure.gateways.arm import ArmBilling
from tenantclosure.gateways.graph import GraphDirectory
from tenantclosure.gateways.http import connections
from tenantclosure.gateways.identity import Credentials
from tenantclosure.gateways.outside import OutsideView
from tenantclosure.gateways.partner import PartnerCenter
from tenantclosure.names import Family

from .conftest import StillClock
from .simulated import Simulated, simulator

pytestmark = pytest.mark.simulator


@pytest.fixture(scope="module")
def world() -> Iterator[Simulated]:
    """A hybrid tenant with more users than a page holds and a small write quota."""
    options = ["--users", "1205", "--profile", "hybrid", "--quota", "30/5", "--lag-ms", "0", "--day-seconds", "1"]
    with simulator(*options) as running:
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


async def test_the_whole_tenant_is_read(world, graph) -> None:
    """Users come over two pages, each once; every family and switch is readable."""
    pages = [page async for page in graph.pages(Family.USERS)]
    users = [user for page in pages for user in page]
    assert len(pages) == 2 and len(pages[0]) == 999
    assert len({user.id for user in users}) == len(users)
    for family in Family:
        items = [item async for page in graph.pages(family) for item in page]
        assert all(item.id and item.name for item in items), family
    found = await graph.organization()
    assert (found.id, found.sync_enabled, found.initial_domain) == (
        world.ready["tenantId"],
        True,
        world.ready["domain"],
    )
    keeper = await graph.find_user(world.ready["keeper"])
    assert keeper is not None and keeper.facts["enabled"] and not keeper.facts["synced"]
    assert keeper.id in await graph.global_administrators()
    assert keeper.id in await graph.role_holders()
    own = await graph.own_service_principal()
    assert own is not None and own.facts["appId"] == world.ready["clientId"]
    assert isinstance(await graph.security_defaults(), bool)
    assert await graph.mfa_states([keeper.id])
    policy = await graph.sign_up_policy()
    assert set(policy) == {
        "allowedToSignUpEmailBasedSubscriptions",
        "allowEmailVerifiedUsersToJoinOrganization",
        "allowInvitesFrom",
    }
    assert (await graph.set_sign_up_policy({**policy, "allowInvitesFrom": "none"})).done
    assert (await graph.sign_up_policy())["allowInvitesFrom"] == "none"


async def test_deleting_until_the_quota_answers_429(graph) -> None:
    """A batch within the quota is removed; beyond it the items say 429 with a wait; states prove it."""
    if (await graph.organization()).sync_enabled:
        await graph.turn_off_sync()
    users = [u async for page in graph.pages(Family.USERS) for u in page]
    plain = [
        u.id for u in users if not u.facts["synced"] and not u.facts["restricted"] and "admin" not in u.facts["upn"]
    ]
    holders = await graph.role_holders()
    ids = [i for i in plain if i not in holders][:40]
    answers = [*await graph.delete_many(Family.USERS, ids[:20]), *await graph.delete_many(Family.USERS, ids[20:])]
    assert [a.id for a in answers] == ids
    throttled = [a for a in answers if a.status == 429]
    assert throttled and all(a.retry_after for a in throttled)
    assert all(a.done or a in throttled for a in answers)
    states = await graph.states_of(Family.USERS, [a.id for a in answers[:20]])
    assert {states[a.id] for a in answers[:20] if a.done} == {"deleted"}
    assert await graph.states_of(Family.USERS, ["00000000-0000-4000-8000-000000000000"]) == {
        "00000000-0000-4000-8000-000000000000": "gone"
    }


@pytest.mark.parametrize("credential", ["certificate", "federated"])
async def test_real_credentials_sign_in(world, monkeypatch, credential) -> None:
    """azure-identity's certificate and assertion credentials get tokens over TLS; a token names the tenant."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", world.ready["identityEndpoint"])
    monkeypatch.setenv("IDENTITY_HEADER", world.ready["identityHeader"])
    settings = world.settings(credential)
    graph = GraphDirectory(settings, Credentials(settings), world.ready["tenantId"])
    found = await graph.identity()
    assert (found.tenant_id, found.app_id) == (world.ready["tenantId"], world.ready["clientId"])
    assert found.roles and "User.DeleteRestore.All" in found.roles
    assert (await graph.organization()).id == world.ready["tenantId"]
    elsewhere = GraphDirectory(settings, Credentials(settings), "11111111-1111-4111-8111-111111111111")
    with pytest.raises(SignInRefused) as caught:
        await elsewhere.identity()
    assert caught.value.code == 90002
    await connections(settings).close()


async def test_seen_from_outside(world, settings) -> None:
    """The tenant is alive, a tenant nobody has is gone, both over TLS with our CA."""
    assert await OutsideView(settings, world.ready["tenantId"]).sighting() == "alive"
    assert await OutsideView(settings, "11111111-1111-4111-8111-111111111111").sighting() == "gone"


async def test_arm_and_partner(world, settings) -> None:
    """Azure, billing and partner subscriptions are listed with their facts and read one by one."""
    tenant, credentials = world.ready["tenantId"], Credentials(settings)
    arm = ArmBilling(settings, credentials, tenant)
    for azure in await arm.azure_subscriptions():
        assert await arm.azure_state(azure.id) == azure.facts["state"]
    rows = await arm.billing_subscriptions()
    assert rows and not any(row.facts["allowed"] for row in rows)
    with pytest.raises(RailBroken, match="billing-account"):
        await arm.stop_renewal(rows[0].id)
    listed = settings.model_copy(update={"billing_accounts": frozenset(row.facts["account"].lower() for row in rows)})
    arm = ArmBilling(listed, credentials, tenant)
    for row in rows:
        fresh = await arm.billing_subscription(row.id)
        assert fresh is not None and fresh.facts["tenantId"] == tenant
        if fresh.facts["status"] == "Active":
            assert (await arm.stop_renewal(row.id)).done
            fresh = await arm.billing_subscription(row.id)
            assert fresh is not None and fresh.facts["autoRenew"] == "Off"
            assert (await arm.start_renewal(row.id)).done
            fresh = await arm.billing_subscription(row.id)
            assert fresh is not None and fresh.facts["autoRenew"] == "On"
    partner = PartnerCenter(settings, credentials, tenant)
    subscriptions = await partner.subscriptions()
    assert subscriptions
    for subscription in subscriptions:
        assert await partner.subscription(subscription.id) is not None
        for change, renews in ((partner.stop_renewal, False), (partner.start_renewal, True)):
            assert (await change(subscription.id)).done
            found = await partner.subscription(subscription.id)
            assert found is not None and found.facts["autoRenewEnabled"] is renews
        assert (await partner.cancel(subscription.id)).done
        gone = await partner.subscription(subscription.id)
        assert gone is None or gone.facts["status"] == "deleted"
    assert await partner.subscription("11111111-1111-4111-8111-111111111111") is None
