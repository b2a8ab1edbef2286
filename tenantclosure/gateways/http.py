"""One HTTP client for every gateway, and the authenticated call that turns failures into our errors.

Nothing here retries: waiting is the orchestrator's business (one retry layer). Tokens and bodies never reach a log line
or an error text; errors name the method, the path without its query, the status and Microsoft's own error code.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
import ssl
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import httpx

from tenantclosure.errors import ServiceTrouble, Throttled
from tenantclosure.model.tally import tally
from tenantclosure.settings import Settings

CONNECT_SECONDS = 10.0
"""A host that does not take a connection by then is down."""
READ_SECONDS = 100.0
"""Graph gives up on a request after about that long, so a silence beyond it is a lost answer."""
WRITE_SECONDS = 30.0
POOL_SECONDS = 60.0
MAX_CONNECTIONS = 64
"""Above the lanes of one worker (at most 32), so that a lane never waits for another's connection."""
KEEPALIVE_SECONDS = 4.0
"""Shorter than any server's idle limit we know: a connection closed under a write looks like a lost answer."""
DEFAULT_RETRY_AFTER = 5.0
"""Seconds to wait after a 429 that does not say how long (tenant-facts D: some limits send no Retry-After)."""
LONGEST_RETRY_AFTER = 86_400.0
"""Seconds: whoever says more is asked again after a day all the same, and no timer runs over."""
LARGEST = 2**53 - 1
"""Larger numbers are not the same everywhere (RFC 7493), and records can't hold them."""
HALF = re.compile(rb"\\u[dD][89a-fA-F]")
"""An escape that may be half a character (a lone surrogate)."""

for _name in ("httpx", "httpcore"):
    # httpx writes every URL at INFO, with its query; the Teams webhook's query is a secret.
    logging.getLogger(_name).setLevel(logging.WARNING)


class TokenGiver(Protocol):
    """Whoever hands out the bearer token of one audience; `gateways.identity.TokenSource` in production."""

    async def get(self) -> str:
        """A token that is valid now. Raises ServiceTrouble."""
        ...

    def forget(self, token: str) -> None:
        """Never hand out this token again; the service refused it."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer below 500 other than 429: status, headers (case-insensitive), parsed JSON or None."""

    status: int
    headers: httpx.Headers
    body: Any

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


def retry_after(headers: Mapping[str, str] | httpx.Headers) -> float | None:
    """Seconds in a Retry-After header, decimals allowed ("2.128", tenant-facts C6); None without a usable number."""
    seconds = _number(headers, "retry-after")
    return None if seconds is None else min(seconds, LONGEST_RETRY_AFTER)


def throttle_share(headers: Mapping[str, str] | httpx.Headers) -> float | None:
    """The part of our quota that is used, as Graph says above 0.8 (tenant-facts D); None where it does not."""
    return _number(headers, "x-ms-throttle-limit-percentage")


def _number(headers: Mapping[str, str] | httpx.Headers, sought: str) -> float | None:
    for name, value in headers.items():
        if name.lower() == sought:
            try:
                found = float(value)
            except (TypeError, ValueError):
                return None
            return found if math.isfinite(found) and found >= 0 else None
    return None


def segment(value: str) -> str:
    """An id as one path segment."""
    return quote(value, safe="")


def tls(settings: Settings) -> ssl.SSLContext:
    """What we trust: the public authorities, and `CLOSURE_CA_FILE` where one is set."""
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        context.load_verify_locations(str(settings.ca_file))
    return context


async def _stamp(request: httpx.Request) -> None:
    # Microsoft's support asks for this id; it also pairs our records with theirs when an answer got lost.
    request.headers.setdefault("client-request-id", str(uuid.uuid4()))
    tally("requests")


def new_client(settings: Settings, context: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """A client with our limits, time-outs and trust. It follows no redirect, so a token stays with its host."""
    return httpx.AsyncClient(
        verify=context or tls(settings),
        timeout=httpx.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS, write=WRITE_SECONDS, pool=POOL_SECONDS),
        limits=httpx.Limits(
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_CONNECTIONS,
            keepalive_expiry=KEEPALIVE_SECONDS,
        ),
        event_hooks={"request": [_stamp]},
        follow_redirects=False,
        # A proxy from the environment must not see loopback traffic.
        trust_env=not settings.rehearsal,
    )


class Connections:
    """Hands out one client per event loop, because pooled sockets belong to the loop that opened them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context: ssl.SSLContext | None = None
        self._clients: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}
        self._lock = threading.Lock()

    def client(self) -> httpx.AsyncClient:
        """The running loop's client; made on first use."""
        loop = asyncio.get_running_loop()
        with self._lock:
            client = self._clients.get(loop)
            if client is None or client.is_closed:
                self._context = self._context or tls(self._settings)
                self._clients = {known: c for known, c in self._clients.items() if not known.is_closed()}
                client = self._clients[loop] = new_client(self._settings, self._context)
            return client

    async def close(self) -> None:
        """Close the running loop's client; the next call opens a new one."""
        with self._lock:
            client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()


@cache
def connections(settings: Settings) -> Connections:
    """The process's connections for these settings, shared by all gateways."""
    return Connections(settings)


class Caller:
    """Sends authenticated requests with JSON bodies."""

    def __init__(self, connections: Connections, tokens: TokenGiver) -> None:
        self._connections, self._tokens = connections, tokens

    async def call(self, method: str, url: str, *, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """One request; a 401 is tried once more with a fresh token.

        Returns every answer below 500 but 429; the caller judges 4xx. Raises Throttled (429, or 503 that says how
        long) and ServiceTrouble (5xx, redirect, connection lost, time-out, unreadable JSON in a 2xx).
        """
        token = await self._tokens.get()
        reply = await self._once(method, url, body, headers, token)
        if reply.status == 401:
            self._tokens.forget(token)
            reply = await self._once(method, url, body, headers, await self._tokens.get())
        return reply

    async def _once(self, method: str, url: str, body: Any, headers: Mapping[str, str] | None, token: str) -> Reply:
        what = f"{method} {urlsplit(url).path}"
        try:
            response = await self._connections.client().request(
                method, url, json=body, headers={**(headers or {}), "Authorization": f"Bearer {token}"}
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # InvalidURL is no HTTPError in httpx; it would come from a broken link in an answer.
            raise no_answer(what, error) from error
        return read(response, what)


def no_answer(what: str, error: Exception) -> ServiceTrouble:
    """The error for a call that brought no answer: connection refused, reset, timed out."""
    return ServiceTrouble(f"{what}: no answer ({type(error).__name__})")


def read(response: httpx.Response, what: str) -> Reply:
    """Judge one raw answer as `Caller.call` documents; `what` names the call in errors."""
    status = response.status_code
    wait = retry_after(response.headers)
    if status == 429 or (status == 503 and wait is not None):
        raise Throttled(f"{what}: HTTP {status}, throttled", DEFAULT_RETRY_AFTER if wait is None else wait)
    if status >= 500 or 300 <= status < 400:
        raise ServiceTrouble(f"{what}: HTTP {status}")
    body: Any = None
    if response.content:
        try:
            body = parsed(response.content)
        except ValueError as error:
            if status < 300:
                raise ServiceTrouble(f"{what}: HTTP {status} with an unreadable body") from error
    return Reply(status, response.headers, body)


def parsed(data: bytes) -> Any:
    """JSON that has one meaning and can be kept (RFC 7493): no member twice, finite numbers of a common size.

    Half a character, as where somebody cut a name inside an emoji, becomes U+FFFD. Raises ValueError.
    """
    # Graph's $count and Partner Center write a byte order mark (from memory, unverified); harmless to allow.
    text = data.decode("utf-8-sig")
    try:
        found = json.loads(
            text, object_pairs_hook=_once_each, parse_int=_integer, parse_float=_float, parse_constant=_float
        )
        if HALF.search(data):
            halves = json.dumps(found, ensure_ascii=False).encode("utf-8", "surrogatepass")
            found = json.loads(halves.decode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return found


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a member stands twice")  # the second might hide rows that the first one has
    return found


def _integer(text: str) -> int:
    number = int(text)
    if abs(number) > LARGEST:
        raise ValueError("a number that is too large")
    return number


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number that is none")
    return number
