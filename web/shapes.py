"""The shapes of bodies and answers in the API description. What an answer may hold is named here, and nothing else."""

from __future__ import annotations

from typing import Any

from tenantclosure import names
from tenantclosure.policy import preflight, readiness
from tenantclosure.policy.stuck import REASONS
from web.body import COMMENT
from web.closures import MOST_SERIAL
from web.schema import request_schema

Shape = dict[str, Any]

TEXT: Shape = {"type": "string"}
NUMBER: Shape = {"type": "integer"}
COUNT: Shape = {"type": "integer", "minimum": 0}
YES: Shape = {"type": "boolean"}
TIME: Shape = {"type": "string", "format": "date-time"}
GUID: Shape = {"type": "string", "format": "uuid"}
DIGEST: Shape = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
SERIAL: Shape = {"type": "integer", "minimum": 1, "maximum": MOST_SERIAL}
GATE: Shape = {"type": "string", "enum": list(names.Gate)}
WORD: Shape = {"type": "string", "enum": list(names.Decision)}
SAID: Shape = {**TEXT, "maxLength": COMMENT}
DOMAIN: Shape = {
    **TEXT,
    "maxLength": 253,
    "description": "Gate delete-tenant only: the tenant's domain, typed to approve.",
}
ANYTHING: Shape = {"type": "object"}
"""What is kept as it comes: a manifest, a task, a blocker, an item with its facts."""
OUTCOME: Shape = {"type": "string", "enum": ["open", "approved", "vetoed", "expired"]}


def ref(name: str) -> dict[str, str]:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def components() -> dict[str, Any]:
    """Every named shape."""
    request = request_schema()
    request.pop("$schema")
    parts = request.pop("$defs", {})
    return {
        **{name: _moved(schema) for name, schema in parts.items()},
        "ClosureRequest": _moved(request),
        **_bodies(),
        **_closure(),
        **_gate(),
        "Filed": _object({"closureId": TEXT, "status": TEXT, "links": ref("Links")}),
        "Control": _object({"closureId": TEXT, "status": TEXT, "control": TEXT, "epoch": NUMBER}),
        "Decided": _object(
            {"gate": GATE, "serial": SERIAL, "decision": WORD, "state": OUTCOME, "missing": ref("Seats")}
        ),
        "CallbackTaken": _object(
            {"event": TEXT, "gate": GATE, "serial": SERIAL, "state": OUTCOME, "missing": ref("Seats")}
        ),
        "Reported": _object({"task": ANYTHING, "told": TEXT}),
        "Items": _object({"items": _list(ANYTHING)}),
        "Preflight": _object({"tenantId": GUID, "ok": YES, "checks": _list(_check())}),
        **_blockers(),
        "Verdict": _object(
            {"closureId": TEXT, "ok": YES, "lines": COUNT, "head": TEXT, "fault": _null(TEXT), "line": _null(NUMBER)}
        ),
        "Plan": _object(
            {
                "closureId": TEXT,
                "serial": SERIAL,
                "digest": _null(DIGEST),
                "manifest": ANYTHING,
                "difference": _null(ANYTHING),
                "items": _list(ANYTHING),
                "next": _null(TEXT),
            },
            {"family": TEXT, "shard": COUNT, "shards": COUNT, "more": YES, "impossible": _list(ANYTHING)},
        ),
        "Problem": {
            "type": "object",
            "description": "RFC 9457. Further members may follow.",
            "properties": {
                "type": {**TEXT, "description": "urn:tenant-closure:problem:{kind}"},
                "title": TEXT,
                "status": NUMBER,
                "detail": TEXT,
                "field": {**TEXT, "description": "JSON path of the wrong field; $ is the whole body."},
                "remedy": {**TEXT, "description": "What to do next."},
            },
            "required": ["type", "title", "status", "detail"],
        },
    }


def _check() -> Shape:
    """One right in a preflight."""
    texts = ("check", "name", "kind", "where", "detail", "grant")
    return _object(
        {**dict.fromkeys(texts, TEXT), "required": YES, "state": {"type": "string", "enum": list(preflight.State)}}
    )


def _bodies() -> dict[str, Shape]:
    seen = {**DIGEST, "description": "Digest of the plan the person saw."}
    serial = {**SERIAL, "description": "Serial of the gate the person saw; refused when it is another by now."}
    said = {"decision": WORD, "digest": seen}
    return {
        "Decision": _object(said, {"serial": serial, "comment": SAID, "domain": DOMAIN}),
        "DecisionForm": _object(
            {"csrf": {**TEXT, "description": "The page's hidden field."}, **said},
            {"serial": serial, "comment": SAID, "domain": DOMAIN},
        ),
        "Comment": _object({}, {"comment": SAID}),
        "Callback": _object(
            {
                "closureId": TEXT,
                "gate": GATE,
                "serial": serial,
                "digest": seen,
                "event": {"type": "string", "enum": ["reached", "decision"]},
                "person": _object({"tenantId": GUID, "objectId": GUID, "upn": {**TEXT, "maxLength": 320}}),
                "nonce": {**TEXT, "pattern": "^[\\x21-\\x7e]{16,128}$", "description": "Random; taken once."},
                "sentAt": {**TIME, "description": "Within ten minutes of now."},
            },
            {
                "decision": {"type": "string", "enum": ["approve", "veto"], "description": "Only with that event."},
                "comment": SAID,
            },
        ),
    }


def _closure() -> dict[str, Shape]:
    return {
        "ClosurePage": _object({"items": _list(ref("Closure")), "next": _null(TEXT), "poison": _list(ref("Poison"))}),
        "Poison": _object({"id": TEXT, "message": TEXT, "problem": ref("Problem"), "at": _null(TEXT)}),
        "Closure": _object(
            {
                "closureId": TEXT,
                "tenantId": GUID,
                "domain": TEXT,
                "displayName": TEXT,
                "tenantType": TEXT,
                "keeper": TEXT,
                "status": {"type": "string", "enum": list(names.Status)},
                "phase": {"type": "string", "enum": ["", *names.Phase]},
                "control": {"type": "string", "enum": list(names.Control)},
                "result": {"enum": [None, *names.Result]},
                "gate": _null(ref("Gate")),
                "inForce": {**_list(ref("InForce")), "description": "Approvals that can still be taken back."},
                "planSerial": SERIAL,
                "digest": _null(DIGEST),
                "counts": {"type": "object", "additionalProperties": ref("Counts")},
                "progress": _null(_object({"phase": TEXT, "done": COUNT, "total": COUNT})),
                "rate": _null({"type": "number", "description": "Items a second of the running phase."}),
                "eta": _null(TIME),
                "tasks": _object({"open": COUNT, "ids": _list(TEXT)}),
                "blockers": _list(ANYTHING),
                "stuck": _null(
                    {
                        **_object({"since": TIME, "reason": {"type": "string", "enum": list(REASONS)}}),
                        "description": "Nothing moves although nobody is waited for; an operator should look.",
                    }
                ),
                "purgedAt": _null({**TIME, "description": "Records are deleted after their time; the report is kept."}),
                "earliest": _null({**TIME, "description": "The tenant can't be closed before."}),
                "requester": _object(
                    {"tenantId": TEXT, "objectId": TEXT, "upn": TEXT, "name": TEXT, "key": _null(TEXT)},
                ),
                "claimed": YES,
                "createdAt": TIME,
                "updatedAt": TIME,
                "endedAt": _null(TIME),
            },
            {"links": ref("Links")},
        ),
        "Links": _object(
            {
                **dict.fromkeys(("self", "page", "plan", "tasks", "blockers", "report", "audit"), TEXT),
                "gates": _list(GATE),
            }
        ),
        "Counts": _object({"planned": COUNT, **{str(outcome): COUNT for outcome in names.OUTCOMES}}),
    }


def _blockers() -> dict[str, Shape]:
    leg = {"what": TEXT, "why": TEXT, "from": TIME, "to": TIME}
    subscription = {"provider": TEXT, "product": TEXT, "stage": TEXT}
    return {
        "Blockers": _object(
            {
                "items": {**_list(ANYTHING), "description": "What the closure can't clear by itself."},
                "checks": {**_list(ref("Check")), "description": "The rows of the portal's delete page."},
                "closing": _null(ref("Closing")),
                "at": _null({**TIME, "description": "When that was seen; null before the first plan."}),
            }
        ),
        "Check": _object(
            {
                **dict.fromkeys(("check", "title", "cause", "remedy", "owner"), TEXT),
                "state": {"type": "string", "enum": list(readiness.STATES)},
                "earliest": _null(TIME),
                "count": COUNT,
                "items": {**_list(ref("Obstacle")), "description": "The first of them."},
            }
        ),
        "Obstacle": _object(
            {
                **dict.fromkeys(("name", "id", "cause", "remedy", "owner"), TEXT),
                "waits": {**YES, "description": "Only a date or an answer is missing."},
                "earliest": _null(TIME),
                "task": _null({**TEXT, "description": "The manual task about it."}),
                **subscription,
            }
        ),
        "Closing": _object(
            {
                "earliest": _null(TIME),
                "path": {**_list(_object(leg)), "description": "What decides the date, one leg after the other."},
                "lanes": _list(_object({**leg, "critical": YES, "soft": {**YES, "description": "At most so long."}})),
                "more": COUNT,
                "undated": {
                    **_list(_object({"what": TEXT, "why": TEXT, "who": TEXT})),
                    "description": "What takes as long as people take.",
                },
            }
        ),
    }


def _gate() -> dict[str, Shape]:
    seen = {"serial": SERIAL, "digest": DIGEST}
    return {
        "Gate": _object(
            {
                "name": GATE,
                **seen,
                "state": OUTCOME,
                "openedAt": TIME,
                "answerBy": TIME,
                "executeBy": _null(TIME),
                "groups": {"type": "object", "additionalProperties": _object({"quorum": COUNT, "people": _list(TEXT)})},
                "approvers": _list(
                    _object({"group": TEXT, "quorum": COUNT, "people": _list(ref("Named")), "missing": COUNT})
                ),
                "told": YES,
                "distinct": COUNT,
                "missing": ref("Seats"),
                "limits": {**_list(TEXT), "description": "Why more groups must agree than usual."},
                "reopened": _list(_object({"at": TIME, "why": TEXT})),
                "decisions": _list(
                    _object(
                        {
                            "decision": WORD,
                            "at": TIME,
                            "comment": TEXT,
                            "digest": DIGEST,
                            "via": {"type": "string", "enum": ["api", "page", "link", "teams"]},
                            "person": ref("Named"),
                        }
                    )
                ),
                "failed": {
                    **_list(
                        _object(
                            {"kind": TEXT, "channel": TEXT, "why": TEXT, "queuedAt": TIME, "to": _null(ref("Named"))}
                        )
                    ),
                    "description": "Messages to people of this gate that could not be delivered.",
                },
            }
        ),
        "InForce": _object({"name": GATE, **seen, "closedAt": TIME, "executeBy": _null(TIME)}),
        "Named": _object({"upn": TEXT, "name": TEXT}),
        "Seats": {
            "type": "object",
            "additionalProperties": COUNT,
            "description": "Empty seats per group; `distinct` are different people lacking over all groups.",
        },
    }


def _object(properties: Shape, optional: Shape | None = None) -> Shape:
    """An object of exactly these members."""
    return {
        "type": "object",
        "properties": {**properties, **(optional or {})},
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: Shape) -> Shape:
    return {"type": "array", "items": items}


def _null(schema: Shape) -> Shape:
    return {"anyOf": [schema, {"type": "null"}]}


def _moved(schema: Any) -> Any:
    """The schema with references into `components` instead of its own `$defs`."""
    if isinstance(schema, dict):
        return {
            key: value.replace("#/$defs/", "#/components/schemas/") if key == "$ref" else _moved(value)
            for key, value in schema.items()
        }
    return [_moved(part) for part in schema] if isinstance(schema, list) else schema
