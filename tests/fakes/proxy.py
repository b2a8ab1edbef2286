"""A TCP proxy before Azurite that loses the answers of chosen requests after the service has done the work."""

from __future__ import annotations

import asyncio
import re
from types import TracebackType

START = re.compile(rb"(GET|HEAD|PUT|POST|PATCH|MERGE|DELETE) /")


class LosingProxy:
    """Stands between a client and the services of a connection string: `async with LosingProxy(text) as proxy`.

    connection_string: the same account by way of the proxy.
    requests: first lines of all requests seen, in order.
    """

    def __init__(self, connection_string: str) -> None:
        self.connection_string = connection_string
        self.requests: list[str] = []
        self._losses: list[str] = []
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def lose(self, *patterns: str) -> None:
        """Lose the answer to the next request whose first line matches the first pattern, then the second, ..."""
        self._losses.extend(patterns)

    @property
    def left(self) -> int:
        """Losses that have not happened yet."""
        return len(self._losses)

    async def __aenter__(self) -> LosingProxy:
        for port in sorted(set(re.findall(r"127\.0\.0\.1:(\d+)", self.connection_string))):
            server = await asyncio.start_server(self._serving(int(port)), "127.0.0.1", 0)
            self._servers.append(server)
            ours = server.sockets[0].getsockname()[1]
            self.connection_string = self.connection_string.replace(f"127.0.0.1:{port}/", f"127.0.0.1:{ours}/")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _serving(self, port: int):  # type: ignore[no-untyped-def]  # asyncio's own callback shape
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            lost = asyncio.Event()
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._forth(reader, far_writer, lost))
                    group.create_task(self._back(far_reader, writer, lost))
            except* (ConnectionError, EOFError):
                pass
            finally:
                writer.close()
                far_writer.close()

        return serve

    async def _forth(self, reader: asyncio.StreamReader, far: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        while data := await reader.read(65536):
            # Requests come one after the other on a connection, so a chunk that looks like a start is one.
            if START.match(data):
                line = data.split(b"\r\n", 1)[0].decode()
                self.requests.append(line)
                if self._losses and re.search(self._losses[0], line):
                    del self._losses[0]
                    lost.set()
            far.write(data)
            await far.drain()
        raise EOFError

    async def _back(self, far: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        while data := await far.read(65536):
            if lost.is_set():
                if data.startswith(b"HTTP/1.1 100"):
                    continue
                raise EOFError  # the service has answered, so the work is done; the client sees a broken connection
            writer.write(data)
            await writer.drain()
        raise EOFError
