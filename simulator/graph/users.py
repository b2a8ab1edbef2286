"""Plays ``/users`` (tenant-facts C1)."""

from __future__ import annotations

from aiohttp import web

from simulator.clock import iso
from simulator.directory import (
    DIRECTORY_READERS,
    GLOBAL_ADMINISTRATOR,
    PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,
)
from simulator.entities import User
from simulator.graph.odata import (
    bad_request,
    clauses,
    context,
    count,
    denied,
    not_found,
    not_imitated,
    page,
    renderer,
    scan,
)
from simulator.graph.router import GraphCall, GraphReply
from simulator.listing import Listing
from simulator.world import World

DEFAULTS = (
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
)
CHANGEABLE = {"accountEnabled", "displayName", "givenName", "surname", "jobTitle", "usageLocation", "officeLocation"}
STRONG = {PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, GLOBAL_ADMINISTRATOR}
LIGHT = {DIRECTORY_READERS}
ON_PREMISES = (
    "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently "
    "undergoing migration."
)
READ = ("User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")


def register(app: web.Application, world: World) -> None:
    """Add the routes."""
    add = world.graph.add
    add("GET", "/users", list_users, roles=READ, cost=2)
    add("GET", "/users/$count", count_users, roles=READ)
    add("GET", "/users/{id}", get_user, roles=READ)
    add("PATCH", "/users/{id}", patch_user, roles=("User.EnableDisableAccount.All", "User.ReadWrite.All"))
    add("DELETE", "/users/{id}", delete_user, roles=("User.DeleteRestore.All", "User.ReadWrite.All"))
    revoke = ("User.RevokeSessions.All", "User.ReadWrite.All")
    add("POST", "/users/{id}/revokeSignInSessions", revoke_sessions, roles=revoke)


def find(call: GraphCall) -> User:
    """Return the user a path names, by id or UPN."""
    user = call.tenant.directory.find_user(call.params["id"])
    if user is None:
        raise not_found(call.params["id"])
    return user


def _listing(call: GraphCall) -> Listing:
    wanted = clauses(call)
    directory = call.tenant.directory
    if not wanted:
        return directory.users.listing
    if wanted == {"onPremisesSyncEnabled": True}:
        return directory.synced_listing
    if len(wanted) == 1 and next(iter(wanted)) in ("id", "userPrincipalName"):
        user = directory.find_user(str(next(iter(wanted.values()))))
        return scan([user] if user else [], {}, User)
    raise not_imitated(f"the filter '{call.query['$filter']}' on users")


async def list_users(call: GraphCall) -> GraphReply:
    """List users: 100 a page, at most 999, lagging."""
    return page(call, _listing(call), renderer(call, User, DEFAULTS), "users")


async def count_users(call: GraphCall) -> GraphReply:
    """Count users as plain text."""
    return count(call, _listing(call).count())


async def get_user(call: GraphCall) -> GraphReply:
    """Read one user, current."""
    user = find(call)
    return GraphReply(200, {"@odata.context": context(call, "users/$entity"), **renderer(call, User, DEFAULTS)(user)})


def check_writable(call: GraphCall, user: User) -> None:
    """Refuse what Microsoft refuses: restricted management, privileged targets, synced objects (tenant-facts C1)."""
    directory = call.tenant.directory
    if user.isManagementRestricted:
        raise denied("Insufficient privileges to complete the operation. Target object is management restricted.")
    held = set(directory.roles_of(user.id)) - LIGHT
    if held and not STRONG & set(directory.roles_of(call.caller.object_id)):
        raise denied()
    if user.onPremisesSyncEnabled:
        raise bad_request(ON_PREMISES)


async def patch_user(call: GraphCall) -> GraphReply:
    """Change a user; the closure only ever blocks sign-in."""
    user = find(call)
    changes = call.body if isinstance(call.body, dict) else {}
    for name in changes:
        if name in User.__dataclass_fields__ and name not in CHANGEABLE:
            raise bad_request(f"Property '{name}' is read-only and cannot be set.")
        if name not in CHANGEABLE:
            raise not_imitated(f"changing '{name}' of a user")
    if "accountEnabled" in changes and not isinstance(changes["accountEnabled"], bool):
        raise bad_request("A value without a type name was found and no expected type is available.")
    check_writable(call, user)
    for name, value in changes.items():
        setattr(user, name, value)
    return GraphReply(204)


async def delete_user(call: GraphCall) -> GraphReply:
    """Move a user to the bin for 30 days."""
    user = find(call)
    check_writable(call, user)
    call.tenant.directory.delete_user(user)
    if call.tenant is call.world.target:
        call.world.score.user_deleted()
    return GraphReply(204)


async def revoke_sessions(call: GraphCall) -> GraphReply:
    """End a user's sessions."""
    user = find(call)
    user.signInSessionsValidFromDateTime = iso(call.world.clock.now())
    return GraphReply(200, {"@odata.context": context(call, "Edm.Boolean"), "value": True})
