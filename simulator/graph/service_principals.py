"""Plays ``/servicePrincipals`` (tenant-facts C5)."""

from __future__ import annotations

from aiohttp import web

from simulator.entities import ServicePrincipal
from simulator.graph.applications import READ, WRITE
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
from simulator.world import World

DEFAULTS = (
    "id",
    "appId",
    "displayName",
    "appDisplayName",
    "servicePrincipalType",
    "appOwnerOrganizationId",
    "accountEnabled",
    "signInAudience",
    "servicePrincipalNames",
    "tags",
    "createdDateTime",
    "deletedDateTime",
)


def register(app: web.Application, world: World) -> None:
    """Add the routes."""
    add = world.graph.add
    add("GET", "/servicePrincipals", list_service_principals, roles=READ, cost=2)
    add("GET", "/servicePrincipals/$count", count_service_principals, roles=READ)
    for path in ("/servicePrincipals/{id}", "/servicePrincipals(appId='{appId}')"):
        add("GET", path, get_service_principal, roles=READ)
        add("PATCH", path, patch_service_principal, roles=WRITE)
        add("DELETE", path, delete_service_principal, roles=WRITE)


def _find(call: GraphCall) -> ServicePrincipal:
    directory = call.tenant.directory
    key = call.params.get("id") or call.params["appId"]
    found = directory.service_principals.live.get(key.lower())
    found = directory.sp_by_app_id(key) if "appId" in call.params else found
    if found is None:
        raise not_found(key)
    return found


async def list_service_principals(call: GraphCall) -> GraphReply:
    """List enterprise applications, lagging."""
    wanted = clauses(call)
    listing = call.tenant.directory.service_principals.listing
    listing = scan(listing, wanted, ServicePrincipal) if wanted else listing
    return page(call, listing, renderer(call, ServicePrincipal, DEFAULTS), "servicePrincipals")


async def count_service_principals(call: GraphCall) -> GraphReply:
    """Count enterprise applications."""
    return count(call, call.tenant.directory.service_principals.listing.count())


async def get_service_principal(call: GraphCall) -> GraphReply:
    """Read one enterprise application."""
    body = renderer(call, ServicePrincipal, DEFAULTS)(_find(call))
    return GraphReply(200, {"@odata.context": context(call, "servicePrincipals/$entity"), **body})


async def patch_service_principal(call: GraphCall) -> GraphReply:
    """Disable or enable one, EDD's fallback for what cannot be deleted."""
    found = _find(call)
    changes = call.body if isinstance(call.body, dict) else {}
    if set(changes) != {"accountEnabled"}:
        raise not_imitated(f"changing {sorted(changes)} of a service principal")
    if not isinstance(changes["accountEnabled"], bool):
        raise bad_request("Cannot convert a primitive value to the expected type 'Edm.Boolean'.")
    _refuse_managed(found)
    found.accountEnabled = changes["accountEnabled"]
    return GraphReply(204)


async def delete_service_principal(call: GraphCall) -> GraphReply:
    """Soft-delete one; Microsoft's own internal ones refuse."""
    found = _find(call)
    if found.internal:
        raise bad_request("Specified App Principal ID is Microsoft Internal.")
    _refuse_managed(found)
    call.tenant.directory.delete_service_principal(found)
    return GraphReply(204)


def _refuse_managed(found: ServicePrincipal) -> None:
    if found.servicePrincipalType == "ManagedIdentity":
        raise denied("Insufficient privileges to complete the operation. Managed identities follow their resource.")
