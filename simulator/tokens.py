"""Issues the simulator's tokens and reads the ones that callers bring.

Our tokens are RS256 JWTs whose signature is checked. Documented leniency for ``static`` credentials: a JWT signed by
somebody else, or not at all, is believed when its ``tid`` is a tenant here; a missing ``appid`` means the closure app,
missing ``roles`` mean what the app's service principal was granted.
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt

from simulator.tls import rsa_key
from simulator.world import GraphError

if TYPE_CHECKING:
    from simulator.entities import ServicePrincipal, User
    from simulator.world import Tenant, World

KEY_ID = "simulator-key-1"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a token speaks for."""

    tenant_id: str
    app_id: str
    object_id: str
    roles: frozenset[str]


def _refused(message: str) -> GraphError:
    return GraphError(
        401,
        "InvalidAuthenticationToken",
        message,
        {"WWW-Authenticate": 'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common"'},
    )


def _number(value: int) -> str:
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8)).rstrip(b"=").decode()


class TokenOffice:
    """Signs tokens, and remembers the ones it has already read."""

    def __init__(self) -> None:
        self._key = rsa_key("tokens")
        self.public_key = self._key.public_key()
        self._read: dict[str, dict[str, Any]] = {}

    def keys(self) -> dict[str, Any]:
        """Return the JSON web key set."""
        numbers = self.public_key.public_numbers()
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": _number(numbers.n)}
        return {"keys": [{**key, "e": _number(numbers.e)}]}

    def sign(self, claims: dict[str, Any], seconds: float) -> str:
        """Sign claims as a token that lives for so many seconds."""
        now = int(time.time())
        times = {"iat": now, "nbf": now, "exp": now + int(seconds)}
        return jwt.encode({**times, **claims}, self._key, algorithm="RS256", headers={"kid": KEY_ID})

    def app_token(
        self, world: World, tenant: Tenant, sp: ServicePrincipal, audience: str, seconds: float, roles: Any = None
    ) -> str:
        """Issue an app-only access token for a service principal in a tenant."""
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{tenant.id}/",
            "tid": tenant.id,
            "appid": sp.appId,
            "app_displayname": sp.displayName,
            "idtyp": "app",
            "oid": sp.id,
            "sub": sp.id,
            "roles": sorted(sp.permissions if roles is None else roles),
            "ver": "1.0",
        }
        return self.sign(claims, seconds)

    def user_token(
        self, world: World, tenant: Tenant, user: User, audience: str, seconds: float, roles: Any, app_id: str
    ) -> str:
        """Issue a v2.0 access token for a person who signed in to an app, with the app roles they have there."""
        claims = {
            "aud": audience,
            "iss": world.issuer(tenant),
            "tid": tenant.id,
            "azp": app_id,
            "azpacr": "1",
            "name": user.displayName,
            "oid": user.id,
            "preferred_username": user.userPrincipalName,
            "roles": sorted(roles),
            "scp": "user_impersonation",
            "sub": user.id,
            "ver": "2.0",
        }
        return self.sign(claims, seconds)

    def caller(self, world: World, authorization: str) -> Caller:
        """Read an Authorization header; GraphError 401 when it is no good (tenant-facts C6)."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _refused("Access token is empty.")
        claims = self._read.get(token)
        if claims is None:
            claims = self._read[token] = self._claims(token)
        if claims.get("exp") is not None and float(claims["exp"]) <= time.time():
            raise _refused("Lifetime validation failed, the token is expired.")
        tenant = world.tenants.get(str(claims.get("tid", "")).lower())
        if tenant is None or tenant.gone:
            raise _refused("Invalid tenant: the token's tenant does not exist.")
        app_id = str(claims.get("appid") or claims.get("azp") or world.client_id).lower()
        sp = tenant.directory.sp_by_app_id(app_id)
        if sp is None or not sp.accountEnabled:
            raise _refused("The identity of the calling application could not be established.")
        roles = claims.get("roles")
        return Caller(tenant.id, app_id, sp.id, sp.permissions if roles is None else frozenset(roles))

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            if jwt.get_unverified_header(token).get("kid") == KEY_ID:
                return jwt.decode(
                    token, self.public_key, algorithms=["RS256"], options={"verify_aud": False, "verify_exp": False}
                )
            return jwt.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError as error:
            raise _refused(f"CompactToken parsing failed: {error}") from error
