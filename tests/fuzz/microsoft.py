"""A server that answers as the test says, one answer after the other, and the gateways before it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from simulator.tls import make
from tenantclosure.errors import ClosureError
from tenantclosure.gateways.graph import GraphDirectory
from tenantclosure.gateways.http import connections
from tenantclosure.gateways.identity import Credentials
from tenantclosure.settings import Settings
from tests.fuzz.rig import encoded
from tests.gateways.microsoft.conftest import StillClock, jwt, settings_for

TENANT = "0b0a0000-1111-4222-8333-444455556666"
HOME = "d0000000-0000-4000-8000-00000000000a"
SECRET = jwt(tid=TENANT)
"""The token that every call carries and no error may name."""


@dataclass(frozen=True)
class Said:
    """One answer: what stands in the body, the status and the headers."""

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def of(value: Any, status: int = 200, **headers: str) -> Said:
        """A JSON answer."""
        return Said(encoded(value), status, tuple(headers.items()))


@dataclass
class Bench:
    """One loop, one server, one client: an example costs a request or two."""

    runner: asyncio.Runner
    settings: Settings
    signing_in: Settings
    """The same with a certificate instead of ready-made tokens."""
    answer: Callable[[web.Request, bytes], Said] = lambda request, body: Said(status=501)
    seen: list[str] = field(default_factory=list)
    clock: StillClock = field(default_factory=StillClock)

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Await it."""
        return self.runner.run(work)

    def always(self, said: Said) -> None:
        """Give every request this answer."""
        self.script(lambda request, body: said)

    def script(self, answer: Callable[[web.Request, bytes], Said]) -> None:
        """Answer from now on as the function says."""
        self.answer = answer
        self.seen.clear()

    @property
    def credentials(self) -> Credentials:
        """Ready-made tokens."""
        return Credentials(self.settings)

    def graph(self) -> GraphDirectory:
        """The Graph gateway."""
        return GraphDirectory(self.settings, self.credentials, TENANT, self.clock)

    def outcome[T](self, work: Coroutine[Any, Any, T], *declared: type[ClosureError]) -> T | ClosureError:
        """What it returns, or the declared error it raises, which must not name the token."""
        try:
            return self.run(work)
        except declared as error:
            assert SECRET not in str(error)
            return error


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """A server on loopback, with and without TLS, and a client that stays connected to it."""
    certificates = make(folder)
    with asyncio.Runner() as runner:
        made: list[Bench] = []

        async def handle(request: web.Request) -> web.Response:
            here = made[0]
            here.seen.append(f"{request.method} {request.path}")
            said = here.answer(request, await request.read())
            headers = {"Content-Type": "application/json", **dict(said.headers)}
            response = web.Response(body=said.body, status=said.status, headers=headers)
            if request.secure:  # the sign-in makes a new connection each time, and never closes it
                response.force_close()
            return response

        async def start() -> web.AppRunner:
            app = web.Application(client_max_size=2**24)
            app.router.add_route("*", "/{tail:.*}", handle)
            served = web.AppRunner(app, access_log=None, shutdown_timeout=1)
            await served.setup()
            for tls in (None, certificates.server_context):
                await web.TCPSite(served, "127.0.0.1", 0, ssl_context=tls).start()
            return served

        served = runner.run(start())
        (_, plain), (_, secure) = served.addresses
        settings = settings_for(
            f"http://127.0.0.1:{plain}",
            CLOSURE_CA_FILE=certificates.ca_file,
            CLOSURE_STATIC_TOKEN=SECRET,
            CLOSURE_HOME_TENANT_ID=HOME,
            CLOSURE_HOME_STATIC_TOKEN=jwt(tid=HOME),
            CLOSURE_CLIENT_ID="a0000000-0000-4000-8000-00000000000b",
        )
        with_certificate = {
            "login_url": f"https://127.0.0.1:{secure}",
            "credential": "certificate",
            "certificate_file": certificates.client_file,
        }
        made.append(Bench(runner, settings, settings.model_copy(update=with_certificate)))
        yield made[0]
        runner.run(connections(settings).close())
        runner.run(served.cleanup())
