"""docs/api.md from the table of routes and the OpenAPI description, as the server gives it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from cli.markdown import code, table
from web.openapi import document
from web.roles import Role
from web.route import Route
from web.routes import ROUTES

FILE = Path(__file__).parent.parent / "docs" / "api.md"
HEAD = """# HTTP API

Every route of the service. This page is written by `python -m cli.reference_pages` from `web/routes.py` and the OpenAPI
description that `GET /api/openapi.json` answers with; a test fails when they differ. `closure` is a client of it
([commands](commands.md)).

The API under `/api` takes and gives JSON, the pages beside it are for people with a browser. Times are UTC. Who calls
is known by an Entra access token of the hosting tenant for this application (`Authorization: Bearer`), or in Azure by
App Service authentication; which app role a person needs stands at each route. An answer of 202 means that it is on
record; what follows from it is done by the orchestrator.
"""
ALWAYS = (429, 500, 503)
"""Problems that every route can answer with."""
MEANINGS = {
    400: "the request is wrong; `field` names what",
    401: "nobody is signed in, or the token is refused",
    403: "the role is missing, or a safety rail stopped it",
    404: "there is no such thing, or not for you",
    409: "it doesn't fit what is by now; read it again",
    410: "the link is used up or over",
    413: "the body is too large",
    415: "the body has another media type than asked for",
    429: "too many requests; `Retry-After` says when to try again",
    500: "our fault, or a wrong setting; the log has the whole sentence",
    503: "storage or Microsoft did not answer usefully; `Retry-After` says when to try again",
}
REF = "#/components/schemas/"


def text() -> str:
    """The page."""
    described = document(ROUTES)
    api, pages = [r for r in ROUTES if not r.page], [r for r in ROUTES if r.page]
    parts = [HEAD, _overview("The API", api), _overview("Pages for people", pages), _problems(described)]
    parts.append("## Route by route\n")
    parts += [_route(route, described["paths"][f"/{route.path}"][route.method.lower()]) for route in (*api, *pages)]
    parts.append("## Shapes\n\nBodies and answers by name. What is not required may be absent.\n")
    parts += [_shape(name, schema) for name, schema in described["components"]["schemas"].items()]
    return "\n".join(parts)


def _overview(title: str, routes: Iterable[Route]) -> str:
    rows = ((f"[{route.name}](#{route.name})", _where(route), _door(route), route.summary) for route in routes)
    return f"## {title}\n\n" + table(("Route", "Where", "Who", "What"), rows)


def _where(route: Route) -> str:
    return code(f"{route.method} /{route.path}")


def _door(route: Route) -> str:
    if route.application:
        return "an application"
    if route.link:
        return "whoever has the link"
    if not route.roles:
        return "anybody"
    return "every role" if route.roles == frozenset(Role) else ", ".join(sorted(route.roles))


def _problems(described: dict[str, Any]) -> str:
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    statuses = {int(status) for operation in operations for status in operation["responses"]}
    rows = (
        (code(status), HTTPStatus(status).phrase, MEANINGS[status])
        for status in sorted(statuses)
        if status >= HTTPStatus.BAD_REQUEST
    )
    always = ", ".join(map(code, ALWAYS))
    said = (
        "An error of the API is a [Problem](#problem) (RFC 9457, `application/problem+json`), one of a page is a\n"
        f"readable page. Every route can answer with {always}; the others stand at each.\n"
    )
    return f"## Errors\n\n{said}\n" + table(("Status", "Name", "Meaning"), rows)


def _route(route: Route, operation: dict[str, Any]) -> str:
    facts = [("Who", _door(route)), *_asked(operation), *_answered(operation)]
    parts = [f"### {route.name}\n", f"```text\n{route.method} /{route.path}\n```\n", f"{operation['summary']}\n"]
    parts.append("\n".join(f"- {name}: {said}" for name, said in facts) + "\n")
    if operation["parameters"]:
        rows = (
            (code(one["name"]), one["in"], "yes" if one["required"] else "no", _type(one["schema"]), one["description"])
            for one in operation["parameters"]
        )
        parts.append(table(("Parameter", "In", "Required", "Type", "Meaning"), rows))
    return "\n".join(parts)


def _asked(operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield "Body", f"{_type(content['schema'])} as {code(media)}"


def _answered(operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    wrong = []
    for status, answer in operation["responses"].items():
        if int(status) >= HTTPStatus.BAD_REQUEST:
            wrong += [] if int(status) in ALWAYS else [status]
            continue
        bodies = [
            f"{_type(content['schema'])} as {code(media)}" if content else code(media)
            for media, content in answer.get("content", {}).items()
        ]
        bodies += [f"header {code(name)}" for name in answer.get("headers", {})]
        yield f"Answer {status}", "; ".join([answer["description"].rstrip("."), *bodies])
    if wrong:
        yield "Problems", ", ".join(map(code, sorted(wrong)))


def _shape(name: str, schema: dict[str, Any]) -> str:
    about = [f"{schema['description']}\n"] if "description" in schema else []
    rows = list(_members(schema, ""))
    if rows:
        about.append(table(("Member", "Required", "Type", "Meaning"), rows))
    else:
        about.append(f"An {_type(schema)}.\n")
    return "\n".join([f"### {name}\n", *about])


def _members(schema: dict[str, Any], above: str) -> Iterator[tuple[str, str, str, str]]:
    """A row for each member, and for those of objects that have no name of their own."""
    schema = next((part for part in schema.get("anyOf", ()) if "properties" in part), schema)
    required = schema.get("required", ())
    for name, member in schema.get("properties", {}).items():
        path = f"{above}{name}"
        yield code(path), "yes" if name in required else "no", _type(member), _meaning(member)
        inner, mark = (member["items"], "[]") if member.get("type") == "array" else (member, "")
        yield from _members(inner, f"{path}{mark}.")


def _meaning(member: dict[str, Any]) -> str:
    said = [str(member["description"])] if "description" in member else []
    if member.get("default") not in (None, "", [], {}):
        said.append(f"Default {_value(member['default'])}.")
    return " ".join(said) or "-"


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REF)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(map(_value, schema["enum"]))
    if "const" in schema:
        return _value(schema["const"])
    if schema.get("type") == "array":
        return f"list{_limits(schema, 'minItems', 'maxItems')} of {_type(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    word = str(schema.get("format") or schema.get("type", "anything"))
    pattern = f" like {code(schema['pattern'])}" if "pattern" in schema else ""
    limits = _limits(schema, "minimum", "maximum") + _limits(schema, "minLength", "maxLength", " characters")
    return word + pattern + limits


def _value(value: object) -> str:
    """A value as it stands in JSON; text without its quotes, unless nothing is left then."""
    return code(str(value) if value and isinstance(value, str) else json.dumps(value))


def _limits(schema: dict[str, Any], low: str, high: str, of: str = "") -> str:
    least, most = schema.get(low), schema.get(high)
    if most is None:
        return "" if least in (None, 0) else f" ({least}{of} at least)"
    return f" ({most}{of} at most)" if least is None else f" ({least} to {most}{of})"
