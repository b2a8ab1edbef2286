"""What a tenant has bought, as Graph, ARM, Partner Center and the portal's people see it."""

from aiohttp import web

from simulator.world import World

from . import arm_billing, arm_directories, arm_subscriptions, inventory, partner_center
from .seeding import seed

__all__ = ["register", "seed"]


def register(app: web.Application, world: World) -> None:
    """Add every route of this room: Graph's through `world.graph`, ARM's and Partner Center's on the application."""
    inventory.register(world)
    arm_directories.register(app, world)
    arm_subscriptions.register(app, world)
    arm_billing.register(app, world)
    partner_center.register(app, world)
