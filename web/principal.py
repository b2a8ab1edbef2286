"""Who is asking: the person App Service authentication signed in, and whether the roles suffice.

Only the header `X-MS-CLIENT-PRINCIPAL` counts, and only where App Service authentication is known to be on: it strips
that header from outside, so its presence then proves a sign-in. Anywhere else anybody could write it.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tenantclosure.model.people import Person
from web.problems import refuse
from web.roles import Role

HEADER = "X-MS-CLIENT-PRINCIPAL"

# App Service hands on either the token's own claim names or the long ones WS-Federation gave them.
TENANT = ("tid", "http://schemas.microsoft.com/identity/claims/tenantid")
OBJECT = ("oid", "http://schemas.microsoft.com/identity/claims/objectidentifier")
UPN = ("upn", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "preferred_username")
NAME = ("name",)
ROLES = ("roles", "role", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")


def person_of(headers: Mapping[str, str], *, authentication_on: bool) -> Person:
    """The signed-in person. Raises RequestRefused (401)."""
    raw = headers.get(HEADER) or headers.get(HEADER.lower())
    if not authentication_on or not raw:
        raise refuse(
            401,
            "not-signed-in",
            "Nobody is signed in.",
            "Sign in with an account that has a role in this application.",
        )
    try:
        claims = _claims(json.loads(base64.b64decode(raw, validate=True)))
        tenant, oid = str(UUID(_first(claims, TENANT))), str(UUID(_first(claims, OBJECT)))
    except (ValueError, binascii.Error, KeyError, TypeError, AttributeError, RecursionError):
        raise refuse(
            401, "not-signed-in", "The sign-in can't be read.", "Sign out, then sign in with a work account."
        ) from None
    upn = _first(claims, UPN).strip().lower()
    if "@" not in upn:
        raise refuse(
            401,
            "not-a-person",
            "The sign-in names no person.",
            "Sign in as a person: an application can't file, approve or steer a closure.",
        )
    roles = frozenset(value for name in ROLES for value in claims.get(name, ()))
    return Person(tenant, oid, upn, _first(claims, NAME), roles)


def require(person: Person, roles: frozenset[Role]) -> None:
    """Raise RequestRefused (403) unless the person holds one of the roles."""
    if person.roles.isdisjoint(roles):
        wanted = " or ".join(sorted(roles))
        raise refuse(
            403,
            "role-missing",
            f"This needs the role {wanted}.",
            f"Ask your administrator to assign {wanted} to {person.upn} in the enterprise application.",
            rolesNeeded=sorted(roles),
        )


def _claims(document: Any) -> dict[str, list[str]]:
    claims: dict[str, list[str]] = {}
    role_name = str(document.get("role_typ") or "")
    for claim in document["claims"]:
        name, value = str(claim["typ"]), str(claim["val"])
        claims.setdefault("roles" if name == role_name else name, []).append(value)
    return claims


def _first(claims: Mapping[str, list[str]], names: tuple[str, ...]) -> str:
    for name in names:
        values = set(claims.get(name, ()))
        if len(values) > 1:
            raise refuse(
                401, "not-signed-in", f"The sign-in has two values of {name}.", "Sign out, then sign in again."
            )
        if values:
            return values.pop()
    return ""
