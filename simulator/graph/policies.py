"""Plays the tenant-wide policies: authorization, security defaults, Conditional Access (tenant-facts C4, C5)."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from simulator.graph.odata import bad_request, clauses, context, not_found, not_imitated
from simulator.graph.router import GraphCall, GraphReply
from simulator.world import World

AUTHORIZATION: dict[str, Any] = {
    "id": "authorizationPolicy",
    "displayName": "Authorization Policy",
    "description": "Used to manage authorization related settings across the company.",
    "allowInvitesFrom": "everyone",
    "allowedToSignUpEmailBasedSubscriptions": True,
    "allowedToUseSSPR": True,
    "allowEmailVerifiedUsersToJoinOrganization": True,
    "blockMsolPowerShell": False,
    "guestUserRoleId": "10dae51f-b6af-4016-8d66-8c2a99b929b3",
}
INVITES = {"none", "adminsAndGuestInviters", "adminsGuestInvitersAndAllMembers", "everyone"}
STATES = {"enabled", "disabled", "enabledForReportingButNotEnforced"}


def register(app: web.Application, world: World) -> None:
    """Add the routes."""
    add, read = world.graph.add, ("Policy.Read.All",)
    authorization = "Policy.ReadWrite.Authorization"
    add("GET", "/policies/authorizationPolicy", get_authorization, roles=(*read, authorization))
    add("PATCH", "/policies/authorizationPolicy", patch_authorization, roles=(authorization,))
    defaults = ("Policy.ReadWrite.SecurityDefaults", "Policy.ReadWrite.ConditionalAccess")
    path = "/policies/identitySecurityDefaultsEnforcementPolicy"
    add("GET", path, get_security_defaults, roles=read)
    add("PATCH", path, patch_security_defaults, roles=defaults)
    write = ("Policy.ReadWrite.ConditionalAccess",)
    path = "/identity/conditionalAccess/policies"
    add("GET", path, list_conditional_access, roles=read, limit="conditionalAccess")
    add("GET", path + "/{id}", get_conditional_access, roles=read, limit="conditionalAccess")
    add("PATCH", path + "/{id}", patch_conditional_access, roles=write, limit="conditionalAccess")
    add("DELETE", path + "/{id}", delete_conditional_access, roles=write, limit="conditionalAccess")


async def get_authorization(call: GraphCall) -> GraphReply:
    """Read the authorization policy."""
    body = call.tenant.directory.authorization_policy
    return GraphReply(200, {"@odata.context": context(call, "policies/authorizationPolicy/$entity"), **body})


async def patch_authorization(call: GraphCall) -> GraphReply:
    """Change the authorization policy: the freeze step."""
    policy = call.tenant.directory.authorization_policy
    changes = call.body if isinstance(call.body, dict) else {}
    for name, value in changes.items():
        if name not in policy or name == "id":
            raise not_imitated(f"changing '{name}' of the authorization policy")
        if type(value) is not type(policy[name]) or (name == "allowInvitesFrom" and value not in INVITES):
            raise bad_request(f"Invalid value specified for property '{name}' of resource 'AuthorizationPolicy'.")
    policy.update(changes)
    return GraphReply(204)


async def get_security_defaults(call: GraphCall) -> GraphReply:
    """Read whether security defaults are on."""
    body = {
        "@odata.context": context(call, "policies/identitySecurityDefaultsEnforcementPolicy/$entity"),
        "id": "00000000-0000-0000-0000-000000000005",
        "displayName": "Security Defaults",
        "description": "Security defaults is a set of basic identity security mechanisms recommended by Microsoft.",
        "isEnabled": call.tenant.directory.security_defaults,
    }
    return GraphReply(200, body)


async def patch_security_defaults(call: GraphCall) -> GraphReply:
    """Turn security defaults on or off."""
    changes = call.body if isinstance(call.body, dict) else {}
    if set(changes) != {"isEnabled"} or not isinstance(changes["isEnabled"], bool):
        raise bad_request("The policy takes 'isEnabled', true or false.")
    call.tenant.directory.security_defaults = changes["isEnabled"]
    return GraphReply(204)


def _policy(call: GraphCall) -> dict[str, Any]:
    found = call.tenant.directory.conditional_access.get(call.params["id"].lower())
    if found is None:
        raise not_found(call.params["id"])
    return found


async def list_conditional_access(call: GraphCall) -> GraphReply:
    """List Conditional Access policies."""
    if clauses(call):
        raise not_imitated("filters on Conditional Access policies")
    rows = list(call.tenant.directory.conditional_access.values())
    return GraphReply(200, {"@odata.context": context(call, "identity/conditionalAccess/policies"), "value": rows})


async def get_conditional_access(call: GraphCall) -> GraphReply:
    """Read one Conditional Access policy."""
    body = {"@odata.context": context(call, "identity/conditionalAccess/policies/$entity"), **_policy(call)}
    return GraphReply(200, body)


async def patch_conditional_access(call: GraphCall) -> GraphReply:
    """Change a policy's state."""
    policy = _policy(call)
    changes = call.body if isinstance(call.body, dict) else {}
    if set(changes) != {"state"} or changes["state"] not in STATES:
        raise not_imitated(f"changing {sorted(changes)} of a Conditional Access policy")
    policy.update(changes)
    return GraphReply(204)


async def delete_conditional_access(call: GraphCall) -> GraphReply:
    """Delete a policy."""
    del call.tenant.directory.conditional_access[_policy(call)["id"]]
    return GraphReply(204)
