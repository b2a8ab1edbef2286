"""External tenants: shown as what they are, deleted as the Azure resource they are, by whoever hosts them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from simulator.graph.external import PERMISSIONS
from simulator.world import DirectoryResource
from tests.simulator.commerce_rig import Rig, running

PROFILES = ["external", "external-b2c"]
LISTS = ("/identity/b2cUserFlows", "/trustFramework/policies", "/trustFramework/keySets", "/identity/identityProviders")


def resource(rig: Rig) -> DirectoryResource:
    """The Azure resource that the target is."""
    found = rig.world.directory_resource
    assert found is not None
    return found


async def arm(rig: Rig, method: str, path: str = "", tenant: Any = None) -> httpx.Response:
    """A call to the resource, or to another path, with the hosting tenant's token."""
    return await rig.arm(method, path or resource(rig).id, tenant or rig.world.home)


def emptied(rig: Rig) -> None:
    """What a closure removes before: people and registrations."""
    directory = rig.target.directory
    for user in [user for user in directory.users.live.values() if user is not directory.keeper]:
        directory.delete_user(user)
    for app in list(directory.applications.live.values()):
        directory.delete_application(app)


async def signed_in(rig: Rig) -> int:
    """AADSTS code of the target's OpenID configuration; 0 while it is there."""
    answer = await rig.http.get(f"/{rig.target.id}/v2.0/.well-known/openid-configuration")
    return 0 if answer.status_code == 200 else answer.json()["error_codes"][0]


@pytest.mark.parametrize(("profile", "shown"), [("external", "CIAM"), ("external-b2c", "AAD B2C"), ("bare", "AAD")])
async def test_the_type_is_shown(profile: str, shown: str) -> None:
    """Graph's organization names the type; only an external tenant is a resource somewhere."""
    async with running(profile) as rig:
        (row,) = (await rig.graph("/organization")).json()["value"]

        assert shown == row["tenantType"]
        assert (rig.world.directory_resource is None) == (profile == "bare")


@pytest.mark.parametrize("profile", PROFILES)
async def test_the_resource_names_its_tenant(profile: str) -> None:
    """The hosting tenant reads it; the target's own callers don't even see the subscription it lies in."""
    async with running(profile) as rig:
        found = await arm(rig, "GET")
        own = await arm(rig, "GET", tenant=rig.target)
        other = await arm(rig, "GET", resource(rig).id + "x")

        assert (200, rig.target.id) == (found.status_code, found.json()["properties"]["tenantId"])
        assert (404, "SubscriptionNotFound") == (own.status_code, own.json()["error"]["code"])
        assert (404, "ResourceNotFound") == (other.status_code, other.json()["error"]["code"])
        assert [] == (await rig.arm("GET", "/subscriptions")).json()["value"]


@pytest.mark.parametrize("profile", PROFILES)
async def test_deletion_is_the_last_step(profile: str) -> None:
    """Refused while people, registrations or user flows are left; what is left is named, and nothing has begun."""
    async with running(profile) as rig:
        first = await arm(rig, "DELETE")
        emptied(rig)
        second = await arm(rig, "DELETE")
        await rig.portal("remove-user-flows")

        for refused, left in ((first, "users"), (first, "app registrations"), (second, "user flows")):
            assert (409, "TenantNotEmpty") == (refused.status_code, refused.json()["error"]["code"])
            assert left in refused.json()["error"]["message"]
        assert "users" not in second.json()["error"]["message"]
        assert "Succeeded" == (await arm(rig, "GET")).json()["properties"]["provisioningState"]
        assert 202 == (await arm(rig, "DELETE")).status_code


@pytest.mark.parametrize("header", ["Azure-AsyncOperation", "Location"])
async def test_deletion_takes_the_tenant_with_it(header: str) -> None:
    """202, then the operation runs, then it is over: no sign-in, no resource, a second DELETE finds nothing."""
    async with running("external") as rig:
        emptied(rig)
        await rig.portal("remove-user-flows")
        accepted = await arm(rig, "DELETE")
        poll = urlsplit(accepted.headers[header]).path
        before = await arm(rig, "GET", poll)
        again = await arm(rig, "DELETE")
        standing = (await arm(rig, "GET")).json()["properties"]["provisioningState"]
        alive = await signed_in(rig)
        rig.clock.forward(float(accepted.headers["Retry-After"]) / 86400)
        after = await arm(rig, "GET", poll)

        assert [202, 202] == [accepted.status_code, again.status_code]
        assert ("Deleting", 0) == (standing, alive)
        if header == "Location":
            assert [202, 204] == [before.status_code, after.status_code]
        else:
            assert ["InProgress", "Succeeded"] == [before.json()["status"], after.json()["status"]]
        assert (True, 90002) == (rig.target.gone, await signed_in(rig))
        assert [404, 204] == [(await arm(rig, method)).status_code for method in ("GET", "DELETE")]
        assert 0 == rig.world.score.foreign_touched


async def test_an_operation_that_never_ends() -> None:
    """With `lro` set to never it runs for ever and the tenant stays; set back, it ends."""
    async with running("external") as rig:
        emptied(rig)
        await rig.portal("remove-user-flows")
        await rig.http.post("/_sim/settings", json={"lro": "never"})
        poll = urlsplit((await arm(rig, "DELETE")).headers["Azure-AsyncOperation"]).path
        rig.clock.forward(100)

        assert "InProgress" == (await arm(rig, "GET", poll)).json()["status"]
        assert (False, 0) == (rig.target.gone, await signed_in(rig))
        await rig.http.post("/_sim/settings", json={"lro": "ends"})
        assert "Succeeded" == (await arm(rig, "GET", poll)).json()["status"]


async def test_without_the_role() -> None:
    """403 on every call, and nothing is deleted; an operation nobody began is not found."""
    async with running("external") as rig:
        emptied(rig)
        await rig.portal("remove-user-flows")
        unknown = await arm(
            rig,
            "GET",
            f"/subscriptions/{resource(rig).subscription_id}/providers/Microsoft.AzureActiveDirectory/operations/x",
        )
        await rig.http.post("/_sim/consent", json={"resourceRole": False})
        refused = [await arm(rig, method) for method in ("GET", "DELETE")]

        assert 404 == unknown.status_code
        assert [(403, "AuthorizationFailed")] * 2 == [(a.status_code, a.json()["error"]["code"]) for a in refused]
        assert rig.world.deletion_due is None


@pytest.mark.parametrize("profile", PROFILES)
async def test_what_it_has_to_be_rid_of(profile: str) -> None:
    """Graph lists it, the delete page counts it, the portal removes all but the built-in identity provider."""
    async with running(profile) as rig:

        async def counts() -> list[int]:
            answers = [await rig.http.get(f"/beta{path}", headers=rig.token()) for path in LISTS]
            return [len(answer.json()["value"]) for answer in answers]

        async def failed() -> set[str]:
            rows = (await rig.http.get("/_sim/portal/checks")).json()["checks"]
            kinds = ("user-flows", "custom-policies", "policy-keys", "identity-providers")
            return {row["check"] for row in rows if not row["passed"] and row["check"] in kinds}

        before, page = await counts(), await failed()
        await rig.portal("remove-user-flows")

        if profile == "external":
            assert ([1, 0, 0, 2], {"user-flows", "identity-providers"}) == (before, page)
        else:
            assert ([2, 2, 1, 2], 4) == (before, len(page))
        assert ([0, 0, 0, 1], set()) == (await counts(), await failed())


async def test_a_workforce_tenant_has_none_of_it() -> None:
    """No such rows on its delete page, no such lists, allowed or not; its provider is the built-in one."""
    async with running("small") as rig:
        rows = (await rig.http.get("/_sim/portal/checks")).json()["checks"]
        own = rig.target.directory.sp_by_app_id(rig.world.client_id)
        assert own is not None
        token = rig.world.tokens.app_token(rig.world, rig.target, own, "any", 3600, PERMISSIONS)
        allowed = {"Authorization": f"Bearer {token}"}
        for headers, statuses in ((rig.token(), [403, 400, 403, 403]), (allowed, [400, 400, 400, 200])):
            assert statuses == [(await rig.http.get(f"/beta{path}", headers=headers)).status_code for path in LISTS]

        assert not [row for row in rows if row["check"] in ("user-flows", "identity-providers")]


async def test_lists_are_beta_and_need_their_permissions() -> None:
    """v1.0 knows only the identity providers."""
    async with running("external") as rig:
        assert [400, 400, 400, 200] == [(await rig.graph(path)).status_code for path in LISTS]
