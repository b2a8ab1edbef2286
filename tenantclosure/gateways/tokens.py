"""`ports.Tokens`: reads the Entra access tokens that callers bring, for our application and of the hosting tenant.

Only RS256 with a key of the login endpoint counts; what the token itself says about its algorithm or keys counts for
nothing. Keys are kept for a day and asked for again when a token names an unknown one, at most once a minute, so that
made-up tokens can't make us hammer Microsoft. While keys can't be read no token is good.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import jwt

from tenantclosure.errors import ServiceTrouble, TokenRefused
from tenantclosure.gateways.answers import trouble
from tenantclosure.gateways.http import connections, no_answer, read
from tenantclosure.settings import Settings

MOST_BYTES = 16_384
"""Entra's tokens have a few kilobytes; headers of this size reach no server anyway."""
KEYS_SECONDS = 86_400.0
REFETCH_SECONDS = 60.0
LEEWAY_SECONDS = 60.0
ALGORITHM = "RS256"
REQUIRED = ("iss", "aud", "exp", "nbf", "tid")
ISSUERS = {"china": ("https://login.partner.microsoftonline.cn/{}/v2.0", "https://sts.chinacloudapi.cn/{}/")}
"""Issuers of v2.0 and v1.0 tokens where they are not the login endpoint and sts.windows.net (US Government has the
latter too). China's v2.0 issuer as MSAL's built-in metadata has it."""


class EntraTokens:
    """Tokens of the hosting tenant for `CLOSURE_CLIENT_ID`. Safe to share between event loops.

    `EntraTokens(settings)`; `clock` gives monotonic seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        login, home = settings.endpoint("login"), settings.home_tenant_id
        self._home = home
        self._keys_url = f"{login}/{home}/discovery/v2.0/keys"
        forms = ISSUERS.get(settings.cloud, (f"{login}/{{}}/v2.0", "https://sts.windows.net/{}/"))
        self._issuers = [form.format(home) for form in forms]
        self._audiences = [settings.client_id, f"api://{settings.client_id}"]
        self._connections = connections(settings)
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at = self._asked_at = float("-inf")
        self._fetches: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}

    async def claims(self, token: str) -> Mapping[str, Any]:
        """Claims of a token whose signature, issuer, audience, tenant and dates hold (60 s of leeway).

        Raises TokenRefused (a token that is not valid yet counts as `expired`), or ServiceTrouble when the signing keys
        can't be read.
        """
        key = await self._key(_key_id(token))
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audiences,
                issuer=self._issuers,
                leeway=LEEWAY_SECONDS,
                options={"require": list(REQUIRED)},
            )
        except jwt.PyJWTError as error:
            # No cause: it may quote the token.
            raise TokenRefused(_reason(error)) from None
        if str(claims["tid"]).lower() != self._home:
            raise TokenRefused("tenant")
        return claims

    async def _key(self, key_id: str) -> jwt.PyJWK:
        if self._wants_refresh(key_id):
            await self._refresh()
        key = self._keys.get(key_id)
        if key is None:
            raise TokenRefused("signature")
        return key

    def _wants_refresh(self, key_id: str) -> bool:
        now = self._clock()
        if now - self._read_at >= KEYS_SECONDS:
            return True
        return key_id not in self._keys and (bool(self._running()) or now - self._asked_at >= REFETCH_SECONDS)

    def _running(self) -> asyncio.Task[None] | None:
        task = self._fetches.get(asyncio.get_running_loop())
        return None if task is None or task.done() else task

    async def _refresh(self) -> None:
        """Read the keys; callers that come meanwhile wait for the same answer."""
        task = self._running()
        if task is None:
            loop = asyncio.get_running_loop()
            self._fetches = {known: t for known, t in self._fetches.items() if not known.is_closed()}
            task = self._fetches[loop] = asyncio.create_task(self._fetch())
        # A caller who gives up must not take the others' answer along.
        await asyncio.shield(task)

    async def _fetch(self) -> None:
        self._asked_at = self._clock()
        what = "reading Entra's signing keys"
        try:
            reply = read(await self._connections.client().get(self._keys_url), what)
        except httpx.HTTPError as error:
            raise no_answer(what, error) from error
        rows = reply.body.get("keys") if reply.ok and isinstance(reply.body, dict) else None
        if not isinstance(rows, list):
            raise trouble(what, reply)
        found = dict(filter(None, map(_signing_key, rows)))
        if not found:
            raise ServiceTrouble(f"{what}: there are none")
        self._keys, self._read_at = found, self._clock()


def _key_id(token: str) -> str:
    """The key that the token names. Raises TokenRefused."""
    if len(token) > MOST_BYTES or not token.isascii():
        raise TokenRefused("malformed")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise TokenRefused("malformed") from None
    if header.get("alg") != ALGORITHM or not isinstance(header.get("kid"), str):
        raise TokenRefused("signature")
    return str(header["kid"])


def _signing_key(row: Any) -> tuple[str, jwt.PyJWK] | None:
    """An RSA signing key with its id; None for whatever else stands in the set."""
    if not isinstance(row, dict) or row.get("kty") != "RSA" or row.get("use", "sig") != "sig":
        return None
    key_id = row.get("kid")
    try:
        return (key_id, jwt.PyJWK(row, algorithm=ALGORITHM)) if isinstance(key_id, str) else None
    except jwt.PyJWTError:
        return None


def _reason(error: jwt.PyJWTError) -> str:
    match error:
        case jwt.ExpiredSignatureError() | jwt.ImmatureSignatureError():
            return "expired"
        case jwt.InvalidSignatureError() | jwt.InvalidAlgorithmError():
            return "signature"
        case jwt.InvalidAudienceError():
            return "audience"
        case jwt.InvalidIssuerError():
            return "issuer"
        case jwt.MissingRequiredClaimError(claim=str(claim)):
            return {"aud": "audience", "iss": "issuer", "tid": "tenant"}.get(claim, "expired")
        case _:
            return "malformed"
