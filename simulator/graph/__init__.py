"""Plays Microsoft Graph: one module per family of objects, behind one router."""

from aiohttp import web

from simulator.graph import (
    applications,
    batch,
    deleted_items,
    domains,
    external,
    http,
    inventory,
    mfa,
    organization,
    policies,
    roles,
    service_principals,
    tenants,
    users,
)
from simulator.world import World

ROOMS = (
    users,
    deleted_items,
    organization,
    roles,
    applications,
    service_principals,
    domains,
    policies,
    mfa,
    inventory,
    tenants,
    external,
    batch,
    http,
)


def register(app: web.Application, world: World) -> None:
    """Add every Graph route of this package."""
    for room in ROOMS:
        room.register(app, world)
