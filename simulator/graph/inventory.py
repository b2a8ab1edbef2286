"""Plays ``/groups`` and ``/devices``: read only, they go with the tenant (tenant-facts C5, A)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from simulator.entities import Device, Group
from simulator.graph.odata import clauses, context, count, not_found, not_imitated, page, renderer
from simulator.graph.router import GraphCall, GraphReply
from simulator.world import World

GROUP_FIELDS = tuple(Group.__dataclass_fields__)
DEVICE_FIELDS = tuple(Device.__dataclass_fields__)
GROUP_READ = ("Group.Read.All", "GroupMember.Read.All", "Directory.Read.All")
DEVICE_READ = ("Device.Read.All", "Directory.Read.All")

Answer = Callable[[GraphCall], Awaitable[GraphReply]]


def register(app: web.Application, world: World) -> None:
    """Add the same three routes for both families."""
    for kind, name, fields, roles in (
        (Group, "groups", GROUP_FIELDS, GROUP_READ),
        (Device, "devices", DEVICE_FIELDS, DEVICE_READ),
    ):
        listed, counted, read = _handlers(kind, name, fields)
        world.graph.add("GET", f"/{name}", listed, roles=roles)
        world.graph.add("GET", f"/{name}/$count", counted, roles=roles)
        world.graph.add("GET", f"/{name}/{{id}}", read, roles=roles)


def _handlers(kind: type, name: str, fields: tuple[str, ...]) -> tuple[Answer, Answer, Answer]:
    def family(call: GraphCall) -> Any:
        return getattr(call.tenant.directory, name)

    async def listed(call: GraphCall) -> GraphReply:
        if clauses(call):
            raise not_imitated(f"filters on {name}")
        return page(call, family(call).listing, renderer(call, kind, fields), name)

    async def counted(call: GraphCall) -> GraphReply:
        return count(call, family(call).listing.count())

    async def read(call: GraphCall) -> GraphReply:
        found = family(call).live.get(call.params["id"].lower())
        if found is None:
            raise not_found(call.params["id"])
        body = renderer(call, kind, fields)(found)
        return GraphReply(200, {"@odata.context": context(call, f"{name}/$entity"), **body})

    return listed, counted, read
