"""Fixtures for the gateways to Microsoft: a scripted server for faults, and credentials and clocks that fit."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from tenantclosure.gateways.graph import GraphDirectory
from tenantclosure.gateways.http import connections
from tenantclosure.gateways.identity import Credentials
from tenantclosure.settings import Settings

from .simulated import Simulated, simulator

TENANT = "0b0a0000-1111-4222-8333-444455556666"


def jwt(**claims: Any) -> str:
    """An unsigned token with these claims."""
    parts = [{"alg": "none"}, claims]
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts) + "."


class StillClock:
    """A clock that waits in no time and remembers for how long."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2027, 1, 1, tzinfo=UTC)

    def days(self, days: float) -> float:
        return days * 86400

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


@dataclass
class Seen:
    """One request as the server saw it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any


Script = Callable[[Seen], Any]


@dataclass
class ScriptedServer:
    """Answers every request with what `script` returns: a JSON value, a (status, value, headers) or a web.Response."""

    script: Script = lambda seen: (501, None)
    seen: list[Seen] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        seen = Seen(
            request.method,
            request.path,
            request.raw_path.partition("?")[2],
            {k.lower(): v for k, v in request.headers.items()},
            json.loads(text) if text else None,
        )
        self.seen.append(seen)
        said = self.script(seen)
        if isinstance(said, Awaitable):
            said = await said
        if said is None:
            request.transport.abort()  # the connection breaks without an answer
            return web.Response()
        if isinstance(said, web.StreamResponse):
            return said
        status, value, *more = said if isinstance(said, tuple) else (200, said)
        headers = more[0] if more else {}
        return (
            web.json_response(value, status=status, headers=headers)
            if value is not None
            else web.Response(status=status, headers=headers)
        )


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server on loopback that answers as the test says."""
    scripted = ScriptedServer()
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{tail:.*}", scripted.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    scripted.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield scripted
    await runner.cleanup()


def settings_for(url: str, **values: Any) -> Settings:
    """Rehearsal settings with every endpoint at one server and static tokens."""
    base = {
        "CLOSURE_CLOUD": "custom",
        **{f"CLOSURE_{name}_URL": url for name in ("GRAPH", "LOGIN", "ARM")},
        "CLOSURE_PARTNER_URL": url + "/partner",
        "CLOSURE_CREDENTIAL": "static",
        "CLOSURE_STATIC_TOKEN": jwt(tid=TENANT),
        "CLOSURE_PARTNER_STATIC_TOKEN": jwt(tid="partner"),
        "CLOSURE_BILLING_ACCOUNTS": "A:b_2019-05-31",
    }
    return Settings.model_validate({**base, **values})


@pytest_asyncio.fixture
async def settings(server: ScriptedServer) -> AsyncIterator[Settings]:
    """Settings that lead to the scripted server; its connections are closed afterwards."""
    made = settings_for(server.url)
    yield made
    await connections(made).close()


@pytest.fixture(scope="session")
def home() -> Iterator[Simulated]:
    """A small simulator for the tests that only need its hosting tenant, mailboxes and sign-in."""
    with simulator("--users", "3", "--quota", "off", "--lag-ms", "0") as running:
        yield running


@pytest.fixture
def clock() -> StillClock:
    """A clock that does not wait."""
    return StillClock()


@pytest.fixture
def graph(settings: Settings, clock: StillClock) -> GraphDirectory:
    """The Graph gateway before the scripted server."""
    return GraphDirectory(settings, Credentials(settings), TENANT, clock)
