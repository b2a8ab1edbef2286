"""Who is asking: what the platform or an access token says of the caller, and whether the roles suffice.

The header `X-MS-CLIENT-PRINCIPAL` counts only where App Service authentication is known to be on: it strips that header
from outside, so its presence then proves a sign-in. Anywhere else anybody could write it. Where it is absent, a bearer
token is read by `parts.tokens`, which checks signature, issuer, audience, tenant and dates.

A person is known by tenant id and object id. The user principal name is for people's eyes: it can be changed, be given
to somebody else, and hold letters that look like others.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

from tenantclosure.errors import RequestRefused, TokenRefused
from tenantclosure.model.people import Person
from web.problems import refuse
from web.roles import Role
from web.route import Application

HEADER = "X-MS-CLIENT-PRINCIPAL"
LONGEST = 16 * 1024
"""Characters of a token or principal; both come well under 8 kB."""

# App Service hands on either the token's own claim names or the long ones WS-Federation gave them.
TENANT = ("tid", "http://schemas.microsoft.com/identity/claims/tenantid")
OBJECT = ("oid", "http://schemas.microsoft.com/identity/claims/objectidentifier")
UPN = ("upn", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "preferred_username")
NAME = ("name",)
ROLES = ("roles", "role", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")
SCOPE = ("scp", "http://schemas.microsoft.com/identity/claims/scope")
APPLICATION = ("appid", "azp", "http://schemas.microsoft.com/identity/claims/appid")
KIND = ("idtyp",)
ASCII_SMALL = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
"""Only these are folded: the full rule would turn a Kelvin sign into a k, and so one name into another."""

Claims = Mapping[str, list[str]]


async def claims_of(headers: Mapping[str, str], parts: Any) -> Claims | None:
    """What is proven of the caller, by claim name; None when nothing was shown.

    The platform's word wins over a token. Raises RequestRefused (401) for what can't be read or does not hold, and
    ServiceTrouble when the signing keys can't be had.
    """
    told = headers.get(HEADER) or headers.get(HEADER.lower()) or ""
    if parts.settings.authentication_on and told:
        return _platform_claims(told)
    scheme, _, token = (headers.get("Authorization") or headers.get("authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip() or parts.tokens is None:
        return None
    if len(token) > LONGEST:
        raise token_refused("malformed")
    try:
        return _token_claims(await parts.tokens.claims(token.strip()))
    except TokenRefused as error:
        raise token_refused(error.reason) from None


def person_of(claims: Claims | None) -> Person:
    """The signed-in person. Raises RequestRefused (401)."""
    if claims is None:
        raise refuse(
            401,
            "not-signed-in",
            "Nobody is signed in.",
            "Sign in with an account that has a role in this application.",
        )
    upn = _first(claims, UPN).strip().translate(ASCII_SMALL)
    if "@" not in upn or _is_application(claims):
        raise refuse(
            401,
            "not-a-person",
            "The sign-in names no person.",
            "Sign in as a person: an application can't file, approve or steer a closure.",
        )
    roles = frozenset(value for name in ROLES for value in claims.get(name, ()))
    return Person(_guid(claims, TENANT), _guid(claims, OBJECT), upn, _first(claims, NAME), roles)


def application_of(claims: Claims | None) -> Application:
    """The calling application. Raises RequestRefused (401), and 403 for a person or an app that acts for one."""
    if claims is None:
        raise refuse(
            401, "not-signed-in", "Nobody is signed in.", "Send an access token that the application got for itself."
        )
    if not _is_application(claims):
        raise refuse(
            403,
            "not-an-application",
            "This door is for applications that sign in as themselves.",
            "Decide on the page or over the API instead.",
        )
    name = _first(claims, APPLICATION).strip().lower()
    if not name:
        raise _unreadable()
    return Application(_guid(claims, TENANT), name)


def require(person: Person, roles: frozenset[Role], home: str) -> None:
    """Raise RequestRefused (403) unless the person is of the hosting tenant `home` and holds one of the roles.

    An empty `home` (a rehearsal that names none) asks for the role only.
    """
    require_home(person.tenant_id, home)
    if person.roles.isdisjoint(roles):
        wanted = " or ".join(sorted(roles))
        raise refuse(
            403,
            "role-missing",
            f"This needs the role {wanted}.",
            f"Ask your administrator to assign {wanted} to {person.upn} in the enterprise application.",
            rolesNeeded=sorted(roles),
        )


def require_home(tenant: str, home: str) -> None:
    """Raise RequestRefused (403) unless the caller's tenant is the hosting one."""
    if home and tenant.lower() != home.lower():
        raise refuse(
            403,
            "wrong-tenant",
            "Your account lives in another tenant than the one that hosts this service.",
            "Sign in with an account of the hosting tenant.",
        )


def sign_in(path: str) -> str:
    """Where a person signs in to come back to this path of ours."""
    # A browser reads "//host" and "/\\host" as another host.
    ours = "/" + path.lstrip("/\\")
    return f"/.auth/login/aad?post_login_redirect_uri={quote(ours, safe='')}"


def token_refused(reason: str) -> RequestRefused:
    """The 401 for a token that is no good; `reason` is one of the fixed words of TokenRefused."""
    return refuse(
        401,
        "token-refused",
        f"The access token was refused: {reason}.",
        "Get a new token for this application from the hosting tenant.",
        reason=reason,
    )


def _is_application(claims: Claims) -> bool:
    if "app" in claims.get(KIND[0], ()):
        return True
    return not any(_first(claims, names) for names in (UPN, SCOPE))


def _platform_claims(told: str) -> Claims:
    claims: dict[str, list[str]] = {}
    try:
        if len(told) > LONGEST:
            raise ValueError("too long")
        document = json.loads(base64.b64decode(told, validate=True))
        role_name = str(document.get("role_typ") or "")
        for claim in document["claims"]:
            name, value = str(claim["typ"]), str(claim["val"])
            claims.setdefault("roles" if name == role_name else name, []).append(value)
    except (ValueError, binascii.Error, KeyError, TypeError, AttributeError, RecursionError):
        raise _unreadable() from None
    return claims


def _token_claims(document: Mapping[str, Any]) -> Claims:
    """The same shape; only texts and lists of texts can say who somebody is."""
    claims: dict[str, list[str]] = {}
    for name, value in document.items():
        values = value if isinstance(value, list) else [value]
        claims[name] = [one for one in values if isinstance(one, str)]
    return claims


def _guid(claims: Claims, names: tuple[str, ...]) -> str:
    try:
        return str(UUID(_first(claims, names)))
    except ValueError:
        raise _unreadable() from None


def _first(claims: Claims, names: tuple[str, ...]) -> str:
    for name in names:
        values = set(claims.get(name, ()))
        if len(values) > 1:
            raise refuse(
                401, "not-signed-in", f"The sign-in has two values of {name}.", "Sign out, then sign in again."
            )
        if values:
            return values.pop()
    return ""


def _unreadable() -> RequestRefused:
    return refuse(401, "not-signed-in", "The sign-in can't be read.", "Sign out, then sign in with a work account.")
