"""Plays the lists of what an external tenant has to be rid of (tenant-facts A15)."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from simulator.external import PROFILES
from simulator.graph.odata import bad_request, context
from simulator.graph.router import GraphCall, GraphReply, Handler
from simulator.world import World

BUILT_IN = {
    "@odata.type": "#microsoft.graph.builtInIdentityProvider",
    "id": "EmailOtpSignup-OAUTH",
    "displayName": "Email One Time Passcode",
    "identityProviderType": "EmailOTP",
    "state": None,
}
"""In every tenant, and nobody can remove it."""
LISTS = (
    ("/identity/b2cUserFlows", "user-flows", ("beta",), ("IdentityUserFlow.Read.All",)),
    ("/trustFramework/policies", "custom-policies", ("beta",), ("Policy.Read.All", "Policy.ReadWrite.TrustFramework")),
    ("/trustFramework/keySets", "policy-keys", ("beta",), ("TrustFrameworkKeySet.Read.All",)),
)
PROVIDERS = "/identity/identityProviders"
PERMISSIONS = frozenset({"IdentityProvider.Read.All", *(roles[0] for _, _, _, roles in LISTS)})
"""What our app was consented to in an external tenant besides: the least that each list asks for."""


def register(app: web.Application, world: World) -> None:
    """Add the routes."""
    for path, family, versions, roles in LISTS:
        world.graph.add("GET", path, _lister(path, family), versions=versions, roles=roles)
    world.graph.add("GET", PROVIDERS, list_providers, roles=("IdentityProvider.Read.All",))


def _lister(path: str, family: str) -> Handler:
    async def listed(call: GraphCall) -> GraphReply:
        if call.tenant.tenant_type not in {kind for _, kind in PROFILES.values()}:
            raise bad_request("The tenant is no external tenant.")
        return _reply(call, path, call.tenant.leftovers[family])

    return listed


async def list_providers(call: GraphCall) -> GraphReply:
    """List identity providers, the built-in one first."""
    return _reply(call, PROVIDERS, [BUILT_IN, *call.tenant.leftovers.get("identity-providers", [])])


def _reply(call: GraphCall, path: str, rows: list[dict[str, Any]]) -> GraphReply:
    return GraphReply(200, {"@odata.context": context(call, path.lstrip("/")), "value": rows})
