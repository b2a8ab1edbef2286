"""What Azure tells of our own roles, as `ports.Access` reads it."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from tenantclosure.errors import AccessRefused, ServiceTrouble
from tenantclosure.gateways.access import EntraAccess
from tenantclosure.gateways.identity import Credentials
from tenantclosure.ports import Access

from .conftest import TENANT, ScriptedServer

SUBSCRIPTION = "88888888-1111-4222-8333-444455556666"
OURS = f"/subscriptions/{SUBSCRIPTION}"


@pytest.fixture
def access(settings) -> EntraAccess:
    return EntraAccess(settings, Credentials(settings))


def role(name: str, scope: str) -> dict:
    """One assignment as ARM lists it."""
    return {"properties": {"roleDefinitionId": f"{OURS}/providers/x/roleDefinitions/{name}", "scope": scope}}


async def test_roles_on_a_subscription(access: EntraAccess, server: ScriptedServer) -> None:
    """What reaches the subscription counts, from above too; a role on a resource group in it does not."""
    above, below = "/providers/Microsoft.Management/managementGroups/g", f"{OURS.upper()}/resourceGroups/g"
    server.script = lambda seen: {"value": [role("Owner", OURS), role("Reader", above), role("Low", below)]}

    assert isinstance(access, Access)
    assert {"owner", "reader"} == await access.azure_roles(TENANT, SUBSCRIPTION, "sp")
    assert "$filter=principalId eq 'sp'" in unquote(server.seen[0].query)
    assert f"{OURS}/providers/Microsoft.Authorization/roleAssignments" == server.seen[0].path


@pytest.mark.parametrize("status", [401, 403])
async def test_roles_that_nobody_shows(access: EntraAccess, server: ScriptedServer, status: int) -> None:
    """A refusal is no empty list."""
    server.script = lambda seen: (status, {"error": {"code": "AuthorizationFailed"}})
    with pytest.raises(AccessRefused):
        await access.azure_roles(TENANT, SUBSCRIPTION, "sp")


@pytest.mark.parametrize("body", [[], {}, {"value": None}])
async def test_roles_that_can_t_be_read(access: EntraAccess, server: ScriptedServer, body: object) -> None:
    """What is no list says nothing."""
    server.script = lambda seen: (200, body)
    with pytest.raises(ServiceTrouble):
        await access.azure_roles(TENANT, SUBSCRIPTION, "sp")


@pytest.mark.parametrize(("status", "seen"), [(200, True), (401, False), (403, False), (404, False)])
async def test_a_billing_account(access: EntraAccess, server: ScriptedServer, status: int, seen: bool) -> None:
    """It shows itself, or we hold no role on it; the account's name is one path segment."""
    server.script = lambda request: (status, {})

    assert seen is await access.sees_billing_account(TENANT, "a:b_2019-05-31")
    assert "/providers/Microsoft.Billing/billingAccounts/a:b_2019-05-31" == server.seen[0].path


async def test_a_billing_account_in_trouble(access: EntraAccess, server: ScriptedServer) -> None:
    """Any other answer is no verdict."""
    server.script = lambda request: (400, {"error": {"code": "BadRequest"}})
    with pytest.raises(ServiceTrouble):
        await access.sees_billing_account(TENANT, "a")
