"""Approvers are looked up in the hosting tenant: who they are, whether they are enabled, and never somebody else."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tenantclosure.errors import ServiceTrouble, Throttled
from tenantclosure.gateways.http import connections
from tenantclosure.gateways.identity import Credentials
from tenantclosure.gateways.people import HomeDirectory
from tenantclosure.model.people import Account

from .conftest import jwt, settings_for
from .simulated import Simulated

HOME = "d0000000-0000-4000-8000-00000000000a"
ROW = {
    "id": "0A",
    "userPrincipalName": "Ann@fabrikam.com",
    "displayName": "Ann",
    "mail": "ann@fabrikam.com",
    "accountEnabled": True,
    "userType": "Member",
}


@pytest.mark.simulator
@pytest.mark.parametrize("credential", ["static", "certificate"])
async def test_in_the_simulated_hosting_tenant(home: Simulated, credential: str) -> None:
    """The account comes with the object id that a sign-in has; disabled shows, deleted and unknown are None."""
    settings = home.settings(credential)
    people, tenant = HomeDirectory(settings, Credentials(settings)), home.ready["homeTenantId"]
    object_id = str(uuid.uuid5(uuid.UUID(tenant), "ann@fabrikam.com"))
    ann = Account(tenant, object_id, "ann@fabrikam.com", "Ann", "ann@fabrikam.com", enabled=True)
    try:
        assert ann == await people.find("ANN@fabrikam.com")
        assert await people.find("nobody@fabrikam.com") is None
        assert await people.find(object_id) is None
        home.sim("people", {"upn": "bob@fabrikam.com", "enabled": False})
        bob = await people.find("bob@fabrikam.com")
        assert bob is not None and not bob.enabled
        home.sim("people", {"upn": "bob@fabrikam.com", "deleted": True})
        assert await people.find("bob@fabrikam.com") is None
    finally:
        home.sim("people", {"upn": "bob@fabrikam.com", "deleted": False, "enabled": True})
        await connections(settings).close()


@pytest_asyncio.fixture
async def people(server) -> AsyncIterator[HomeDirectory]:
    """The directory before the scripted server."""
    own = {"CLOSURE_HOME_TENANT_ID": HOME, "CLOSURE_HOME_STATIC_TOKEN": jwt(tid=HOME)}
    settings = settings_for(server.url, **own)
    yield HomeDirectory(settings, Credentials(settings))
    await connections(settings).close()


async def test_a_guest_is_asked_for_as_written(people, server) -> None:
    """A guest's name has a # that must not end the path; missing name and mail are empty."""
    guest = "x_adatum.com#EXT#@fabrikam.com"
    server.script = lambda seen: {"id": "G", "userPrincipalName": guest, "accountEnabled": True}
    assert Account(HOME, "g", guest) == await people.find(guest)
    (seen,) = server.seen
    assert f"/v1.0/users/{guest}" == seen.path
    assert "$select=id,userPrincipalName,displayName,mail,accountEnabled,userType" == seen.query
    assert f"Bearer {jwt(tid=HOME)}" == seen.headers["authorization"]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(ROW | {"userPrincipalName": "bob@fabrikam.com"}, id="somebody else"),
        pytest.param(ROW | {"userPrincipalName": None}, id="no name"),
        pytest.param(ROW | {"id": None}, id="no id"),
        pytest.param({"value": [ROW]}, id="a listing"),
    ],
)
async def test_another_answer_than_asked_for_is_nobody(people, server, row) -> None:
    """Only the account that bears the asked name may stand on a gate."""
    server.script = lambda seen: row
    assert await people.find("ann@fabrikam.com") is None


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ((403, {"error": {"code": "Authorization_RequestDenied"}}), "User.Read.All"),
        (ROW | {"accountEnabled": None}, "User.Read.All"),
        ((400, {"error": {"code": "BadRequest"}}), "BadRequest"),
        ((200, [1]), "HTTP 200"),
        ((401, {}), "HTTP 401"),
        (None, "no answer"),
        ((500, {}), "HTTP 500"),
    ],
)
async def test_trouble_is_no_absence(people, server, said, text) -> None:
    """What can't be read is trouble, which names the permission where one may be missing; no token in the text."""
    server.script = lambda seen: said
    with pytest.raises(ServiceTrouble, match=text) as caught:
        await people.find("ann@fabrikam.com")
    assert jwt(tid=HOME) not in str(caught.value)


async def test_throttling_keeps_its_wait(people, server) -> None:
    """A 429 carries how long to wait."""
    server.script = lambda seen: (429, {}, {"Retry-After": "7"})
    with pytest.raises(Throttled) as caught:
        await people.find("ann@fabrikam.com")
    assert 7.0 == caught.value.retry_after
