"""Plays ``/applications`` (tenant-facts C5)."""

from __future__ import annotations

from aiohttp import web

from simulator.entities import Application
from simulator.graph.odata import clauses, context, count, not_found, page, renderer, scan
from simulator.graph.router import GraphCall, GraphReply
from simulator.world import World

DEFAULTS = ("id", "appId", "displayName", "signInAudience", "publisherDomain", "createdDateTime", "deletedDateTime")
READ = ("Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All")
WRITE = ("Application.ReadWrite.All",)


def register(app: web.Application, world: World) -> None:
    """Add the routes."""
    world.graph.add("GET", "/applications", list_applications, roles=READ, cost=2)
    world.graph.add("GET", "/applications/$count", count_applications, roles=READ)
    world.graph.add("GET", "/applications/{id}", get_application, roles=READ)
    world.graph.add("DELETE", "/applications/{id}", delete_application, roles=WRITE)


def _find(call: GraphCall) -> Application:
    found = call.tenant.directory.applications.live.get(call.params["id"].lower())
    if found is None:
        raise not_found(call.params["id"])
    return found


async def list_applications(call: GraphCall) -> GraphReply:
    """List app registrations, lagging."""
    wanted = clauses(call)
    listing = call.tenant.directory.applications.listing
    listing = scan(listing, wanted, Application) if wanted else listing
    return page(call, listing, renderer(call, Application, DEFAULTS), "applications")


async def count_applications(call: GraphCall) -> GraphReply:
    """Count app registrations."""
    return count(call, call.tenant.directory.applications.listing.count())


async def get_application(call: GraphCall) -> GraphReply:
    """Read one app registration."""
    body = renderer(call, Application, DEFAULTS)(_find(call))
    return GraphReply(200, {"@odata.context": context(call, "applications/$entity"), **body})


async def delete_application(call: GraphCall) -> GraphReply:
    """Soft-delete an app registration; its service principal in this tenant goes with it."""
    call.tenant.directory.delete_application(_find(call))
    return GraphReply(204)
