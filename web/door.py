"""What every request passes: sign-in, role, handler, and errors turned into problems."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import azure.functions as func

from tenantclosure import wiring
from tenantclosure.errors import RequestRefused
from tenantclosure.wiring import Parts
from web import pages, principal, problems, refusals
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
    """Answer one request; nothing it raises gets past here. A refused decision is recorded."""
    trail = Trail()
    try:
        parts = await wiring.prepared()
        try:
            return await route.handler(await identified(route, req, client, parts, trail))
        except RequestRefused as error:
            if route.via:
                await refusals.note(parts, trail, error.kind, route.via, dict(req.route_params))
            raise
    except Exception as error:  # the outermost door: an error must become a problem document
        document = problems.document_of(error)
        if route.page and route.method == "GET" and document["status"] == 401:
            document["signIn"] = principal.sign_in(urlsplit(req.url).path)
        return pages.problem_page(document) if route.page else problems.response(document)


async def identified(route: Route, req: func.HttpRequest, client: Any, parts: Parts, trail: Trail) -> Call:
    """The call with whoever makes it. Raises RequestRefused (401, 403) for those who may not pass."""
    home = parts.settings.home_tenant_id
    if not (route.roles or route.link or route.application):
        return Call(req, client, None, parts, trail=trail)
    claims = await principal.claims_of(req.headers, parts)
    if route.application:
        application = principal.application_of(claims)
        named = f"application {application.app_id}"
        trail.who = {"tenantId": application.tenant_id, "objectId": "", "upn": named, "name": ""}
        principal.require_home(application.tenant_id, home)
        return Call(req, client, None, parts, application, trail)
    if route.link and claims is None:
        return Call(req, client, None, parts, trail=trail)
    person = principal.person_of(claims)
    trail.who = person.to_dict()
    if route.roles:
        principal.require(person, route.roles, home)
    return Call(req, client, person, parts, trail=trail)
