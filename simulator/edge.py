"""Wraps every imitated call: latency, faults on purpose, 501 for unknown paths, and the proof of delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from simulator.clock import iso
from simulator.faults import Rule
from simulator.graph.dispatch import error_reply
from simulator.graph.http import respond
from simulator.score import EXCHANGE, Exchange
from simulator.world import GraphError, World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
OURS = ("/_sim/", "/_teams/")


def make_middleware(world: World) -> Middleware:
    """Return the middleware for one world."""

    @web.middleware
    async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
        world.settle()
        if request.path.startswith(OURS):
            return await handler(request)
        world.score.requests += 1
        exchange = request[EXCHANGE] = Exchange()
        if world.settings.latency_ms:
            await asyncio.sleep(world.settings.latency_ms / 1000)
        rule = world.faults.take(request.method, request.path, request.query_string)
        early = await _before(world, request, rule)
        if early is not None:
            return early
        if request.match_info.http_exception is not None:
            return _error(
                world, 501, "NotImplemented", f"The simulator does not imitate {request.method} {request.path}."
            )
        try:
            response = await handler(request)
        except GraphError as error:
            response = respond(error_reply(error, iso(world.clock.now()), None), None)
        if rule is not None and rule.do in ("dropAnswer", "truncate", "garble"):
            await _spoil(request, response, rule)
            return response
        # Written here and not by aiohttp, so that an answer only counts when all of it has gone out.
        await response.prepare(request)
        await response.write_eof()
        if request.transport is not None and not request.transport.is_closing():
            world.score.delivered(exchange)
        return response

    return edge


def _error(world: World, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return respond(error_reply(GraphError(status, code, message, headers), iso(world.clock.now()), None), None)


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _before(world: World, request: web.Request, rule: Rule | None) -> web.Response | None:
    """Do what a fault does before the call is handled; return an answer when that ends it."""
    if rule is None:
        return None
    if rule.do == "delay":
        await asyncio.sleep(rule.seconds)
    elif rule.do == "reset":
        _abort(request)
        return web.Response(status=500)
    elif rule.do == "status":
        headers = {} if rule.retry_after is None else {"Retry-After": rule.retry_after}
        if rule.status == 429:
            world.score.throttled += 1
        return _error(world, rule.status, rule.code or "UnknownError", "A fault was asked for.", headers)
    return None


async def _spoil(request: web.Request, response: web.StreamResponse, rule: Rule) -> None:
    """Lose the answer of a call that was carried out: all of it, or its second half (garbled: without a word)."""
    body = response.body if isinstance(response, web.Response) else None
    if rule.do != "dropAnswer" and isinstance(body, bytes) and len(body) > 1:
        sent = body[: len(body) // 2]
        half = web.StreamResponse(status=response.status, headers=response.headers)
        half.content_length = len(sent if rule.do == "garble" else body)
        await half.prepare(request)
        await half.write(sent)
        if rule.do == "garble":
            await half.write_eof()
        elif request.transport is not None:
            request.transport.close()
        return
    _abort(request)
