"""Single objects and small listings of Graph against a scripted server."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from tenantclosure.errors import ListingIncomplete, ServiceTrouble, Throttled
from tenantclosure.names import Family

ORGANIZATION = {
    "id": "T1",
    "displayName": "Contoso",
    "tenantType": "AAD",
    "onPremisesSyncEnabled": False,
    "verifiedDomains": [
        {"name": "contoso.onmicrosoft.com", "isInitial": True},
        {"name": "contoso.com", "isInitial": False},
    ],
}


async def test_organization(graph, server) -> None:
    """Exactly one organization; none or two break it."""
    server.script = lambda seen: {"value": [ORGANIZATION]}
    found = await graph.organization()
    assert (found.id, found.sync_enabled, found.initial_domain) == ("t1", False, "contoso.onmicrosoft.com")
    assert found.verified_domains == ("contoso.onmicrosoft.com", "contoso.com")
    for rows in ([], [ORGANIZATION, ORGANIZATION]):
        server.script = lambda seen, rows=rows: {"value": rows}
        with pytest.raises(ListingIncomplete):
            await graph.organization()


async def test_find_user(graph, server) -> None:
    """404 is None; other refusals, throttling and trouble are errors; odd names are quoted."""
    server.script = lambda seen: {"id": "u", "userPrincipalName": "a#EXT#@c.com"}
    item = await graph.find_user("a#EXT#@c.com")
    assert item is not None and item.facts["upn"] == "a#EXT#@c.com"
    assert server.seen[0].path == "/v1.0/users/a#EXT#@c.com"
    server.script = lambda seen: (404, {"error": {"code": "Request_ResourceNotFound"}})
    assert await graph.find_user("nobody") is None
    for said, error in [((403, {}), ServiceTrouble), ((429, {}), Throttled), ((200, None), ServiceTrouble)]:
        server.script = lambda seen, said=said: said
        with pytest.raises(error):
            await graph.find_user("x")


async def test_global_administrators_and_role_holders(graph, server) -> None:
    """Members come by the role's template id; a role nobody activated is no empty set."""
    server.script = lambda seen: {"value": [{"@odata.type": "#microsoft.graph.user", "id": "k"}, {"id": "s"}]}
    assert await graph.global_administrators() == {"k", "s"}
    assert server.seen[0].path == "/v1.0/directoryRoles(roleTemplateId='62e90394-69f5-4237-9190-012177145e10')/members"
    server.script = lambda seen: (404, {"error": {"code": "Request_ResourceNotFound"}})
    with pytest.raises(ListingIncomplete):
        await graph.global_administrators()
    rows = [
        {"id": str(n), "principalId": p, "roleDefinitionId": r} for n, (p, r) in enumerate(["ab", "aa", "bb", "ab"])
    ]
    server.script = lambda seen: {"value": rows}
    assert await graph.role_holders() == {"a": ("a", "b"), "b": ("b",)}


async def test_own_service_principal(graph, server) -> None:
    """Without an application id anywhere there is nothing to look for."""
    assert await graph.own_service_principal() is None
    assert server.seen == []


async def test_sign_up_policy_keeps_unknown_words(graph, server) -> None:
    """The policy comes back as Graph wrote it, so that an abort can restore it."""
    server.script = lambda seen: {
        "id": "x",
        "allowInvitesFrom": "newWord",
        "allowedToSignUpEmailBasedSubscriptions": True,
    }
    assert await graph.sign_up_policy() == {
        "allowInvitesFrom": "newWord",
        "allowedToSignUpEmailBasedSubscriptions": True,
    }


async def test_nothing_is_asked_that_a_b2c_tenant_lacks(graph, server) -> None:
    """B2C has no advanced queries (tenant-facts C1): no read counts, searches, filters or sorts, in no family."""
    server.script = lambda seen: {"value": [ORGANIZATION | {"appId": "a", "isInitial": False}]}
    for family in Family:
        assert [item async for page in graph.pages(family) for item in page], family
    await graph.organization()
    await graph.global_administrators()
    await graph.external_leftovers()

    assert len(server.seen) > len(Family)
    for seen in server.seen:
        url = unquote(seen.path + "?" + seen.query).lower()
        assert not [word for word in ("$count", "$search", "$filter", "$orderby") if word in url], url
        assert "consistencylevel" not in seen.headers, seen
