"""That a form comes from our own page: a cookie that only we can read and set, a field made from it, and the origin.

The field is a hash of the cookie, the page and the person it was shown for, so it fits nothing else. Nothing is stored:
showing a page writes no record.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping

import azure.functions as func

from tenantclosure.errors import RequestRefused
from tenantclosure.wiring import Parts
from web.problems import refuse

COOKIE = "closure-csrf"
_MADE = re.compile(r"[A-Za-z0-9_-]{43}")
"""32 random bytes, as `secrets.token_urlsafe` writes them."""


def field_for(req: func.HttpRequest, parts: Parts, place: str, person: str) -> tuple[str, dict[str, str]]:
    """The form's hidden field, and the headers that go out with the page (a cookie, unless the browser has one).

    `place` is the page, `person` the key of whom it is shown for.
    """
    cookie = _cookie(req.headers)
    if cookie:
        return _field(cookie, place, person), {}
    cookie = secrets.token_urlsafe(32)
    secure = "" if _local(parts) else "; Secure"
    return _field(cookie, place, person), {
        "Set-Cookie": f"{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Strict{secure}"
    }


def check(req: func.HttpRequest, parts: Parts, sent: str, place: str, person: str) -> None:
    """Raise RequestRefused (403) unless the form comes from this very page of ours, shown for this person."""
    if req.headers.get("Sec-Purpose") or req.headers.get("Purpose"):
        raise _refused("foreign-form", "A browser that only looks ahead decides nothing.")
    if req.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise _refused("foreign-form", "This form came from another site.")
    origin = req.headers.get("Origin")
    if origin is not None and origin.lower() not in _origins(req.headers, parts):
        raise _refused("foreign-form", "This form came from another site.")
    cookie = _cookie(req.headers)
    expected = _field(cookie, place, person) if cookie else ""
    if not expected or not hmac.compare_digest(expected.encode(), sent.encode()):
        raise _refused("stale-form", "This form is not the one we showed you last.")


def _origins(headers: Mapping[str, str], parts: Parts) -> set[str]:
    """Our own names: as the settings have it, and as the browser addressed us."""
    scheme, host = "http" if _local(parts) else "https", headers.get("Host", "")
    return {origin.lower() for origin in (parts.settings.address, f"{scheme}://{host}" if host else "") if origin}


def _local(parts: Parts) -> bool:
    """Whether we are reached without TLS, which the settings allow on the loopback interface only."""
    return parts.settings.address.startswith("http://")


def _cookie(headers: Mapping[str, str]) -> str:
    """The cookie's value; empty when it is missing, malformed, or there twice (then another site may have set one)."""
    pairs = (pair.strip().partition("=") for pair in headers.get("Cookie", "").split(";"))
    values = [value for name, _, value in pairs if name == COOKIE]
    return values[0] if len(values) == 1 and _MADE.fullmatch(values[0]) else ""


def _field(cookie: str, place: str, person: str) -> str:
    return hashlib.sha256("\n".join((cookie, place, person)).encode("utf-8", "surrogatepass")).hexdigest()


def _refused(kind: str, detail: str) -> RequestRefused:
    return refuse(403, kind, detail, "Nothing was decided. Open the page again and use its form.")
