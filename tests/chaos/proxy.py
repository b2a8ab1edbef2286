"""A TCP proxy that spoils what passes: whole connections, or chosen requests and their answers.

It runs on a thread of its own, so that the closure it troubles may be driven by plain blocking code. `Proxy` stands
before one port. Where the traffic is HTTP without TLS it sees single requests.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
NO_LINGER = struct.pack("ii", 1, 0)
GIVE_UP_SECONDS = 10.0


class Loop:
    """An event loop on a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="proxy", daemon=True)
        self._thread.start()

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Do it there and wait for its answer."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(GIVE_UP_SECONDS)

    def close(self) -> None:
        """End the loop; what still runs on it is cancelled."""

        async def rest() -> None:
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.run(rest())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@dataclass
class Request:
    """One request: its first line with the escapes undone, its body as far as it is text, and all its bytes."""

    line: str
    body: str
    raw: bytes

    def fits(self, pattern: str) -> bool:
        """Whether the pattern is in the first line or the body."""
        return re.search(pattern, self.line) is not None or re.search(pattern, self.body) is not None


@dataclass
class Spoil:
    """What happens to the next so many requests that fit.

    do: `status` (answered by the proxy, not done), `lose` (done, and the connection breaks in place of the answer),
    `slow` (done after a while), or `reset` (not done, the connection breaks).
    """

    do: str
    pattern: str
    times: int = 1
    status: int = 503
    code: str = ""
    retry_after: str = ""
    seconds: float = 0.0


class Broken(Exception):
    """This connection is to be broken off."""


class Proxy:
    """Stands before one port of this machine; `port` is its own. `hits` counts by what was done to how many."""

    def __init__(self, loop: Loop, far: int, *, http: bool = True) -> None:
        self.far, self.http, self.hits = far, http, Counter[str]()
        self.spoils: list[Spoil] = []
        self.watch: Callable[[Request], Callable[[], None] | None] = lambda _: None
        """Sees each request before it is passed on, and may answer with what to do once it is done: then the answer is
        lost. Raises Broken to break the connection at once.
        """
        self._loop, self._hung = loop, 0.0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        loop.run(self._open())

    def close(self) -> None:
        """Stop listening and break what is open."""
        self._loop.run(self._shut())

    # -- cuts; called on the loop ------------------------------------------------------------------------------------
    def refuse(self, seconds: float) -> None:
        """Nobody listens for a while, and open connections break."""

        async def away() -> None:
            await self._shut()
            await asyncio.sleep(seconds)
            await self._open()

        self.hits["nobody listens"] += 1
        self._background = asyncio.ensure_future(away())

    def hang(self, seconds: float) -> None:
        """Half-open for a while: connections are taken and nothing is answered; then they break."""
        self.hits["half-open"] += 1
        self._hung = max(self._hung, time.monotonic() + seconds)

    def reset(self) -> None:
        """Break every open connection."""
        self.hits["connections broken"] += 1
        for writer in list(self._writers):
            _break(writer)

    # -- passing on ---------------------------------------------------------------------------------------------------
    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=128)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            _break(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            await self._held()
            far_reader, far = await asyncio.open_connection("127.0.0.1", self.far, limit=2**20)
            pair = _Pair(self, reader, writer, far_reader, far)
            await pair.run()
        except (OSError, EOFError, Broken, asyncio.LimitOverrunError):
            pass
        finally:
            self._writers.discard(writer)
            _break(writer)
            if far is not None:
                far.close()

    async def _held(self) -> None:
        if (left := self._hung - time.monotonic()) > 0:
            await asyncio.sleep(left)
            raise Broken

    def take(self, request: Request) -> Spoil | None:
        """The first spoil that fits; one of its times is used up."""
        for spoil in self.spoils:
            if spoil.times > 0 and request.fits(spoil.pattern):
                spoil.times -= 1
                self.hits[f"{spoil.do} {spoil.status}" if spoil.do == "status" else spoil.do] += 1
                return spoil
        return None


class _Pair:
    """One connection and the one behind it."""

    def __init__(
        self,
        proxy: Proxy,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far: asyncio.StreamWriter,
    ) -> None:
        self.proxy, self.reader, self.writer, self.far_reader, self.far = proxy, reader, writer, far_reader, far
        self.lost: Callable[[], None] | None = None

    async def run(self) -> None:
        ways = [asyncio.ensure_future(self._forth()), asyncio.ensure_future(self._back())]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in done:
                way.result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _forth(self) -> None:
        while True:
            if not self.proxy.http:
                data = await self.reader.read(65536)
                if not data:
                    return
                await self.proxy._held()
                self.far.write(data)
                await self.far.drain()
                continue
            request = await self._request()
            await self.proxy._held()
            self.lost = self.proxy.watch(request)
            spoil = self.proxy.take(request)
            if spoil is not None and await self._spoil(spoil, request):
                return
            self.far.write(request.raw)
            await self.far.drain()

    async def _request(self) -> Request:
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(head)
        body = await self.reader.readexactly(int(length[1])) if length else b""
        line = unquote(head.split(b"\r\n", 1)[0].decode("ascii"))
        return Request(line, body.decode("utf-8", errors="replace"), head + body)

    async def _spoil(self, spoil: Spoil, request: Request) -> bool:
        """Whether that is the end of the connection."""
        match spoil.do:
            case "slow":
                await asyncio.sleep(spoil.seconds)
                return False
            case "lose":
                self.lost = self.lost or (lambda: None)
                return False
            case "reset":
                raise Broken
        self.writer.write(_answer(spoil, json=b"application/json" in request.raw))
        await self.writer.drain()
        self.writer.close()
        await self.writer.wait_closed()
        return True

    async def _back(self) -> None:
        while data := await self.far_reader.read(65536):
            if self.lost is not None:
                if data.startswith(b"HTTP/1.1 100"):
                    continue
                self.lost()  # the service has answered, so the work is done
                return
            self.writer.write(data)
            await self.writer.drain()


def _answer(spoil: Spoil, *, json: bool) -> bytes:
    """An error as storage words it: tables in JSON, where they are asked so, everything else in XML."""
    body = (
        f'{{"odata.error": {{"code": "{spoil.code}", "message": {{"lang": "en-US", "value": "Spoiled."}}}}}}'
        if json
        else f'<?xml version="1.0"?><Error><Code>{spoil.code}</Code><Message>Spoiled.</Message></Error>'
    )
    headers = {
        "x-ms-error-code": spoil.code,
        "Content-Type": "application/json" if json else "application/xml",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **({"Retry-After": spoil.retry_after} if spoil.retry_after else {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {spoil.status} Spoiled\r\n{head}\r\n{body}".encode()


def _break(writer: asyncio.StreamWriter) -> None:
    """End a connection the hard way: the other side sees a reset."""
    if writer.is_closing():
        return
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    writer.transport.abort()
