"""What a route is: a row of the table that binding, access and API description are all read from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func

from tenantclosure.model.people import Person
from tenantclosure.ports import JSON
from web.roles import Role


@dataclass(frozen=True, slots=True)
class Application:
    """An application that called with a token of its own."""

    tenant_id: str
    app_id: str


@dataclass(slots=True)
class Trail:
    """What has become known of a request so far; a refusal is recorded with it."""

    closure: str = ""
    """A closure that is known to exist."""
    gate: str = ""
    who: JSON | None = None
    """Who is refused: a signed-in person, the holder of a real link, an application; None for nobody we know."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way through a handler. `person` is None on public routes, and may be on those with a link."""

    req: func.HttpRequest
    client: Any
    person: Person | None
    parts: Any
    application: Application | None = None
    trail: Trail = field(default_factory=Trail)

    @property
    def who(self) -> Person:
        """The signed-in person; the door lets nobody else through to a route with roles."""
        if self.person is None:
            raise AssertionError("a route without roles asked who is calling")
        return self.person

    @property
    def app(self) -> Application:
        """The calling application; the door lets nobody else through to a route for applications."""
        if self.application is None:
            raise AssertionError("a route for people asked which application is calling")
        return self.application

    @property
    def closure_id(self) -> str:
        """`{closureId}` of the path."""
        found: str = self.req.route_params["closureId"]
        return found


@dataclass(frozen=True, slots=True)
class Answer:
    """One success answer of a route, for the API description; `media` is empty for an answer without a body."""

    status: int
    text: str
    schema: str = ""
    media: str = "application/json"


@dataclass(frozen=True, slots=True)
class Route:
    """One door: where it is, who may pass, what stands behind it.

    `wakes` asks for the durable client; `page` makes its problems readable pages; `body` names the schema of the
    request body (a form where `page`), `query` its query parameters as (meaning, schema). `link` lets anybody through
    and only looks who is signed in, because the path's token says whose page it is; `application` asks for an
    application's token instead of a person's. `via` names the way of a door that takes decisions: whoever is refused
    there is recorded.
    """

    name: str
    method: str
    path: str
    roles: frozenset[Role]
    handler: Callable[[Call], Awaitable[func.HttpResponse]]
    summary: str
    answers: tuple[Answer, ...]
    wakes: bool = False
    page: bool = False
    body: str = ""
    query: Mapping[str, tuple[str, JSON]] = field(default_factory=dict)
    problems: tuple[int, ...] = ()
    link: bool = False
    application: bool = False
    via: str = ""
