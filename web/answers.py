"""Responses with the headers every answer of ours carries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import azure.functions as func

BASE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
PAGE = {
    **BASE,
    # With "no-referrer" browsers would send a form with `Origin: null`, and we could not tell our page from others.
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
}


def json_answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> func.HttpResponse:
    """A JSON document."""
    return raw_answer(json.dumps(document, ensure_ascii=False).encode(), "application/json", status, headers)


def raw_answer(
    body: bytes, media: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> func.HttpResponse:
    """Bytes of a given media type."""
    return func.HttpResponse(
        body, status_code=status, mimetype=media, charset="utf-8", headers={**BASE, **(headers or {})}
    )


def page_answer(html: str, status: int = 200, headers: Mapping[str, str] | None = None) -> func.HttpResponse:
    """A page that runs nothing but our own script file, and that nobody may frame or keep."""
    return func.HttpResponse(
        html.encode(), status_code=status, mimetype="text/html", charset="utf-8", headers={**PAGE, **(headers or {})}
    )


def see_other(path: str) -> func.HttpResponse:
    """On to another page of ours, to be read with GET."""
    return func.HttpResponse(b"", status_code=303, mimetype="text/html", headers={**PAGE, "Location": path})
