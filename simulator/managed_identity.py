"""Plays App Service's managed identity endpoint, from which the federated assertion comes (tenant-facts F)."""

from __future__ import annotations

import time

from aiohttp import web

from simulator.assertions import FEDERATED_AUDIENCE
from simulator.world import World

VERSION = "2019-08-01"


def register(app: web.Application, world: World) -> None:
    """Add ``GET /msi/token``; point IDENTITY_ENDPOINT at it and IDENTITY_HEADER at the ready line's value."""

    async def token(request: web.Request) -> web.Response:
        if request.headers.get("X-IDENTITY-HEADER") != world.identity.header:
            return web.json_response({"statusCode": 403, "message": "X-IDENTITY-HEADER is wrong."}, status=403)
        query = request.query
        if query.get("api-version") != VERSION or not query.get("resource"):
            return web.json_response({"statusCode": 400, "message": f"Wanted: resource, {VERSION}."}, status=400)
        client = query.get("client_id", world.identity.client_id)
        if client.lower() != world.identity.client_id:
            return web.json_response({"statusCode": 400, "message": "No User Assigned identity found."}, status=400)
        resource = query["resource"].removesuffix("/.default")
        seconds = world.settings.token_seconds
        claims = {
            "aud": FEDERATED_AUDIENCE if resource.lower() == FEDERATED_AUDIENCE.lower() else resource,
            "iss": world.issuer(world.home),
            "sub": world.identity.subject,
            "oid": world.identity.subject,
            "tid": world.home.id,
            "appid": client,
            "idtyp": "app",
        }
        body = {
            "access_token": world.tokens.sign(claims, seconds),
            "client_id": client,
            "expires_on": str(int(time.time() + seconds)),
            "resource": resource,
            "token_type": "Bearer",
        }
        return web.json_response(body)

    app.router.add_get("/msi/token", token)
