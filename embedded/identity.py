"""Who asks, on loopback: turns X-Dev-Principal or a sign-in into App Service's principal headers, and lets no other in.

In Azure the platform strips and writes ``X-MS-CLIENT-PRINCIPAL*``; locally this file is the platform. Nothing else in
the product knows ``X-Dev-Principal``, e.g. ``ann@fabrikam.com;roles=Operator,Approver;oid=GUID;tid=GUID``.
"""

import base64
import json
import os
import re
import uuid
from collections.abc import Iterable

DEV_HEADER = "x-dev-principal"
DEV_TENANT = "d0000000-0000-4000-8000-000000000001"  # when CLOSURE_HOME_TENANT_ID is not set
FORWARDED = "x-forwarded-for"
RESERVED = ("x-ms-client-principal", "x-ms-token-aad", DEV_HEADER)
NAME = re.compile(r"[^;@\s]+@[^;@\s]+")
NAME_CLAIM = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"


class BadPrincipalError(ValueError):
    """X-Dev-Principal is malformed; the message says how."""


def parse(text: str) -> dict[str, str | list[str]]:
    """The header's parts: name, roles, oid, tid."""
    name, *pairs = (part.strip() for part in text.split(";"))
    if not NAME.fullmatch(name):
        raise BadPrincipalError("It must begin with a user name such as ann@fabrikam.com.")
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = (part.strip() for part in pair.partition("="))
        if key not in ("roles", "oid", "tid") or not equals or not value or key in found:
            raise BadPrincipalError("After the name only roles=..., oid=... and tid=... may follow, each once.")
        found[key] = value
    home = os.environ.get("CLOSURE_HOME_TENANT_ID") or DEV_TENANT
    tenant = guid("tid", found["tid"]) if "tid" in found else guid("CLOSURE_HOME_TENANT_ID", home)
    return {
        "name": name,
        "tid": tenant,
        "oid": guid("oid", found["oid"]) if "oid" in found else object_id(tenant, name),
        "roles": [role.strip() for role in found.get("roles", "").split(",") if role.strip()],
    }


def guid(name: str, text: str) -> str:
    """The GUID in its usual form."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise BadPrincipalError(f"{name} must be a GUID.") from None


def object_id(tenant: str, name: str) -> str:
    """The same person gets the same object id every time, and another one in another tenant."""
    return str(uuid.uuid5(uuid.UUID(tenant), name.lower()))


def principal_headers(text: str) -> dict[str, str]:
    """The headers App Service would send for this person."""
    person = parse(text)
    name, oid = str(person["name"]), str(person["oid"])
    claims = [
        ("tid", person["tid"]),
        ("oid", oid),
        ("preferred_username", name),
        ("name", name),
        *(("roles", role) for role in person["roles"]),
    ]
    document = {
        "auth_typ": "aad",
        "name_typ": NAME_CLAIM,
        "role_typ": "roles",
        "claims": [{"typ": kind, "val": value} for kind, value in claims],
    }
    return {
        "x-ms-client-principal": base64.b64encode(json.dumps(document).encode()).decode(),
        "x-ms-client-principal-id": oid,
        "x-ms-client-principal-name": name,
        "x-ms-client-principal-idp": "aad",
    }


def signed_in(
    headers: Iterable[tuple[str, str]], session: str | None = None, peer: str | None = None
) -> dict[str, str]:
    """The request's headers as the app may see them: forged ones gone, the developer signed in.

    `peer` is the address that the request came from; it goes to the end of X-Forwarded-For, as with App Service.
    `session` is whom the sign-in page's cookie names; X-Dev-Principal wins over it. Anything else, a bearer token
    above all, reaches the app as it came.
    """
    given: dict[str, str] = {}
    kept: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        bag = given if lower.startswith(RESERVED) else kept
        bag[lower] = f"{bag[lower]}, {value}" if lower in bag else value
    if peer:
        said = kept.get(FORWARDED, "")
        kept[FORWARDED] = f"{said}, {peer}" if said else peer
    if (text := given.get(DEV_HEADER, session)) is not None:
        kept |= principal_headers(text)
    return kept


def allowed_origins(port: int) -> frozenset[str]:
    """The two names of this host."""
    return frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})


def is_own(host: str, origin: str | None, port: int) -> bool:
    """Whether a request names this host, so that neither a page elsewhere nor a rebound DNS name can reach the app."""
    own = allowed_origins(port)
    return host.lower() in own and (origin is None or origin.lower() in {f"http://{name}" for name in own})
