"""The Azure resource of an external tenant against a scripted server: whose it is, refusals, the operation."""

from __future__ import annotations

from typing import Any

import pytest

from tenantclosure.errors import AccessRefused, RailBroken, ServiceTrouble, Throttled
from tenantclosure.gateways.external import ArmDirectory
from tenantclosure.gateways.identity import Credentials

from .conftest import TENANT, jwt, settings_for

HOME = "77777777-1111-4222-8333-444455556666"
BASE = (
    "/subscriptions/88888888-1111-4222-8333-444455556666/resourceGroups/rg-1/providers/Microsoft.AzureActiveDirectory"
)
CIAM, B2C = f"{BASE}/ciamDirectories/contoso", f"{BASE}/b2cDirectories/contoso.onmicrosoft.com"
REFUSED = {"error": {"code": "TenantNotEmpty", "message": "Delete the user flows first."}}


@pytest.fixture
def directory(server) -> ArmDirectory:
    token = jwt(tid=HOME, marker="home")
    settings = settings_for(server.url, CLOSURE_HOME_TENANT_ID=HOME, CLOSURE_HOME_STATIC_TOKEN=token)
    return ArmDirectory(settings, Credentials(settings), TENANT)


def resource(tenant: str = TENANT, **properties: Any) -> dict[str, Any]:
    return {"name": "contoso", "location": "Europe", "properties": {"tenantId": tenant, **properties}}


def answering(deleted: Any, tenant: str = TENANT) -> Any:
    """A script that shows the resource and answers its DELETE with this."""
    return lambda seen: resource(tenant) if seen.method == "GET" else deleted


@pytest.mark.parametrize(
    ("resource_id", "kind", "version"), [(CIAM, "ciam", "2023-05-17-preview"), (B2C.upper(), "b2c", "2021-04-01")]
)
async def test_find(directory, server, resource_id, kind, version) -> None:
    """Read in the hosting tenant, by the kind's own version; not there is None, 403 names the role that is missing."""
    server.script = lambda seen: resource(TENANT.upper())
    found = await directory.find(resource_id)
    assert found == {"tenantId": TENANT, "kind": kind, "name": "contoso", "location": "Europe"}
    (seen,) = server.seen
    assert (seen.path, seen.query) == (resource_id, f"api-version={version}")
    assert seen.headers["authorization"] == "Bearer " + jwt(tid=HOME, marker="home")
    server.script = lambda seen: (404, {"error": {"code": "ResourceNotFound"}})
    assert await directory.find(resource_id) is None
    server.script = lambda seen: (403, {"error": {"code": "AuthorizationFailed"}})
    with pytest.raises(AccessRefused, match="AuthorizationFailed.*Contributor"):
        await directory.find(resource_id)
    server.script = lambda seen: (400, {"error": {"code": "NoRegisteredProviderFound"}})
    assert await directory.find(resource_id) is None
    server.script = lambda seen: (400, {"error": {"code": "InvalidSubscriptionId"}})
    with pytest.raises(ServiceTrouble, match="InvalidSubscriptionId"):
        await directory.find(resource_id)


@pytest.mark.parametrize(
    "resource_id",
    ["", "/subscriptions/x", CIAM + "/x", CIAM + "?x", "@evil.example" + CIAM, BASE + "/guestUsages/x", "x" + CIAM],
)
async def test_only_ids_of_external_directories(directory, server, resource_id) -> None:
    """An id of another shape never becomes a URL."""
    for method in (directory.find, directory.delete):
        with pytest.raises(ValueError, match="not the ARM id"):
            await method(resource_id)
    assert server.seen == []


@pytest.mark.parametrize("tenant", [HOME, "", "99999999-1111-4222-8333-444455556666"])
async def test_another_tenants_resource_is_never_deleted(directory, server, tenant) -> None:
    """Only the tenant to be closed: no DELETE leaves for a resource that is another one or names none."""
    server.script = answering((202, None), tenant)
    with pytest.raises(RailBroken, match="tenant-pin"):
        await directory.delete(CIAM)
    assert [seen.method for seen in server.seen] == ["GET"]


async def test_delete_gives_the_operation(directory, server) -> None:
    """Azure-AsyncOperation before Location; none for 204; an address elsewhere than our ARM is never followed."""
    one, two = f"{server.url}/operations/1?t=a", f"{server.url}/operations/2"
    for headers, operation in (
        ({"Azure-AsyncOperation": one, "Location": two}, one),
        ({"Location": two}, two),
        ({"Azure-AsyncOperation": "https://evil.example/1", "Location": server.url + ".evil.example/2"}, None),
        ({}, None),
    ):
        server.script = answering((202, None, headers))
        answer, found = await directory.delete(CIAM)
        assert (answer.status, answer.id, found) == (202, CIAM, operation)
    server.script = answering((204, None, {"Location": two}))
    assert (await directory.delete(CIAM))[1] is None
    server.script = lambda seen: (404, {})
    answer, operation = await directory.delete(CIAM)
    assert (answer.absent, operation, server.seen[-1].method) == (True, None, "GET")


async def test_refusals_keep_their_reason(directory, server) -> None:
    """Why Azure refuses is what people need; a missing role is named; throttling and trouble are errors."""
    server.script = answering((409, REFUSED))
    answer, operation = await directory.delete(CIAM)
    assert (answer.code, answer.message, operation) == ("TenantNotEmpty", "Delete the user flows first.", None)
    server.script = answering((403, {"error": {"code": "AuthorizationFailed", "message": "no"}}))
    answer, _ = await directory.delete(CIAM)
    assert (answer.code, "Contributor" in answer.message, answer.message.endswith(" no")) == (
        "AuthorizationFailed",
        True,
        True,
    )
    for said, error in [((429, {}), Throttled), ((500, {}), ServiceTrouble), (None, ServiceTrouble)]:
        server.script = answering(said)
        with pytest.raises(error):
            await directory.delete(CIAM)


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ((202, None), "running"),
        ((200, {"status": "InProgress"}), "running"),
        ((200, {"status": "Paused"}), "running"),
        ((200, {"status": "Succeeded"}), "succeeded"),
        ((200, {}), "succeeded"),
        ((204, None), "succeeded"),
        ((200, {"status": "Failed", **REFUSED}), "failed: Failed, TenantNotEmpty Delete the user flows first."),
        ((200, {"status": "Canceled"}), "failed: Canceled, HTTP 200, without a reason"),
        ((404, {"error": {"code": "NotFound"}}), "failed: NotFound"),
        ((409, REFUSED), "failed: TenantNotEmpty Delete the user flows first."),
    ],
)
async def test_poll(directory, server, said, word) -> None:
    """One GET a look, both of ARM's ways of telling; a word nobody documented is no end."""
    server.script = lambda seen: said
    assert await directory.poll(f"{server.url}/operations/1") == word
    assert [seen.method for seen in server.seen] == ["GET"]


async def test_poll_elsewhere_or_without_access(directory, server) -> None:
    """Our token goes to our ARM only; a role that was taken away meanwhile is named."""
    for elsewhere in ("https://evil.example/1", server.url + ".evil.example/1", ""):
        with pytest.raises(ValueError, match="not one of our"):
            await directory.poll(elsewhere)
    assert server.seen == []
    server.script = lambda seen: (403, {"error": {"code": "AuthorizationFailed"}})
    with pytest.raises(AccessRefused, match="Contributor"):
        await directory.poll(f"{server.url}/operations/1")
