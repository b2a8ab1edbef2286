"""Answers ``POST /{version}/$batch``: up to 20 calls in one, answered in any order (tenant-facts D)."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from simulator.clock import iso
from simulator.graph.dispatch import dispatch, error_reply
from simulator.graph.router import GraphCall, GraphReply, parse_query
from simulator.world import GraphError, World

PRIORITY = "x-ms-throttle-priority"
MAX_ITEMS = 20
METHODS = {"GET", "POST", "PATCH", "PUT", "DELETE"}


def register(app: web.Application, world: World) -> None:
    """Add the route to the router's table; ``simulator.graph.http`` takes the outer call apart."""

    async def nested(call: GraphCall) -> GraphReply:
        raise GraphError(400, "BadRequest", "A batch cannot contain a batch.")

    world.graph.add("POST", "/$batch", nested)


async def answer_batch(call: GraphCall) -> GraphReply:
    """Answer the outer call; raises GraphError when the batch itself is malformed."""
    items = _validate(call.body)
    answers: dict[str, dict[str, Any]] = {}
    for item in items:
        answer = await _answer_item(call, item, answers)
        answers[item["id"].lower()] = answer
    shown = [a for a in answers.values() if not a.pop("_dropped", False)]
    call.world.batch_order.shuffle(shown)
    return GraphReply(200, {"responses": shown})


def _validate(body: Any) -> list[dict[str, Any]]:
    items = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(items, list) or not items:
        raise GraphError(400, "BadRequest", "Invalid batch payload format.")
    if len(items) > MAX_ITEMS:
        raise GraphError(400, "BadRequest", f"Number of batch request steps exceeds the maximum value of {MAX_ITEMS}.")
    seen: set[str] = set()
    for item in items:
        if isinstance(item, dict) and type(item.get("id")) is int:
            # Documented as a string; the CLI for Microsoft 365 sends positions, and Graph takes them.
            item["id"] = str(item["id"])
        if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not item["id"]:
            raise GraphError(400, "BadRequest", "Every batch request needs an 'id' that is a string.")
        if item["id"].lower() in seen:
            raise GraphError(400, "BadRequest", f"Duplicate request id '{item['id']}' in batch.")
        seen.add(item["id"].lower())
        if not isinstance(item.get("url"), str) or str(item.get("method", "")).upper() not in METHODS:
            raise GraphError(400, "BadRequest", f"Batch request '{item['id']}' needs 'method' and 'url'.")
        if item["url"].lower().startswith("http"):
            raise GraphError(400, "BadRequest", f"Batch request '{item['id']}' needs a relative 'url'.")
        headers = {str(k).lower() for k in (item.get("headers") or {})}
        if item.get("body") is not None and "content-type" not in headers:
            message = f"Batch request '{item['id']}' has a body but no Content-Type header."
            raise GraphError(400, "BadRequest", message)
        unknown = [d for d in item.get("dependsOn") or [] if d.lower() not in seen - {item["id"].lower()}]
        if unknown:
            raise GraphError(400, "BadRequest", f"Batch request '{item['id']}' depends on unknown '{unknown[0]}'.")
    return items


async def _answer_item(outer: GraphCall, item: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
    method, (path, _, query) = item["method"].upper(), item["url"].partition("?")
    path = "/" + path.strip("/")
    rule = outer.world.faults.take(method, path, query, inner=True)
    if rule is not None and rule.do == "status":
        outer.world.score.throttled += rule.status == 429
        retry = {} if rule.retry_after is None else {"Retry-After": rule.retry_after}
        error = GraphError(rule.status, rule.code or "UnknownError", "A fault was asked for.", retry)
        return _shape(item["id"], error_reply(error, iso(outer.world.clock.now()), None))
    if rule is not None and rule.do == "delay":
        await asyncio.sleep(rule.seconds)
    try:
        if any(answers[d.lower()]["status"] >= 400 for d in item.get("dependsOn") or []):
            raise GraphError(424, "FailedDependency", "A request this one depends on has failed.")
        # Read the token again: an earlier item may have removed the caller's own service principal.
        caller = outer.world.tokens.caller(outer.world, outer.headers.get("authorization", ""))
    except GraphError as error:
        return _shape(item["id"], error_reply(error, iso(outer.world.clock.now()), None))
    call = GraphCall(
        world=outer.world,
        tenant=outer.tenant,
        caller=caller,
        version=outer.version,
        method=method,
        path=path,
        query=parse_query(query),
        headers=_headers(outer, item),
        body=item.get("body"),
        exchange=outer.exchange,
        in_batch=True,
    )
    before = len(outer.exchange.finals)
    reply = await dispatch(call)
    answer = _shape(item["id"], reply)
    if rule is not None and rule.do == "dropAnswer":
        del outer.exchange.finals[before:]
        answer["_dropped"] = True
    return answer


def _headers(outer: GraphCall, item: dict[str, Any]) -> dict[str, str]:
    """Take an item's headers; the priority is the batch's when it has none of its own."""
    inherited = {PRIORITY: outer.headers[PRIORITY]} if PRIORITY in outer.headers else {}
    return inherited | {str(k).lower(): str(v) for k, v in (item.get("headers") or {}).items()}


def _shape(item_id: str, reply: GraphReply) -> dict[str, Any]:
    headers = dict(reply.headers)
    answer: dict[str, Any] = {"id": item_id, "status": reply.status, "headers": headers}
    if reply.body is not None:
        headers["Content-Type"] = "text/plain" if isinstance(reply.body, str) else "application/json"
        answer["body"] = reply.body
    return answer
