"""The table of permissions against Graph: with all of it no call of ours is refused, and each one is needed by some."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from tenantclosure.errors import ListingIncomplete, ServiceTrouble
from tenantclosure.gateways.graph import GraphDirectory
from tenantclosure.gateways.http import connections
from tenantclosure.gateways.identity import Credentials
from tenantclosure.names import Family
from tenantclosure.policy.permissions import Where, graph
from tests.gateways.microsoft.simulated import Simulated

pytestmark = [pytest.mark.simulator, pytest.mark.slow]

NOBODY = "b0b0b0b0-0000-4000-8000-000000000000"
Call = Callable[[GraphDirectory], Awaitable[bool]]
"""Whether Graph refuses something that the service asks for."""


def lists(*families: Family) -> Call:
    """Every listing of these families."""

    async def call(directory: GraphDirectory) -> bool:
        for family in families:
            try:
                async for _ in directory.pages(family):
                    pass
            except ListingIncomplete:
                return True
        return False

    return call


async def _reads_roles(directory: GraphDirectory) -> bool:
    try:
        await directory.global_administrators()
        await directory.role_holders()
    except ListingIncomplete:
        return True
    return False


async def _one(directory: GraphDirectory) -> str:
    admins = frozenset(await directory.role_holders())
    found = [item async for page in directory.pages(Family.USERS) for item in page if not item.facts["synced"]]
    return next(item.id for item in found if item.id not in admins)


async def _blocks(directory: GraphDirectory) -> bool:
    answer = (await directory.block_sign_in([await _one(directory)]))[0]
    return answer.status == 403


async def _revokes(directory: GraphDirectory) -> bool:
    answer = (await directory.block_sign_in([await _one(directory)]))[0]
    return "403" in answer.message


async def _freezes(directory: GraphDirectory) -> bool:
    return (await directory.set_sign_up_policy({"allowInvitesFrom": "none"})).status == 403


async def _deletes(directory: GraphDirectory) -> bool:
    return (await directory.delete_many(Family.USERS, [NOBODY]))[0].status == 403


async def _restores(directory: GraphDirectory) -> bool:
    return (await directory.restore_many(Family.USERS, [NOBODY]))[0].status == 403


async def _removes_applications(directory: GraphDirectory) -> bool:
    families = (Family.APPLICATIONS, Family.SERVICE_PRINCIPALS)
    answers = [(await directory.delete_many(family, [NOBODY]))[0] for family in families]
    answers += await directory.disable_service_principals([NOBODY])
    return any(answer.status == 403 for answer in answers)


async def _removes_domains(directory: GraphDirectory) -> bool:
    return (await directory.delete_many(Family.DOMAINS, ["none.example"]))[0].status == 403


async def _switches_mfa(directory: GraphDirectory) -> bool:
    return (await directory.turn_off_mfa([NOBODY]))[0].status == 403


async def _stops_sync(directory: GraphDirectory) -> bool:
    return (await directory.turn_off_sync()).status == 403


async def _reads_policies(directory: GraphDirectory) -> bool:
    try:
        await directory.sign_up_policy()
    except ServiceTrouble:
        return True
    return await directory.security_defaults() is None


CALLS: dict[str, tuple[Call, ...]] = {
    "Application.ReadWrite.All": (lists(Family.APPLICATIONS, Family.SERVICE_PRINCIPALS), _removes_applications),
    "Device.Read.All": (lists(Family.DEVICES),),
    "Domain.ReadWrite.All": (lists(Family.DOMAINS), _removes_domains),
    "Group.Read.All": (lists(Family.GROUPS),),
    "Organization.Read.All": (lists(Family.SUBSCRIPTIONS, Family.LICENCES),),
    "Organization.ReadWrite.All": (_stops_sync,),
    "Policy.Read.All": (lists(Family.ACCESS_POLICIES), _reads_policies),
    "Policy.ReadWrite.AuthenticationMethod": (_switches_mfa,),
    "Policy.ReadWrite.Authorization": (_freezes,),
    "RoleManagement.Read.Directory": (_reads_roles,),
    "User.DeleteRestore.All": (_deletes,),
    "User.EnableDisableAccount.All": (_blocks,),
    "User.Read.All": (lists(Family.USERS),),
    "User.RevokeSessions.All": (_revokes,),
}
HIGHER = {"Organization.Read.All": ("Organization.ReadWrite.All",)}
"""What Graph lets a higher permission do as well; it is taken away too."""


@pytest_asyncio.fixture
async def directory(sim: Simulated) -> AsyncIterator[GraphDirectory]:
    """The Graph gateway with the certificate, signed in afresh."""
    sim.sim("settings", {"sync_patch": "allow"})
    settings = sim.settings("certificate")
    yield GraphDirectory(settings, Credentials(settings), sim.ready["tenantId"])
    await connections(settings).close()


def test_every_permission_has_its_calls() -> None:
    """No permission of the table is without a call that needs it, and no call without a permission."""
    assert set(CALLS) == {need.name for need in graph(Where.TARGET)}


async def test_the_table_is_enough(directory: GraphDirectory) -> None:
    """With exactly the permissions of the table Graph refuses none of our calls."""
    refused = {name for name, calls in CALLS.items() for call in calls if await call(directory)}

    assert set() == refused
    assert not await _restores(directory)


@pytest.mark.parametrize("name", CALLS)
async def test_the_table_has_nothing_too_much(sim: Simulated, directory: GraphDirectory, name: str) -> None:
    """Without one of them the calls it stands for are refused."""
    away = [name, *HIGHER.get(name, ())]
    sim.sim("consent", {"remove": away})
    try:
        refused = [await call(directory) for call in CALLS[name]]
    finally:
        sim.sim("consent", {"add": away})

    assert [True] * len(refused) == refused
