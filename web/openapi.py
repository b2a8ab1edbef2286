"""The API description: OpenAPI 3.1, built from the route table and the real request schema."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from tenantclosure import names
from web.body import COMMENT
from web.problems import MEDIA
from web.route import Route
from web.schema import request_schema

PARAMETERS = {
    "closureId": "Id of the closure.",
    "gate": "Name of the gate.",
    "taskId": "Id of the task.",
    "token": "Token of a link in a message.",
    "file": "Name of the file.",
}


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
            "schemas": _schemas(),
            "securitySchemes": {
                "appService": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-MS-CLIENT-PRINCIPAL",
                    "description": "Set by App Service authentication after sign-in; never by a client.",
                }
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    roles = sorted(route.roles)
    answers: dict[str, Any] = {}
    for answer in route.answers:
        shape = {"schema": _ref(answer.schema)} if answer.schema else {}
        entry = answers.setdefault(str(answer.status), {"description": answer.text, "content": {}})
        entry["content"][answer.media] = shape
        if answer.status == 202 and answer.schema == "Filed":
            entry["headers"] = {"Location": {"schema": {"type": "string"}, "description": "The closure."}}
    for status in sorted({*route.problems, *((401, 403) if roles else ()), 500}):
        media = "text/html" if route.page else MEDIA
        shape = {} if route.page else {"schema": _ref("Problem")}
        answers[str(status)] = {"description": HTTPStatus(status).phrase, "content": {media: shape}}
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "x-roles": roles,
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": _path(name), "description": PARAMETERS[name]}
                for name in re.findall(r"{(\w+)}", route.path)
            ),
            *(
                {"name": name, "in": "query", "schema": {"type": "string"}, "description": meaning}
                for name, meaning in route.query.items()
            ),
        ],
        "responses": answers,
        "security": [{"appService": roles}] if roles else [],
    }
    if route.body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(route.body)}}}
    return operation


def _path(name: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(names.Gate)} if name == "gate" else {"type": "string"}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas() -> dict[str, Any]:
    request = request_schema()
    request.pop("$schema")
    parts = request.pop("$defs", {})
    text, number, boolean = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
    time = {"type": "string", "format": "date-time"}
    anything = {"type": "object"}
    return {
        **{name: _moved(schema) for name, schema in parts.items()},
        "ClosureRequest": _moved(request),
        "Decision": _object(
            {
                "decision": {"enum": list(names.Decision)},
                "digest": {**text, "description": "Digest of the plan the person saw."},
                "comment": {**text, "maxLength": COMMENT},
                "domain": {**text, "description": "Gate delete-tenant only: the tenant's domain, typed to approve."},
            },
            ["decision", "digest"],
            strict=True,
        ),
        "Comment": _object({"comment": {**text, "maxLength": COMMENT}}, [], strict=True),
        "Filed": _object({"closureId": text, "status": text, "links": anything}),
        "Control": _object({"closureId": text, "status": text, "control": text, "epoch": number}),
        "Decided": _object({"gate": text, "serial": number, "decision": text, "state": text, "missing": anything}),
        "Reported": _object({"task": anything}),
        "Items": _object({"items": {"type": "array", "items": anything}}),
        "Verdict": _object(
            {
                "closureId": text,
                "ok": boolean,
                "lines": number,
                "head": text,
                "fault": _nullable(text),
                "line": _nullable(number),
            }
        ),
        "Plan": _object(
            {
                "closureId": text,
                "serial": number,
                "digest": _nullable(text),
                "manifest": anything,
                "items": {"type": "array", "items": anything},
                "next": _nullable(text),
            }
        ),
        "ClosurePage": _object(
            {
                "items": {"type": "array", "items": _ref("Closure")},
                "next": _nullable(text),
                "poison": {"type": "array", "items": anything},
            }
        ),
        "Closure": _object(
            {
                "closureId": text,
                "tenantId": text,
                "domain": text,
                "status": {"enum": list(names.Status)},
                "phase": {"enum": ["", *names.Phase]},
                "result": {"enum": [None, *names.Result]},
                "gate": _nullable(anything),
                "planSerial": number,
                "digest": _nullable(text),
                "counts": {"type": "object", "additionalProperties": _ref("Counts")},
                "progress": _nullable(anything),
                "rate": _nullable({"type": "number", "description": "Items a second of the running phase."}),
                "eta": _nullable(time),
                "tasks": _object({"open": number, "ids": {"type": "array", "items": text}}),
                "blockers": {"type": "array", "items": anything},
                "requester": anything,
                "createdAt": time,
                "updatedAt": time,
                "endedAt": _nullable(time),
            }
        ),
        "Counts": _object({"planned": number, **{str(outcome): number for outcome in names.Outcome}}),
        "Problem": {
            "type": "object",
            "description": "RFC 9457. Further members may follow.",
            "properties": {
                "type": {**text, "description": "urn:tenant-closure:problem:{kind}"},
                "title": text,
                "status": number,
                "detail": text,
                "field": {**text, "description": "JSON path of the wrong field; $ is the whole body."},
                "remedy": {**text, "description": "What to do next."},
            },
            "required": ["type", "title", "status", "detail", "remedy"],
        },
    }


def _object(properties: dict[str, Any], required: list[str] | None = None, *, strict: bool = False) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
    }
    return {**shape, "additionalProperties": False} if strict else shape


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _moved(schema: Any) -> Any:
    """The schema with references into `components` instead of its own `$defs`."""
    if isinstance(schema, dict):
        return {
            key: value.replace("#/$defs/", "#/components/schemas/") if key == "$ref" else _moved(value)
            for key, value in schema.items()
        }
    return [_moved(part) for part in schema] if isinstance(schema, list) else schema
