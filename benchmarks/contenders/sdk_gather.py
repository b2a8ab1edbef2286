"""msgraph-sdk with asyncio.gather: all at once by default, or so many at a time."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

from benchmarks.contenders.entry import Entry, run
from benchmarks.contenders.sdk import client, delete, everybody


async def work(entry: Entry) -> None:
    """Delete everybody at once; `atOnce` above 0 puts a semaphore around each."""
    most = entry.number("atOnce")
    room = asyncio.Semaphore(most) if most else nullcontext()
    async with client(entry.target) as graph:

        async def one(user: str) -> None:
            async with room:
                await delete(graph, entry, user)

        await asyncio.gather(*(one(user) for user in await everybody(graph, entry.target.keeper)))


if __name__ == "__main__":
    raise SystemExit(run("sdk_gather", {"atOnce": 0}, work))
