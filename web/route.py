"""What a route is: a row of the table that binding, access and API description are all read from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func

from tenantclosure.model.people import Person
from web.roles import Role


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way through a handler. `person` is only None on public routes."""

    req: func.HttpRequest
    client: Any
    person: Person | None
    parts: Any

    @property
    def who(self) -> Person:
        """The signed-in person; the door lets nobody else through to a route with roles."""
        if self.person is None:
            raise AssertionError("a route without roles asked who is calling")
        return self.person

    @property
    def closure_id(self) -> str:
        """`{closureId}` of the path."""
        return self.req.route_params["closureId"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One success answer of a route, for the API description."""

    status: int
    text: str
    schema: str = ""
    media: str = "application/json"


@dataclass(frozen=True, slots=True)
class Route:
    """One door: where it is, who may pass, what stands behind it.

    `wakes` asks for the durable client; `page` makes its problems readable pages; `body` names the schema of the
    request body, `query` its query parameters with their meaning.
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
    query: dict[str, str] = field(default_factory=dict)
    problems: tuple[int, ...] = ()
