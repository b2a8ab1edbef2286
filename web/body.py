"""Request bodies: bounded, strictly JSON or a form, and free of what would only fail later."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import azure.functions as func

from tenantclosure.errors import RequestRefused
from tenantclosure.model.request import LONGEST_NAME, MAX_BYTES
from web.problems import refuse

DEEPEST = 16
"""Levels of nesting; a request needs four."""
COMMENT = 2000
"""Longest comment in characters."""
FIELDS = 20
"""Most fields of a form; ours have six."""
LONGEST_LENGTH = 9
"""Digits of an announced length that are read as a number; more are too many in any case."""


def json_body(req: func.HttpRequest) -> Any:
    """The decoded body. Raises RequestRefused: 415 not JSON, 413 too long, 400 malformed.

    Demanding application/json is also what keeps other sites from posting with a person's cookie: a browser asks first
    before it sends that type across origins, and we never answer that question.
    """
    _expect(req, "application/json", refuse(415, "not-json", "The body must be JSON.", "Send it as application/json."))
    return parse(req.get_body() or b"")


def form_body(req: func.HttpRequest) -> dict[str, str]:
    """A form's fields. Raises RequestRefused: 415 not a form, 413 too long, 400 malformed."""
    media = "application/x-www-form-urlencoded"
    _expect(req, media, refuse(415, "not-a-form", "The body must be a form.", "Use the form on the page."))
    data = req.get_body() or b""
    if len(data) > MAX_BYTES:
        raise too_long()
    try:
        pairs = parse_qsl(
            data.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=FIELDS
        )
    except ValueError:  # not ASCII, not UTF-8 behind the percent signs, too many fields, a field without "="
        raise _malformed_form("The body is no form in UTF-8.") from None
    found = dict(pairs)
    if len(found) < len(pairs):
        # Two readers of such a form may see two different decisions.
        raise _malformed_form("A field of the form stands there twice.")
    return found


def _expect(req: func.HttpRequest, media: str, otherwise: RequestRefused) -> None:
    """Refuse another media type, and a length that is announced too long."""
    if (req.headers.get("Content-Type") or "").partition(";")[0].strip().lower() != media:
        raise otherwise
    announced = req.headers.get("Content-Length") or "0"
    if announced.isascii() and announced.isdigit() and (len(announced) > LONGEST_LENGTH or int(announced) > MAX_BYTES):
        raise too_long()


def too_long() -> RequestRefused:
    """The body is longer than a request ever needs."""
    return refuse(
        413,
        "too-long",
        f"The body is longer than {MAX_BYTES} bytes.",
        f"Send at most {MAX_BYTES} bytes.",
        field="$",
        limit=MAX_BYTES,
    )


def parse(data: bytes) -> Any:
    """JSON as RFC 8259 means it: UTF-8, no key twice, finite numbers, whole characters, bounded depth."""
    if len(data) > MAX_BYTES:
        raise too_long()
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
        _check(document)
    except RequestRefused:
        raise
    except UnicodeDecodeError:
        raise _malformed("The body is not UTF-8.") from None
    except RecursionError:
        raise _malformed("The body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"The body is not JSON (line {error.lineno}, column {error.colno}).") from None
    except ValueError:
        raise _malformed("The body holds a number that is too long.") from None
    return document


def fields(document: Any, known: frozenset[str]) -> dict[str, Any]:
    """The document as an object of known keys. Raises RequestRefused."""
    if not isinstance(document, dict):
        raise refuse(400, "invalid-request", "The body must be a JSON object.", "Send an object.", field="$")
    for name in document:
        if name not in known:
            allowed = ", ".join(sorted(known))
            told = name[:LONGEST_NAME]
            raise refuse(400, "invalid-request", f"{told} is not known here.", f"Use only {allowed}.", field=told)
    return document


def text(document: dict[str, Any], name: str, *, most: int = COMMENT, needed: bool = True) -> str:
    """A text member, stripped. Raises RequestRefused if it is missing, not text, or too long."""
    value = document.get(name, None if needed else "")
    if value is None:
        raise refuse(400, "invalid-request", f"{name} is missing.", f"Add {name}.", field=name)
    if not isinstance(value, str):
        raise refuse(400, "invalid-request", f"{name} must be text.", f"Send {name} as a JSON string.", field=name)
    value = value.strip()
    if needed and not value:
        raise refuse(400, "invalid-request", f"{name} is empty.", f"Say something in {name}.", field=name)
    if len(value) > most:
        remedy = f"Shorten {name} to {most} characters."
        raise refuse(400, "invalid-request", f"{name} is longer than {most} characters.", remedy, field=name)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            # Two readers of such a body may see two different requests.
            raise _malformed(f"The key {json.dumps(name[:100])} stands twice in one object.")
        found[name] = value
    return found


def _constant(name: str) -> NoReturn:
    raise _malformed(f"{name} is not JSON.")


def _check(document: Any) -> None:
    waiting: list[tuple[Any, int]] = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > DEEPEST:
            raise _malformed("The body is nested too deeply.")
        if isinstance(value, dict):
            waiting += [(member, depth + 1) for pair in value.items() for member in pair]
        elif isinstance(value, list):
            waiting += [(member, depth + 1) for member in value]
        elif isinstance(value, float) and not math.isfinite(value):
            raise _malformed("The body holds a number that is too large.")
        elif isinstance(value, str) and any("\ud800" <= mark <= "\udfff" for mark in value):
            raise _malformed("The body holds half a character (a lone surrogate).")


def _malformed(detail: str) -> RequestRefused:
    return refuse(400, "malformed-json", detail, "Send one JSON object in UTF-8.", field="$")


def _malformed_form(detail: str) -> RequestRefused:
    return refuse(400, "malformed-form", detail, "Use the form on the page.", field="$")
