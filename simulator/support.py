"""Plays Microsoft Support and everybody else outside: they clear what the keeper can't, `POST /_sim/support`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from aiohttp import web

from simulator import portal
from simulator.commerce.lifecycle import FINISHED
from simulator.commerce.models import RefusedError
from simulator.commerce.wire import json_object
from simulator.world import World


def help_out(world: World) -> dict[str, Any]:
    """Do all of it at once; answers what was done, by name. What is done already is not done again."""
    commerce = world.target.commerce
    ended = []
    for row in commerce.rows():
        with suppress(RefusedError):  # for the rest Support refers to the admin center, the seller or the term
            if row.life.state not in FINISHED:
                portal.act(world, "support", {"subscriptionId": row.id})
                ended.append(row.name)
    emptied = [item for item in commerce.azure() if item.resources]
    for item in emptied:
        portal.act(world, "empty-azure-subscription", {"subscriptionId": item.id})
    released = portal.act(world, "release-users", {})["released"]
    world.robot.do_everything()
    return {"subscriptions": ended, "azure": [item.name for item in emptied], "released": released}


def register(app: web.Application, world: World) -> None:
    """Add the route; it takes an empty body, or an empty object."""

    async def asked(request: web.Request) -> web.Response:
        if await json_object(request) != {}:
            return web.json_response({"error": "Support takes no orders: send an empty object."}, status=400)
        if world.target.gone:
            return web.json_response({"error": "The tenant does not exist any more."}, status=409)
        return web.json_response(help_out(world))

    app.router.add_post("/_sim/support", asked)
