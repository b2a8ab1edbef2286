"""Listings through the real SDK against a server that breaks them: incomplete is never empty."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from tenantclosure.errors import ListingIncomplete
from tenantclosure.gateways.graph import GraphDirectory
from tenantclosure.names import Family

USER = {
    "id": "u1",
    "userPrincipalName": "ann@contoso.com",
    "displayName": "Ann",
    "userType": "Member",
    "accountEnabled": True,
    "onPremisesSyncEnabled": None,
    "isManagementRestricted": False,
    "creationType": None,
}


def users(*numbers: int) -> list[dict[str, Any]]:
    return [{**USER, "id": f"u{n}"} for n in numbers]


async def listing(graph: GraphDirectory, family: str = Family.USERS) -> list[str]:
    return [item.id async for page in graph.pages(family) for item in page]


async def test_follows_links_verbatim_with_the_largest_page_and_our_select(graph, server) -> None:
    """Pages follow one another, the link is used as it came, empty pages in between are no end."""
    link = f"{server.url}/v1.0/users?$skiptoken=RFN%20x%2F%2B==&odd=$1"
    answers = [
        {"value": users(1), "@odata.nextLink": link},
        {"value": [], "@odata.nextLink": link + "2"},
        {"value": users(2)},
    ]
    server.script = lambda seen: answers[len(server.seen) - 1]
    assert await listing(graph) == ["u1", "u2"]
    first, second, _ = server.seen
    assert "%24top=999" in first.query and "isManagementRestricted" in first.query
    assert second.query == link.partition("?")[2]
    assert all(seen.headers["authorization"].startswith("Bearer ") for seen in server.seen)
    assert all("client-request-id" in seen.headers for seen in server.seen)


async def test_pages_of_conditional_access_come_a_second_apart(graph, server, clock) -> None:
    """That API takes one request a second and sends no Retry-After; users are read without a pause."""
    link, policies = f"{server.url}/v1.0/next", [{"id": f"p{n}", "displayName": "P", "state": "on"} for n in range(2)]
    for family, value, slept in ((Family.ACCESS_POLICIES, policies, [1.0]), (Family.USERS, users(0, 1), [])):
        answers = [{"value": [value[0]], "@odata.nextLink": link}, {"value": [value[1]]}]
        server.script = lambda seen, answers=answers: answers.pop(0)
        clock.slept.clear()
        assert 2 == len(await listing(graph, family))
        assert slept == clock.slept


async def test_user_facts(graph, server) -> None:
    """A user carries the documented facts as plain JSON values."""
    server.script = lambda seen: {"value": [{**USER, "onPremisesSyncEnabled": True}]}
    page = await anext(graph.pages(Family.USERS))
    assert page[0].to_dict() == {
        "id": "u1",
        "name": "Ann",
        "facts": {
            "upn": "ann@contoso.com",
            "userType": "Member",
            "enabled": True,
            "synced": True,
            "restricted": False,
            "creationType": None,
        },
    }


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param((500, {"error": {"code": "x"}}), id="server error"),
        pytest.param((403, {"error": {"code": "Authorization_RequestDenied"}}), id="refused"),
        pytest.param((404, {"error": {"code": "x"}}), id="not found"),
        pytest.param((200, {"values": []}), id="no value"),
        pytest.param((200, {"value": None}), id="value null"),
        pytest.param((200, {"value": ["u1"]}), id="rows that are no objects"),
        pytest.param((200, {"value": [{"displayName": "nobody"}]}), id="row without id"),
        pytest.param((200, {"value": [{"id": 7}]}), id="id that is no text"),
        pytest.param((200, [1]), id="a list"),
        pytest.param((204, None), id="no content"),
        pytest.param((302, None, {"Location": "http://127.0.0.1:1/"}), id="redirect"),
        pytest.param(lambda: web.Response(text='{"value": [', content_type="application/json"), id="cut JSON"),
        pytest.param(lambda: web.Response(text="<html>", content_type="text/html"), id="html"),
        pytest.param(lambda: web.Response(body=b"\xff\xfe", content_type="application/json"), id="no UTF-8"),
        pytest.param(None, id="connection reset"),
    ],
)
@pytest.mark.parametrize("page", [1, 2])
async def test_a_broken_page_breaks_the_listing(graph, server, broken, page) -> None:
    """Whatever is wrong with a page, first or later, ends in ListingIncomplete with what was seen before."""

    def script(seen: Any) -> Any:
        if len(server.seen) < page:
            return {"value": users(1), "@odata.nextLink": f"{server.url}/v1.0/users?$skiptoken=a"}
        return broken() if callable(broken) else broken

    server.script = script
    with pytest.raises(ListingIncomplete) as caught:
        await listing(graph)
    assert caught.value.family == "users" and caught.value.seen == page - 1
    assert "ann@" not in str(caught.value)


async def test_a_body_shorter_than_announced_breaks_the_listing(graph, server) -> None:
    """A page cut off by the network is no page, even where the part that came is valid so far."""

    async def cut(request: Any) -> web.StreamResponse:
        response = web.Response(body=b'{"value": []}', content_type="application/json")
        response.headers["Content-Length"] = "500"
        response.force_close()
        return response

    server.script = cut
    with pytest.raises(ListingIncomplete):
        await listing(graph)


@pytest.mark.parametrize(
    "link", ["http://127.0.0.1:1/v1.0/users", "https://evil.example/v1.0/users", "/v1.0/users", ""]
)
async def test_a_link_that_leaves_our_graph_is_not_followed(graph, server, link) -> None:
    """No token goes to another host; the listing counts as broken."""
    server.script = lambda seen: {"value": users(1), "@odata.nextLink": link}
    with pytest.raises(ListingIncomplete, match="leads away"):
        await listing(graph)
    assert len(server.seen) == 1


async def test_going_in_circles_is_noticed(graph, server) -> None:
    """A link that came before, and a page that repeats another under a new link, end the listing."""
    link = f"{server.url}/v1.0/users?$skiptoken="
    server.script = lambda seen: {"value": users(len(server.seen)), "@odata.nextLink": link + "same"}
    with pytest.raises(ListingIncomplete, match="twice"):
        await listing(graph)
    server.seen.clear()
    server.script = lambda seen: {"value": users(1), "@odata.nextLink": link + str(len(server.seen))}
    with pytest.raises(ListingIncomplete, match="repeats"):
        await listing(graph)


async def test_what_an_earlier_page_had_is_left_out(graph, server) -> None:
    """A listing that shifts between two pages, or repeats a row in one, shows everybody once, as first seen."""
    again = [{**user, "displayName": "Later"} for user in users(1, 2)]
    answers = [
        {"value": users(1, 2), "@odata.nextLink": f"{server.url}/v1.0/users?$skiptoken=a"},
        {"value": [*again, *users(3, 3)]},
    ]
    server.script = lambda seen: answers[len(server.seen) - 1]
    found = [(item.id, item.name) async for page in graph.pages(Family.USERS) for item in page]
    assert [("u1", "Ann"), ("u2", "Ann"), ("u3", "Ann")] == found


async def test_a_throttled_page_is_asked_for_again_after_the_decimal_wait(graph, server, clock) -> None:
    """429 and 503 with Retry-After wait on the clock; the third refusal breaks the listing."""
    answers = [(429, {}, {"Retry-After": "2.128"}), (503, {}, {"Retry-After": "1"}), {"value": users(1)}]
    server.script = lambda seen: answers[len(server.seen) - 1]
    assert await listing(graph) == ["u1"]
    assert clock.slept == [2.128, 1.0]
    server.script = lambda seen: (429, {})
    with pytest.raises(ListingIncomplete, match="429"):
        await listing(graph)
    assert clock.slept[2:] == [5.0, 5.0] and len(server.seen) == 6


async def test_a_wait_too_long_for_an_activity_breaks_the_listing(graph, server, clock) -> None:
    """Nobody sleeps ten minutes inside an activity."""
    server.script = lambda seen: (429, {}, {"Retry-After": "600"})
    with pytest.raises(ListingIncomplete):
        await listing(graph)
    assert clock.slept == [] and len(server.seen) == 1


async def test_every_family_has_its_documented_facts(graph, server) -> None:
    """Each family is reached at its address and its facts are JSON values."""
    rows = {
        "/v1.0/applications": {"id": "a", "appId": "app", "displayName": "App"},
        "/v1.0/servicePrincipals": {
            "id": "s",
            "appId": "app",
            "servicePrincipalType": "Application",
            "appOwnerOrganizationId": "f8cdef31-a31e-4b4a-93e4-5f571e91255a",
            "accountEnabled": True,
        },
        "/v1.0/directory/subscriptions": {
            "id": "sub",
            "status": "Enabled",
            "skuPartNumber": "E3",
            "isTrial": False,
            "totalLicenses": 25,
            "nextLifecycleDateTime": "2027-05-06T07:08:09.123456Z",
            "createdDateTime": "2026-05-06T07:08:09+02:00",
        },
        "/v1.0/groups": {"id": "g", "displayName": "All"},
        "/v1.0/devices": {"id": "d", "displayName": "Laptop"},
        "/v1.0/domains": {"id": "contoso.com", "isInitial": False, "isVerified": True, "isDefault": True},
        "/v1.0/identity/conditionalAccess/policies": {"id": "p", "displayName": "P", "state": "enabled"},
        "/v1.0/subscribedSkus": {
            "id": "l",
            "skuPartNumber": "E3",
            "capabilityStatus": "Enabled",
            "subscriptionIds": ["sub"],
            "prepaidUnits": {"enabled": 25},
            "consumedUnits": 3,
        },
    }
    server.script = lambda seen: {"value": [rows[seen.path]]}
    found = {f: (await anext(graph.pages(f)))[0].facts for f in Family if f != "users"}
    assert found["service-principals"]["owner"] == "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
    assert found["subscriptions"]["nextLifecycle"] == "2027-05-06T07:08:09.123456Z"
    assert found["subscriptions"]["created"] == "2026-05-06T05:08:09Z"
    assert found["access-policies"] == {"state": "enabled"}
    assert found["licences"] == {
        "skuPartNumber": "E3",
        "capabilityStatus": "Enabled",
        "subscriptionIds": ["sub"],
        "enabled": 25,
        "consumed": 3,
    }
    assert found["domains"] == {"isInitial": False, "isVerified": True, "isDefault": True}


async def test_a_refused_token_is_renewed_once(graph, server) -> None:
    """A 401 in the middle of a listing costs one more try, not the listing; a second one does."""
    server.script = lambda seen: (401, {}) if len(server.seen) == 1 else {"value": users(1)}
    assert await listing(graph) == ["u1"]
    server.seen.clear()
    server.script = lambda seen: (401, {"error": {"code": "InvalidAuthenticationToken"}})
    with pytest.raises(ListingIncomplete, match="InvalidAuthenticationToken"):
        await listing(graph)
    assert len(server.seen) == 2
