"""Runs the whole simulator on a loop of its own, so that blocking clients can be used against its real sockets."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from simulator.server import running
from simulator.world import Options, World


class Simulator:
    """A running simulator: its world, and plain HTTP clients for it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.info: dict[str, Any] = world.info
        self.url: str = self.info["url"]
        self._clients: list[httpx.Client] = []
        self.http = httpx.Client(base_url=self.url, timeout=20)
        self.graph = self.client(self.info["token"])

    def client(self, token: str) -> httpx.Client:
        client = httpx.Client(base_url=self.url, timeout=20, headers={"Authorization": f"Bearer {token}"})
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in (self.http, *self._clients):
            client.close()

    def sim(self, name: str, body: Any = None) -> Any:
        path = f"/_sim/{name}"
        answer = self.http.get(path) if body is None else self.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def token(self, **body: Any) -> str:
        return self.sim("token", {"tenantId": self.info["tenantId"], **body})["token"]

    def batch(self, *items: dict[str, Any], version: str = "v1.0") -> httpx.Response:
        requests = [{"id": str(n), **item} for n, item in enumerate(items)]
        return self.graph.post(f"/{version}/$batch", json={"requests": requests})

    def ordinary(self) -> list[str]:
        """Ids of the people who hold no role, in listing order."""
        directory = self.world.target.directory
        return [u for u in directory.users.live if not directory.roles_of(u)]


@contextmanager
def simulator(folder: Path, **options: Any) -> Iterator[Simulator]:
    """Run a simulator on a thread while the block lasts."""
    ready: Future[World] = Future()
    stop: Future[asyncio.Event] = Future()

    async def main() -> None:
        done = asyncio.Event()
        stop.set_result(done)
        async with running(Options(**{"lag_ms": 0.0, **options}), folder) as world:
            ready.set_result(world)
            await done.wait()
        # TLS connections need another turn of the loop to say goodbye.
        await asyncio.sleep(0.05)

    loop = asyncio.new_event_loop()

    def work() -> None:
        try:
            loop.run_until_complete(main())
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise
        finally:
            loop.close()

    thread = threading.Thread(target=work, name="simulator", daemon=True)
    thread.start()
    sim = Simulator(ready.result(30))
    try:
        yield sim
    finally:
        sim.close()
        loop.call_soon_threadsafe(stop.result().set)
        thread.join(15)
        assert not thread.is_alive()
        # asyncio leaves TLS transports half closed when a client hangs up without a goodbye: collect them quietly.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect(1)
