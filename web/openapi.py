"""The API description: OpenAPI 3.1, built from the route table and the real request schema."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from web.pages import FILES
from web.problems import MEDIA
from web.route import Route
from web.shapes import GATE, components, ref

PARAMETERS: dict[str, tuple[str, dict[str, Any]]] = {
    "closureId": ("Id of the closure.", {"type": "string", "pattern": "^[0-9a-f-]{36}-[1-9][0-9]*$"}),
    "tenantId": ("Id of the tenant.", {"type": "string", "format": "uuid"}),
    "gate": ("Name of the gate.", GATE),
    "taskId": ("Id of the task.", {"type": "string", "minLength": 1, "maxLength": 300}),
    "day": ("A day (UTC), YYYY-MM-DD.", {"type": "string", "format": "date"}),
    "token": ("Token of a link in a message.", {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"}),
    "file": ("Name of the file.", {"type": "string", "enum": list(FILES)}),
}
FORM = "application/x-www-form-urlencoded"


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole description."""
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(f"/{route.path}", {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tenant Closure",
            "version": "1.0",
            "description": "Closes a whole Microsoft 365 / Entra tenant with people's approval. Times are UTC.",
        },
        "paths": paths,
        "components": {
            "schemas": components(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An Entra access token of the hosting tenant for this application.",
                },
                "appService": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-MS-CLIENT-PRINCIPAL",
                    "description": "Set by App Service authentication after sign-in; never by a client.",
                },
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    roles = sorted(route.roles)
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "x-roles": roles,
        "parameters": [
            *(_parameter(name, "path", *PARAMETERS[name]) for name in re.findall(r"{(\w+)}", route.path)),
            *(_parameter(name, "query", *about) for name, about in route.query.items()),
        ],
        "responses": _answers(route),
        "security": [{"bearer": roles}, {"appService": roles}] if roles or route.application else [],
    }
    if route.body:
        media = FORM if route.page else "application/json"
        operation["requestBody"] = {"required": True, "content": {media: {"schema": ref(route.body)}}}
    return operation


def _parameter(name: str, where: str, meaning: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "schema": schema, "description": meaning}


def _answers(route: Route) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for answer in route.answers:
        entry = answers.setdefault(str(answer.status), {"description": answer.text})
        if answer.media:
            shape = {"schema": ref(answer.schema)} if answer.schema else {}
            entry.setdefault("content", {})[answer.media] = shape
        if answer.status == 303 or answer.schema == "Filed":
            entry["headers"] = {"Location": {"schema": {"type": "string"}, "description": "Where it goes on."}}
    asks = route.roles or route.application
    for status in sorted(
        {*route.problems, *((401, 403) if asks else ()), *((401,) if route.link else ()), 429, 500, 503}
    ):
        media, shape = ("text/html", {}) if route.page else (MEDIA, {"schema": ref("Problem")})
        answers[str(status)] = {"description": HTTPStatus(status).phrase, "content": {media: shape}}
    return answers
