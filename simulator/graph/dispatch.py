"""Runs one Graph call: route, books, quota, permission, handler; an error becomes an answer in Graph's shape."""

from __future__ import annotations

import re
import uuid
from typing import Any
from urllib.parse import unquote

from simulator.clock import iso
from simulator.graph.odata import denied, not_imitated
from simulator.graph.router import GraphCall, GraphReply, Route
from simulator.world import GraphError, Tenant

FINAL = (204, 404)


def error_reply(error: GraphError, when: str | None, client_request_id: str | None) -> GraphReply:
    """Write an error as Graph does (tenant-facts C6)."""
    request_id = str(uuid.uuid4())
    inner = {"date": when, "request-id": request_id, "client-request-id": client_request_id or request_id}
    body = {"error": {"code": error.code, "message": error.message, "innerError": inner}}
    return GraphReply(error.status, body, {**error.headers, "request-id": request_id})


async def dispatch(call: GraphCall) -> GraphReply:
    """Answer one Graph call; never raises GraphError."""
    try:
        return await _run(call)
    except GraphError as error:
        if error.status == 429:
            call.world.score.throttled += 1
        reply = error_reply(error, iso(call.world.clock.now()), call.headers.get("client-request-id"))
        if call.method == "DELETE" and reply.status in FINAL:
            call.exchange.finals.append(delete_key(call.tenant, call.path))
        return reply


async def _run(call: GraphCall) -> GraphReply:
    routes, params = call.world.graph.find(call.path)
    call.params = params
    if isinstance(call.body, dict):
        # The SDK annotates what it sends; Graph ignores the annotations.
        call.body = {name: value for name, value in call.body.items() if not name.startswith("@odata.")}
    route = routes.get(call.method)
    key = ""
    if call.method != "GET":
        _note_touch(call)
        if call.method == "DELETE":
            key = delete_key(call.tenant, call.path)
            call.world.score.delete_received(key)
            if call.world.score.span is None and key.startswith(f"{call.world.target.id}/users/"):
                call.world.score.begin_span(call.world.throttle.write_tokens())
    headers = call.world.throttle.charge(call, route)
    if call.method != "GET" and not call.path.lower().endswith("/sendmail"):  # the inbox counts messages
        call.world.score.write_accepted(call.method)
    _check(call, route)
    assert route is not None
    reply = await route.handler(call)
    reply.headers = {**headers, **reply.headers}
    if key and reply.status in FINAL:
        call.exchange.finals.append(key)
    return reply


def _check(call: GraphCall, route: Route | None) -> None:
    if route is None:
        raise not_imitated(f"{call.method} {call.path}")
    if call.version not in route.versions:
        segment = call.path.rsplit("/", 1)[-1]
        raise GraphError(400, "BadRequest", f"Resource not found for the segment '{segment}'.")
    if route.roles and not route.roles & call.caller.roles:
        raise denied()


def delete_key(tenant: Tenant, path: str) -> str:
    """Name the object a DELETE is about, so that id and UPN count as one."""
    parts = unquote(path).strip("/").lower().split("/")
    if len(parts) == 2 and parts[0] == "users":
        user = tenant.directory.find_user(parts[1])
        parts[1] = user.id if user is not None else parts[1]
    return f"{tenant.id}/{'/'.join(parts)}"


def _note_touch(call: GraphCall) -> None:
    """Count writes at what must stay untouched: the keeper, our own service principal, other tenants."""
    directory, score = call.tenant.directory, call.world.score
    if call.tenant in call.world.siblings:
        return
    if call.tenant is not call.world.target:
        if not call.path.lower().endswith("/sendmail"):
            score.protected_touched += 1
        return
    words: set[Any] = {p.lower() for p in re.split(r"[/()'=]", unquote(call.path))}
    keeper = directory.keeper
    if keeper is not None and (keeper.id in words or keeper.userPrincipalName.lower() in words):
        score.keeper_touched += 1
    own = directory.own_sp_id
    names = {own, call.world.client_id} if "serviceprincipals" in words else {own}
    if own is not None and names & words and not _is_last_delete(call):
        score.keeper_touched += 1


def _is_last_delete(call: GraphCall) -> bool:
    directory = call.tenant.directory
    return call.method == "DELETE" and len(directory.users.live) <= 1 and not directory.applications.live
