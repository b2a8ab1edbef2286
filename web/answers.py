"""Responses with the headers every answer of ours carries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import azure.functions as func

BASE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
PAGE = {
    "Cache-Control": "no-store",
    # With "no-referrer" browsers would send a form with `Origin: null`, and we could not tell our page from others.
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
}
EVERY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What the door adds to each answer that does not say otherwise."""
ONE_YEAR = "max-age=31536000"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def hardened(answer: func.HttpResponse, url: str) -> func.HttpResponse:
    """The answer with the headers of every answer. `url` is what was asked for: loopback is reached without TLS."""
    for name, value in EVERY.items():
        answer.headers.setdefault(name, value)
    if urlsplit(url).hostname not in LOOPBACK:
        answer.headers.setdefault("Strict-Transport-Security", ONE_YEAR)
    return answer


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
