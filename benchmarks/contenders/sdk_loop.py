"""msgraph-sdk, one user after another."""

from __future__ import annotations

from benchmarks.contenders.entry import Entry, run
from benchmarks.contenders.sdk import client, delete, everybody


async def work(entry: Entry) -> None:
    """Delete everybody in turn."""
    async with client(entry.target) as graph:
        for user in await everybody(graph, entry.target.keeper):
            await delete(graph, entry, user)


if __name__ == "__main__":
    raise SystemExit(run("sdk_loop", {}, work))
