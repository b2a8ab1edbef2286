"""What every request passes: sign-in, role, handler, and errors turned into problems."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import azure.functions as func

from tenantclosure import wiring
from tenantclosure.model.people import Person
from web import pages, principal, problems
from web.route import Call, Route


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
    try:
        parts = await wiring.prepared()
        person: Person | None = None
        if route.roles:
            person = principal.person_of(req.headers, authentication_on=parts.settings.authentication_on)
            principal.require(person, route.roles)
        return await route.handler(Call(req, client, person, parts))
    except Exception as error:  # the outermost door: an error must become a problem document
        document = problems.document_of(error)
        return pages.problem_page(document) if route.page else problems.response(document)
