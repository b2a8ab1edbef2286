"""Plays the recycle bin, ``/directory/deletedItems`` (tenant-facts C1, C5)."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from simulator.directory import Family
from simulator.entities import Application, Group, ServicePrincipal, User
from simulator.graph import applications, inventory, service_principals, users
from simulator.graph.dispatch import delete_key
from simulator.graph.odata import clauses, context, count, denied, not_found, page, renderer
from simulator.graph.router import GraphCall, GraphReply
from simulator.world import World

KINDS: dict[str, tuple[type, str, tuple[str, ...], tuple[str, ...]]] = {
    "user": (User, "users", (*users.DEFAULTS, "deletedDateTime"), users.READ),
    "application": (Application, "applications", applications.DEFAULTS, applications.READ),
    "servicePrincipal": (ServicePrincipal, "service_principals", service_principals.DEFAULTS, applications.READ),
    "group": (Group, "groups", inventory.GROUP_FIELDS, inventory.GROUP_READ),
}
RESTORE = {
    User: {"User.DeleteRestore.All", "User.ReadWrite.All"},
    Application: {"Application.ReadWrite.All"},
    ServicePrincipal: {"Application.ReadWrite.All"},
    Group: {"Group.ReadWrite.All"},
}


def register(app: web.Application, world: World) -> None:
    """Add the routes; the SDK writes the cast without ``microsoft.``."""
    for cast, (_, _, _, roles) in KINDS.items():
        for prefix in ("microsoft.graph.", "graph."):
            world.graph.add("GET", f"/directory/deletedItems/{prefix}{cast}", list_deleted, roles=roles)
            world.graph.add("GET", f"/directory/deletedItems/{prefix}{cast}/$count", count_deleted, roles=roles)
    world.graph.add("GET", "/directory/deletedItems/{id}", get_deleted)
    world.graph.add("POST", "/directory/deletedItems/{id}/restore", restore)
    world.graph.add("DELETE", "/directory/deletedItems/{id}", purge)


def _kind(call: GraphCall) -> tuple[type, Family[Any], tuple[str, ...]]:
    cast = call.path.strip("/").split("/")[2].rsplit(".", 1)[-1].lower()
    kind, attribute, fields, _ = next(v for k, v in KINDS.items() if k.lower() == cast)
    return kind, getattr(call.tenant.directory, attribute), fields


def _find(call: GraphCall) -> tuple[Family[Any], Any, tuple[str, ...]]:
    key = call.params["id"].lower()
    for _, attribute, fields, _ in KINDS.values():
        family = getattr(call.tenant.directory, attribute)
        if key in family.bin:
            return family, family.bin[key], fields
    raise not_found(call.params["id"])


def _require(call: GraphCall, item: Any) -> None:
    if not RESTORE[type(item)] & call.caller.roles:
        raise denied()


async def list_deleted(call: GraphCall) -> GraphReply:
    """List one kind in the bin; current, no lag."""
    clauses(call)
    kind, family, fields = _kind(call)
    return page(call, family.bin_listing, renderer(call, kind, fields), "directoryObjects")


async def count_deleted(call: GraphCall) -> GraphReply:
    """Count one kind in the bin."""
    return count(call, _kind(call)[1].bin_listing.count())


async def get_deleted(call: GraphCall) -> GraphReply:
    """Read one object in the bin."""
    _, item, fields = _find(call)
    body = renderer(call, type(item), fields, typed=True)(item)
    return GraphReply(200, {"@odata.context": context(call, "directoryObjects/$entity"), **body})


async def restore(call: GraphCall) -> GraphReply:
    """Take an object out of the bin: the undo path of 30 days."""
    family, item, fields = _find(call)
    _require(call, item)
    call.tenant.directory.restore(family, item)
    attribute = next(v[1] for v in KINDS.values() if v[0] is type(item)).replace("service_p", "serviceP")
    for key in (f"/{attribute}/{item.id}", f"/directory/deletedItems/{item.id}"):
        call.world.score.forget(delete_key(call.tenant, key))
    body = renderer(call, type(item), fields, typed=True)(item)
    return GraphReply(200, {"@odata.context": context(call, "directoryObjects/$entity"), **body})


async def purge(call: GraphCall) -> GraphReply:
    """Remove an object from the bin for good; for users the sources disagree, so a setting decides."""
    family, item, _ = _find(call)
    _require(call, item)
    if isinstance(item, User) and call.world.settings.purge_users != "allow":
        raise denied()
    family.purge(item)
    return GraphReply(204)
