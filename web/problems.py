"""Errors as RFC 9457 problem documents: what is wrong, in which field, and what to do next."""

from __future__ import annotations

import json
import logging
import math
import re
from http import HTTPStatus
from typing import Any

import azure.functions as func

from tenantclosure.errors import (
    ListingIncomplete,
    RailBroken,
    RecordConflict,
    RecordMissing,
    RecordNewer,
    RequestRefused,
    ServiceTrouble,
    SettingsError,
    Throttled,
)
from tenantclosure.names import Rail
from web.answers import BASE

log = logging.getLogger(__name__)

MEDIA = "application/problem+json"
URN = "urn:tenant-closure:problem:"
RECORDS = (Rail.SEAL, Rail.EVIDENCE, Rail.AUDIT)
"""Rails on our own records: people are told which record it is, for nobody else can mend it."""


def refuse(status: int, kind: str, detail: str, remedy: str, *, field: str = "", **extra: Any) -> RequestRefused:
    """A refusal of the doors themselves (who, where, when), in the same form as one of the request's rules."""
    return RequestRefused(field, detail, remedy, status=status, kind=kind, extra=extra)


def document_of(error: Exception) -> dict[str, Any]:
    """The problem document of any error. What nobody foresaw is logged and shown without its inside."""
    match error:
        case RequestRefused():
            # Members of RFC 9457 come last: an extension must not pose as one of them.
            extra = {**error.extra, **({"field": error.field} if error.field else {}), "remedy": error.remedy}
            return {**extra, **_head(error.kind, error.status, error.detail)}
        case RecordMissing():
            return {
                **_head("not-found", 404, "There is no such record."),
                "remedy": "Look the id up in GET /api/closures.",
            }
        case RecordConflict():
            return {**_head("busy", 409, "Somebody else changed the same record."), "remedy": "Read it and try again."}
        case RailBroken() if error.rail in RECORDS:
            return {
                **_head("untrusted-records", 409, error.detail),
                "rail": str(error.rail),
                "remedy": "Find out who can write to the storage account; such a record counts for nothing.",
            }
        case RecordNewer():
            return {
                **_head("newer-records", 409, str(error)),
                "remedy": "Deploy the newer version again: it goes on where it stopped.",
            }
        case RailBroken():
            return {
                **_head("safety-rail", 403, f"The safety rail {error.rail} stopped this."),
                "rail": str(error.rail),
                "remedy": "Read the closure's audit lines; a rail is never switched off.",
            }
        case ServiceTrouble() | ListingIncomplete():
            log.warning("a service did not answer usefully: %s", error)
            wait = max(1, math.ceil(error.retry_after)) if isinstance(error, Throttled) else 10
            return {
                **_head("service-trouble", 503, "Storage or Microsoft did not answer usefully."),
                "retryAfter": wait,
                "remedy": f"Try again in {wait} seconds.",
            }
        case SettingsError():
            log.error("settings: %s", error)
            # Its name and no more: nobody has signed in yet, and a sentence about the policy names people.
            named = re.findall(r"\b[A-Z]+(?:_[A-Za-z]+)+\b", str(error))
            field = {"field": named[0]} if named else {}
            which = f"the setting {named[0]} is missing or wrong" if named else "a setting is missing or wrong"
            return {
                **_head("not-configured", 500, f"The deployment can't start: {which}."),
                **field,
                "remedy": "Whoever runs it corrects it as docs/settings.md says; the log has the whole sentence.",
            }
        case _:
            log.error("unforeseen error", exc_info=error)
            return {
                **_head("unexpected", 500, "Something went wrong on our side."),
                "remedy": "Try again; if it stays, ask whoever runs it to read the log.",
            }


def headers_of(document: dict[str, Any]) -> dict[str, str]:
    """Headers that belong to a problem's status."""
    if document["status"] == 401:
        refused = document["type"] == f"{URN}token-refused"
        return {"WWW-Authenticate": 'Bearer error="invalid_token"' if refused else "Bearer"}
    if document["status"] in (429, 503):
        return {"Retry-After": str(document.get("retryAfter", 10))}
    return {}


def response(document: dict[str, Any]) -> func.HttpResponse:
    """The problem as an answer."""
    return func.HttpResponse(
        json.dumps(document, ensure_ascii=False).encode(),
        status_code=document["status"],
        mimetype=MEDIA,
        charset="utf-8",
        headers={**BASE, **headers_of(document)},
    )


def _head(kind: str, status: int, detail: str) -> dict[str, Any]:
    title = kind.replace("-", " ").capitalize() if kind else HTTPStatus(status).phrase
    return {"type": f"{URN}{kind}", "title": title, "status": status, "detail": detail}
