"""Bringing users and objects back, and what an external tenant still holds, against a scripted server."""

from __future__ import annotations

from typing import Any

import pytest

from tenantclosure.errors import ServiceTrouble, Throttled
from tenantclosure.names import Family

IDS = [f"id/{n}" for n in range(20)]


def batch(seen: Any, **given: Any) -> dict[str, Any]:
    """200 for every request, except what `given` says by request id; backwards."""
    said = [{"id": r["id"], "status": 200, **given.get("r" + r["id"], {})} for r in seen.body["requests"]]
    return {"responses": said[::-1]}


@pytest.mark.parametrize("family", [Family.USERS, Family.APPLICATIONS, Family.SERVICE_PRINCIPALS])
async def test_restore(graph, server, family) -> None:
    """20 restores in one call, one answer each in their order; what is not in the bin any more says so."""
    gone = {"status": 404, "body": {"error": {"code": "Request_ResourceNotFound"}}}
    taken = {"status": 400, "body": {"error": {"code": "Request_BadRequest", "message": "userPrincipalName is taken"}}}
    server.script = lambda seen: batch(seen, r3=gone, r4=taken)
    answers = await graph.restore_many(family, IDS)
    assert [answer.id for answer in answers] == IDS
    assert [answer.id for answer in answers if answer.done] == [*IDS[:3], *IDS[5:]]
    assert (answers[3].absent, answers[4].message) == (True, "userPrincipalName is taken")
    (call,) = server.seen
    assert call.path == "/v1.0/$batch"
    assert call.body["requests"][1] == {"id": "1", "method": "POST", "url": "/directory/deletedItems/id%2F1/restore"}


@pytest.mark.parametrize("family", [Family.DOMAINS, Family.SUBSCRIPTIONS, Family.GROUPS])
async def test_only_what_has_a_recycle_bin_is_restored(graph, server, family) -> None:
    """Domains and subscriptions don't come back this way."""
    with pytest.raises(ValueError, match="recycle bin"):
        await graph.restore_many(family, ["a"])
    assert server.seen == []


async def test_allow_sign_in(graph, server) -> None:
    """Enables 20 users in one call and writes nothing else of them."""
    server.script = lambda seen: batch(seen, r7={"status": 403, "body": {"error": {"code": "Denied"}}})
    answers = await graph.allow_sign_in(IDS)
    assert [(answer.id, answer.done) for answer in answers] == [(id_, id_ != IDS[7]) for id_ in IDS]
    requests = server.seen[0].body["requests"]
    assert {(r["method"], str(r["body"])) for r in requests} == {("PATCH", "{'accountEnabled': True}")}
    assert requests[2]["url"] == "/users/id%2F2"
    server.script = lambda seen: (429, {}, {"Retry-After": "3"})
    with pytest.raises(Throttled):
        await graph.allow_sign_in(IDS)


async def test_what_an_external_tenant_still_holds(graph, server) -> None:
    """Counted to the last page, built-in identity providers left out; what Graph won't tell is None."""
    built_in = {"@odata.type": "#microsoft.graph.builtInIdentityProvider", "id": "EmailPassword"}
    pages = {
        "/beta/identity/b2cUserFlows": {"value": [{"id": "a"}], "@odata.nextLink": f"{server.url}/beta/more"},
        "/beta/more": {"value": [{"id": "b"}]},
        "/beta/trustFramework/policies": (403, {"error": {"code": "AADB2C"}}),
        "/beta/trustFramework/keySets": {"value": []},
        "/v1.0/identity/identityProviders": {"value": [built_in, {"id": "Google-OAUTH"}]},
    }
    server.script = lambda seen: pages[seen.path]
    found = await graph.external_leftovers()
    assert found == {"user flows": 2, "custom policies": None, "policy keys": 0, "identity providers": 1}


@pytest.mark.parametrize(
    "page",
    [
        {"values": []},
        {"value": ["x"]},
        (400, {}),
        (501, {}),
        None,
    ],
)
async def test_a_list_that_is_none_counts_as_unreadable(graph, server, page) -> None:
    """No number is better than a wrong one; a cloud without these lists leads here as well."""
    server.script = lambda seen: page
    assert set((await graph.external_leftovers()).values()) == {None}


async def test_a_link_that_leads_away_is_not_followed(graph, server) -> None:
    """Our token goes to our Graph only, so such a list counts as unreadable."""
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    server.script = lambda seen: {"value": [], "@odata.nextLink": f"{elsewhere}/beta/evil"}
    assert set((await graph.external_leftovers()).values()) == {None}
    assert not any("evil" in seen.path for seen in server.seen)


async def test_a_list_without_end_counts_as_unreadable(graph, server) -> None:
    """A listing that leads round in circles comes to an end."""
    server.script = lambda seen: {"value": [{"id": "a"}], "@odata.nextLink": f"{server.url}/beta/again"}
    assert set((await graph.external_leftovers()).values()) == {None}


async def test_throttled_leftovers_are_asked_for_later(graph, server) -> None:
    """Throttling says when to ask again."""
    server.script = lambda seen: (429, {}, {"Retry-After": "3"})
    with pytest.raises(Throttled):
        await graph.external_leftovers()


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_cloud_without_beta_leaves_mfa_unknown(graph, server, status) -> None:
    """Per-user MFA has no v1.0: where beta refuses whole batches the state is unknown, not an error for ever."""
    server.script = lambda seen: (status, {"error": {"code": "BadRequest"}})
    assert await graph.mfa_states(["a", "b"]) == {"a": "unknown", "b": "unknown"}
    with pytest.raises(ServiceTrouble):
        await graph.states_of(Family.USERS, ["a"])
    server.script = lambda seen: (500, {})
    with pytest.raises(ServiceTrouble):
        await graph.mfa_states(["a"])
