"""What every request passes: sign-in, pace, role, handler, errors turned into problems, headers of every answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import azure.functions as func

from tenantclosure import telemetry, wiring
from tenantclosure.errors import RequestRefused
from tenantclosure.wiring import Parts
from web import limiting, pages, principal, problems, refusals
from web.answers import hardened
from web.closures import CLOSURE_ID
from web.limiting import Caller
from web.route import Call, Route, Trail


def guarded(route: Route) -> Callable[..., Awaitable[func.HttpResponse]]:
    """The route's function as the Functions host calls it, named like the route."""
    if route.wakes:

        async def handle(req: func.HttpRequest, client: Any) -> func.HttpResponse:
            return await pass_through(route, req, client)

    else:

        async def handle(req: func.HttpRequest) -> func.HttpResponse:  # type: ignore[misc]  # the worker reads the signature
            return await pass_through(route, req, None)

    handle.__name__ = handle.__qualname__ = route.name
    handle.__doc__ = route.summary
    return handle


async def pass_through(route: Route, req: func.HttpRequest, client: Any) -> func.HttpResponse:
    """Answer one request; nothing it raises gets past here."""
    named = req.route_params.get("closureId") or ""
    # What comes from outside is told on only in the form of one of our ids.
    with telemetry.concerning(closureId=named if CLOSURE_ID.fullmatch(named) else None):
        return hardened(await _answered(route, req, client), req.url)


async def _answered(route: Route, req: func.HttpRequest, client: Any) -> func.HttpResponse:
    """The handler's answer, or the problem in its place. A refused decision is recorded."""
    trail = Trail()
    try:
        parts = await wiring.prepared()
        try:
            return await route.handler(await identified(route, req, client, parts, trail))
        except RequestRefused as error:
            if route.via and not limiting.refused_for_pace(error):
                await refusals.note(parts, trail, error.kind, route.via, dict(req.route_params))
            raise
    except Exception as error:  # the outermost door: an error must become a problem document
        document = problems.document_of(error)
        # Not from a link's page: its token has no business in the addresses that a sign-in passes on.
        if route.page and not route.link and route.method == "GET" and document["status"] == 401:
            document["signIn"] = principal.sign_in(urlsplit(req.url).path)
        return pages.problem_page(document) if route.page else problems.response(document)


async def identified(route: Route, req: func.HttpRequest, client: Any, parts: Parts, trail: Trail) -> Call:
    """The call with whoever makes it. Raises RequestRefused (401, 403, 429) for those who may not pass."""
    home, address = parts.settings.home_tenant_id, limiting.address_of(req.headers)
    if not (route.roles or route.link or route.application):
        limiting.count(Caller.OPEN, address)
        return Call(req, client, None, parts, trail=trail)
    try:
        claims = await principal.claims_of(req.headers, parts)
        application = principal.application_of(claims) if route.application else None
        person = None if application or (route.link and claims is None) else principal.person_of(claims)
    except RequestRefused:
        limiting.count(Caller.UNKNOWN, address)
        raise
    if application:
        trail.who = {
            "tenantId": application.tenant_id,
            "objectId": "",
            "upn": f"application {application.app_id}",
            "name": "",
        }
        limiting.count(Caller.KNOWN, f"{application.tenant_id}/{application.app_id}")
        principal.require_home(application.tenant_id, home)
    elif person:
        trail.who = person.to_dict()
        limiting.count(Caller.KNOWN, person.key)
        if route.roles:
            principal.require(person, route.roles, home)
    else:
        limiting.count(Caller.UNKNOWN, address)
    return Call(req, client, person, parts, application, trail)
