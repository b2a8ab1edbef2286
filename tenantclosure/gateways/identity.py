"""Tokens for the tenant we close: who signs in, with what, and what the token says of itself.

`federated`: a user-assigned managed identity's token is the assertion of the app registration (tenant-facts F).
`certificate`: the app registration's certificate. `static`: a ready JWT, only on loopback. A sign-in that fails is
always an error that names Microsoft's AADSTS code; it never looks like an empty tenant.
"""

from __future__ import annotations

import asyncio
import base64
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenantclosure.errors import ServiceTrouble, SettingsError, SignInRefused
from tenantclosure.gateways.http import parsed
from tenantclosure.model.inventory import TokenIdentity
from tenantclosure.settings import Settings

REFRESH_SECONDS = 300.0
"""A token is renewed this long before it ends, so that none ends on its way."""

MEANINGS = {
    90002: "the login endpoint does not know the tenant (deleted, mistyped or in another cloud)",
    700016: "our application is not in the tenant: consent is missing or its service principal was removed",
    7000229: "our service principal is missing in the tenant",
    7000112: "our application is disabled in the tenant",
    700027: "the certificate is not registered with the application",
    70021: "no federated credential matches the managed identity",
    700211: "no federated credential matches the issuer",
    700212: "no federated credential matches the audience",
    700213: "no federated credential matches the subject",
    7002137: "no federated credential matches the subject",
    7002138: "no federated credential matches the subject",
    7000222: "the certificate of our application has run out",
    53003: "a Conditional Access policy blocks our application",
}
"""What the AADSTS codes mean for us (tenant-facts B, F; 70021x and 700213x from reports of people who met them; the
rest from memory, unverified).
"""


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    expires: float


class Credentials:
    """Gives tokens as the settings say. Safe to share between threads and event loops."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._tokens: dict[tuple[str, str], _Token] = {}
        self._signers: dict[str, Any] = {}

    @property
    def static(self) -> bool:
        """Whether tokens are ready-made (rehearsal), so that they may lack claims real ones have."""
        return self._settings.credential == "static"

    @property
    def partner_tenant(self) -> str:
        """The partner's tenant id, whose tokens Partner Center takes. Raises SettingsError when none is configured."""
        if self.static:
            if not self._settings.partner_static_token:
                raise SettingsError("CLOSURE_PARTNER_STATIC_TOKEN is missing: Partner Center can't be called.")
            return identity_of(self._settings.partner_static_token, roles_unknown=True).tenant_id
        if not self._settings.partner_tenant_id:
            raise SettingsError("CLOSURE_PARTNER_TENANT_ID is missing: Partner Center can't be called.")
        return self._settings.partner_tenant_id

    async def token_for(self, tenant_id: str, scope: str) -> str:
        """A token of this tenant for this scope (`https://…/.default`), from the cache while it is good.

        Concurrent callers wait for one sign-in. Raises SignInRefused or ServiceTrouble.
        """
        token = self._cached(tenant_id, scope)
        if token is None:
            # azure-identity in a thread: its synchronous credentials need no session that an event loop has to close.
            token = await asyncio.to_thread(self._renew, tenant_id, scope)
        return token

    async def renewed(self, tenant_id: str, scope: str) -> str:
        """A token that the login endpoint gives now: an older one does not know what was granted since."""
        with self._lock:
            self._tokens.pop((tenant_id, scope), None)
            self._signers.pop(tenant_id, None)  # azure-identity has a cache of its own
        return await self.token_for(tenant_id, scope)

    async def vouching(self) -> Mapping[str, str]:
        """issuer, subject and audience under which the managed identity vouches for our application, as its federated
        credential must name them; empty with another credential. Raises SettingsError, ServiceTrouble.
        """
        if self._settings.credential != "federated":
            return {}
        claims = claims_of(await asyncio.to_thread(self._assertion))
        told = {"issuer": claims.get("iss"), "subject": claims.get("sub")}
        audience = self._settings.endpoint("audience")
        return {name: str(value) for name, value in told.items() if value} | {"audience": audience}

    def forget(self, tenant_id: str, scope: str, token: str) -> None:
        """Drop a token that a service refused; a newer one that somebody fetched meanwhile stays."""
        with self._lock:
            known = self._tokens.get((tenant_id, scope))
            if known is not None and known.value == token:
                del self._tokens[tenant_id, scope]
                # azure-identity keeps the refused token in its own cache, so the credential goes as well.
                self._signers.pop(tenant_id, None)

    def source(self, tenant_id: str, scope: str) -> TokenSource:
        """The tokens of one tenant and scope, as `gateways.http.Caller` takes them."""
        return TokenSource(self, tenant_id, scope)

    def _cached(self, tenant_id: str, scope: str) -> str | None:
        known = self._tokens.get((tenant_id, scope))
        return known.value if known is not None and known.expires - REFRESH_SECONDS > time.time() else None

    def _renew(self, tenant_id: str, scope: str) -> str:
        with self._lock:
            token = self._cached(tenant_id, scope)
            if token is None:
                fresh = self._static(tenant_id) if self.static else self._sign_in(tenant_id, scope)
                self._tokens[tenant_id, scope] = fresh
                token = fresh.value
            return token

    def _static(self, tenant_id: str) -> _Token:
        # By tenant, not by scope: a rehearsal may have every endpoint under one URL.
        settings = self._settings
        if settings.home_static_token and tenant_id == settings.home_tenant_id:
            name, value = "CLOSURE_HOME_STATIC_TOKEN", settings.home_static_token
        elif settings.partner_static_token and tenant_id == self.partner_tenant:
            name, value = "CLOSURE_PARTNER_STATIC_TOKEN", settings.partner_static_token
        else:
            name, value = "CLOSURE_STATIC_TOKEN", settings.static_token
        expires = claims_of(value).get("exp")
        if isinstance(expires, int | float) and expires <= time.time():
            raise ServiceTrouble(f"The static token has expired; set a new {name}.")
        return _Token(value, float("inf"))

    def _sign_in(self, tenant_id: str, scope: str) -> _Token:
        from azure.core.exceptions import AzureError

        try:
            signer = self._signers.get(tenant_id)
            if signer is None:
                signer = self._signers[tenant_id] = self._signer(tenant_id)
            token = signer.get_token(scope)
        except SettingsError:
            raise
        except (AzureError, ValueError, OSError) as error:
            # ValueError is how MSAL reports an authority it can't read; a dead tenant shows there first.
            raise _refusal(tenant_id, error) from error
        if not isinstance(token.token, str) or not re.fullmatch(r"[\x21-\x7e]+", token.token):
            raise ServiceTrouble(f"no token for tenant {tenant_id}: what came is none")
        return _Token(token.token, float(token.expires_on))

    def _signer(self, tenant_id: str) -> Any:
        from azure.identity import CertificateCredential, ClientAssertionCredential

        settings = self._settings
        common: dict[str, Any] = {
            "authority": settings.endpoint("login"),
            "disable_instance_discovery": settings.rehearsal,
            **self._transport(),
        }
        if settings.credential == "certificate":
            return CertificateCredential(
                tenant_id, settings.client_id, certificate_path=str(settings.certificate_file), **common
            )
        common.pop("disable_instance_discovery")  # this credential never asks for it
        return ClientAssertionCredential(tenant_id, settings.client_id, func=self._assertion, **common)

    def _assertion(self) -> str:
        """The managed identity's token for the exchange. Raises SettingsError where it is not the one of the settings:
        it must live in the tenant that we take for the hosting one, or that would not be the tenant that is spared.
        """
        from azure.core.exceptions import AzureError, ClientAuthenticationError
        from azure.identity import ManagedIdentityCredential

        settings = self._settings
        identity = ManagedIdentityCredential(client_id=settings.identity_client_id or None, **self._transport())
        try:
            token = identity.get_token(settings.endpoint("audience") + "/.default").token
        except ClientAuthenticationError as error:  # no such identity here; CredentialUnavailableError is one of these
            raise SettingsError(
                "CLOSURE_IDENTITY_CLIENT_ID names no managed identity of this host: assign the user-assigned identity "
                "to it, or correct the setting."
            ) from error
        except (AzureError, ValueError, OSError) as error:
            raise ServiceTrouble(f"no token of the managed identity: {type(error).__name__}") from error
        home = str(claims_of(token).get("tid", "")).lower()
        if settings.home_tenant_id and home != settings.home_tenant_id:
            raise SettingsError(
                f"CLOSURE_HOME_TENANT_ID is not the tenant of the managed identity: set it to {home or 'its tenant'}."
            )
        return str(token)

    def _transport(self) -> dict[str, Any]:
        from azure.core.pipeline.transport import RequestsTransport

        verify = True if self._settings.ca_file is None else str(self._settings.ca_file)
        return {
            "transport": RequestsTransport(
                connection_timeout=10, connection_verify=verify, use_env_settings=not self._settings.rehearsal
            ),
            "retry_total": 0,  # one retry layer, and it is not here
        }


@dataclass(frozen=True, slots=True)
class TokenSource:
    """Tokens of one tenant for one scope."""

    credentials: Credentials
    tenant_id: str
    scope: str

    async def get(self) -> str:
        """A token that is valid now. Raises SignInRefused or ServiceTrouble."""
        return await self.credentials.token_for(self.tenant_id, self.scope)

    def forget(self, token: str) -> None:
        """Never hand out this token again."""
        self.credentials.forget(self.tenant_id, self.scope, token)

    async def identity(self) -> TokenIdentity:
        """What the current token says of itself."""
        return identity_of(await self.get(), roles_unknown=self.credentials.static)


def claims_of(token: str) -> Mapping[str, Any]:
    """A JWT's payload, unverified: Microsoft checks the token, we only read our own. Raises ServiceTrouble."""
    try:
        payload = token.split(".")[1]
        claims = parsed(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError) as error:
        raise ServiceTrouble("the access token is not a readable JWT") from error
    if not isinstance(claims, dict):
        raise ServiceTrouble("the access token is not a readable JWT")
    return claims


def identity_of(token: str, *, roles_unknown: bool = False) -> TokenIdentity:
    """Tenant, application, object and permissions in a token (claims tid, appid or azp, oid, roles).

    A token without roles has no permission; only with `roles_unknown` (a rehearsal's static token) it is None.
    """
    claims = claims_of(token)
    if not claims.get("tid"):
        raise ServiceTrouble("the access token names no tenant (tid)")
    roles = claims.get("roles")
    app_id = claims.get("appid") or claims.get("azp")
    return TokenIdentity(
        tenant_id=str(claims["tid"]).lower(),
        app_id=str(app_id).lower() if app_id else None,
        object_id=str(claims["oid"]) if claims.get("oid") else None,
        roles=frozenset(map(str, roles)) if isinstance(roles, list) else None if roles_unknown else frozenset(),
    )


def _refusal(tenant_id: str, error: Exception) -> ServiceTrouble:
    # MSAL hides Microsoft's answer about a dead tenant behind two errors of its own, so the whole chain is read.
    chain: list[BaseException] = [error]
    while (deeper := chain[-1].__cause__ or chain[-1].__context__) is not None and deeper not in chain:
        chain.append(deeper)
    text = " ".join(map(str, chain))
    found = re.search(r"AADSTS(\d+)", text)
    code = int(found[1]) if found else 90002 if "invalid_tenant" in text else None
    if code is not None:
        # The number is all we take: Microsoft's text may quote names, and nobody should depend on its words.
        return SignInRefused(tenant_id, code, f"AADSTS{code}, {MEANINGS.get(code, 'see the list of AADSTS codes')}")
    return ServiceTrouble(f"no token for tenant {tenant_id}: {type(error).__name__}")
