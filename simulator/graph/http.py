"""Carries Graph calls over HTTP: reads the request, writes the answer."""

from __future__ import annotations

import json
import uuid
from typing import Any

from aiohttp import web

from simulator.clock import iso
from simulator.graph.batch import answer_batch
from simulator.graph.dispatch import dispatch, error_reply
from simulator.graph.router import VERSIONS, GraphCall, GraphReply, parse_query
from simulator.score import EXCHANGE, Exchange
from simulator.world import GraphError, World


def respond(reply: GraphReply, client_request_id: str | None) -> web.Response:
    """Write an answer with the headers every Graph answer has."""
    headers = {"Cache-Control": "no-cache", "request-id": str(uuid.uuid4()), **reply.headers}
    headers["client-request-id"] = client_request_id or headers["request-id"]
    if reply.body is None:
        return web.Response(status=reply.status, headers=headers)
    if isinstance(reply.body, str):
        return web.Response(status=reply.status, text=reply.body, headers=headers)
    text = json.dumps(reply.body, separators=(",", ":"))
    return web.Response(status=reply.status, text=text, content_type="application/json", headers=headers)


async def read_body(request: web.Request) -> Any:
    """Read a JSON body, None when there is none."""
    raw = await request.read()
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError as error:
        raise GraphError(400, "BadRequest", f"Unable to read JSON request payload: {error}") from error


def register(app: web.Application, world: World) -> None:
    """Add the two version roots; the Graph router does the rest."""

    async def handle(request: web.Request) -> web.StreamResponse:
        version, _, path = request.raw_path.partition("?")[0].lstrip("/").partition("/")
        client_request_id = request.headers.get("client-request-id")
        try:
            caller = world.caller_for(request)
            tenant = world.tenants[caller.tenant_id]
            tenant.tick()
            call = GraphCall(
                world=world,
                tenant=tenant,
                caller=caller,
                version=version,
                method=request.method,
                # The raw path keeps an encoded slash inside a segment apart from a separator.
                path="/" + path.strip("/"),
                query=parse_query(request.raw_path.partition("?")[2]),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=await read_body(request),
                exchange=request.get(EXCHANGE) or Exchange(),
            )
            if path.strip("/").lower() == "$batch" and request.method == "POST":
                reply = await answer_batch(call)
            else:
                reply = await dispatch(call)
        except GraphError as error:
            reply = error_reply(error, iso(world.clock.now()), client_request_id)
        return respond(reply, client_request_id)

    for version in VERSIONS:
        app.router.add_route("*", f"/{version}/{{path:.*}}", handle)
