"""Responses with the headers every answer of ours carries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import azure.functions as func

BASE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
PAGE = {
    **BASE,
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
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
    """A page without script that nobody may frame or keep."""
    return func.HttpResponse(
        html.encode(), status_code=status, mimetype="text/html", charset="utf-8", headers={**PAGE, **(headers or {})}
    )
