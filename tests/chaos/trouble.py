"""Strikes as the schedule says: it sits in the storage proxies, counts requests, and knows the phase from its mark."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tenantclosure.names import Phase
from tests.chaos.proxy import Broken, Proxy, Request, Spoil
from tests.chaos.schedule import FIRST, Stroke

STARTED = re.compile(r"^(?:PUT|PATCH|MERGE) .*RowKey='mark:started-([a-z-]+):")
ORDER = (FIRST, *map(str, Phase))


class Trouble:
    """`watch` is told of every request to the tables and blobs; `host` is the pid to kill."""

    def __init__(self, strokes: tuple[Stroke, ...], clock: Path, simulator: str) -> None:
        self.left = list(strokes)
        self.clock, self.simulator = clock, simulator
        self.storage: list[Proxy] = []
        self.microsoft: list[Proxy] = []
        self.host = 0
        self.down = 0.0
        self.hits = Counter[str]()
        self.phase, self.count = 0, 0
        self._posting: set[asyncio.Task[None]] = set()
        clock.write_text("0", encoding="ascii")

    def watch(self, request: Request) -> Callable[[], None] | None:
        """Count this request, and strike if it is time."""
        found = STARTED.match(request.line)
        if found and ORDER.index(found[1]) > self.phase:
            self.phase, self.count = ORDER.index(found[1]), 0
        else:
            self.count += 1
        later: Callable[[], None] | None = None
        while self.left and self._due(self.left[0]):
            stroke = self.left.pop(0)
            detail = dict(stroke.detail)
            if stroke.do == "kill":
                self.down = detail["down"]
                if not detail["done"]:
                    self.kill()
                    raise Broken
                later = self.kill
            else:
                getattr(self, f"_{stroke.do}")(detail)
        return later

    def kill(self) -> None:
        """kill -9 of the host."""
        self.hits["kill"] += 1
        os.kill(self.host, signal.SIGKILL)

    def _due(self, stroke: Stroke) -> bool:
        return (ORDER.index(stroke.phase), stroke.after) <= (self.phase, self.count)

    def _cut(self, detail: dict[str, Any]) -> None:
        for proxy in self.microsoft:
            _cut(proxy, **detail)

    def _away(self, detail: dict[str, Any]) -> None:
        for proxy in self.storage:
            _cut(proxy, **detail)

    def _spoil(self, detail: dict[str, Any]) -> None:
        for proxy in self.storage:
            proxy.spoils.append(Spoil(**detail))

    def _fault(self, rule: dict[str, Any]) -> None:
        self._post("faults", rule)

    def _tokens(self, settings: dict[str, Any]) -> None:
        self.hits["tokens of two seconds"] += 1
        self._post("settings", settings)

    def _clock(self, detail: dict[str, Any]) -> None:
        self.hits["clock forwards" if detail["by"] > 0 else "clock back"] += 1
        fresh = self.clock.with_suffix(".new")
        fresh.write_text(str(float(self.clock.read_text(encoding="ascii")) + detail["by"]), encoding="ascii")
        fresh.replace(self.clock)

    def _post(self, path: str, body: dict[str, Any]) -> None:
        async def post() -> None:
            async with httpx.AsyncClient() as client:
                (await client.post(f"{self.simulator}/_sim/{path}", json=body)).raise_for_status()

        task = asyncio.ensure_future(post())
        self._posting.add(task)
        task.add_done_callback(self._posting.discard)


def _cut(proxy: Proxy, how: str, seconds: float = 0.0) -> None:
    match how:
        case "refuse":
            proxy.refuse(seconds)
        case "hang":
            proxy.hang(seconds)
        case _:
            proxy.reset()
