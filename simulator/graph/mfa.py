"""Plays per-user MFA (beta) and the registration report (tenant-facts C4)."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from simulator.clock import iso
from simulator.entities import User
from simulator.graph.odata import bad_request, clauses, context, not_imitated, page
from simulator.graph.router import GraphCall, GraphReply
from simulator.graph.users import find
from simulator.world import World

STATES = {"disabled", "enabled", "enforced"}
WRITE = "Policy.ReadWrite.AuthenticationMethod"


def register(app: web.Application, world: World) -> None:
    """Add the routes."""
    path = "/users/{id}/authentication/requirements"
    world.graph.add("GET", path, get_requirements, versions=("beta",), roles=("Policy.Read.All", WRITE))
    world.graph.add("PATCH", path, patch_requirements, versions=("beta",), roles=(WRITE,))
    path = "/reports/authenticationMethods/userRegistrationDetails"
    world.graph.add("GET", path, list_registration, roles=("AuditLog.Read.All",), limit="reports")
    world.graph.add("GET", path + "/{id}", get_registration, roles=("AuditLog.Read.All",), limit="reports")


async def get_requirements(call: GraphCall) -> GraphReply:
    """Read a user's per-user MFA state."""
    user = find(call)
    name = f"users('{user.id}')/authentication/requirements"
    return GraphReply(200, {"@odata.context": context(call, name), "perUserMfaState": user.mfa_state})


async def patch_requirements(call: GraphCall) -> GraphReply:
    """Set a user's per-user MFA state."""
    user = find(call)
    changes = call.body if isinstance(call.body, dict) else {}
    if set(changes) != {"perUserMfaState"} or changes["perUserMfaState"] not in STATES:
        raise bad_request(f"'perUserMfaState' is one of {sorted(STATES)}.")
    user.mfa_state = changes["perUserMfaState"]
    return GraphReply(204)


def _registration(call: GraphCall) -> Any:
    directory = call.tenant.directory

    def show(user: User) -> dict[str, Any]:
        return {
            "id": user.id,
            "userPrincipalName": user.userPrincipalName,
            "userDisplayName": user.displayName,
            "userType": user.userType.lower(),
            "isAdmin": bool(directory.roles_of(user.id)),
            "isMfaCapable": user.mfa_registered,
            "isMfaRegistered": user.mfa_registered,
            "isPasswordlessCapable": False,
            "isSsprCapable": False,
            "isSsprEnabled": False,
            "isSsprRegistered": False,
            "methodsRegistered": ["microsoftAuthenticatorPush"] if user.mfa_registered else [],
            "lastUpdatedDateTime": iso(directory.created),
        }

    return show


async def list_registration(call: GraphCall) -> GraphReply:
    """List who has a second factor registered; lagging like users."""
    if clauses(call):
        raise not_imitated("filters on the registration report")
    listing = call.tenant.directory.users.listing
    return page(call, listing, _registration(call), "reports/authenticationMethods/userRegistrationDetails")


async def get_registration(call: GraphCall) -> GraphReply:
    """Read whether one user has a second factor registered."""
    body = _registration(call)(find(call))
    return GraphReply(200, {"@odata.context": context(call, "userRegistrationDetails/$entity"), **body})
