"""The CLI for Microsoft 365: `entra user remove` for each user, then `entra user recyclebinitem clear`.

`how=loop` starts a process for each user, `atOnce` of them at a time (1: a plain loop; more: `xargs -P`). `how=api`
calls the CLI's own API in one Node process instead, one user after another. `users` above 0 stops after so many.
Emptying the recycle bin is a step of its own; what its exit code says and what it left stands in the last line.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.contenders.entry import Entry, Target, run
from benchmarks.contenders.m365.cli import HERE, M365, install


async def work(entry: Entry) -> None:
    """Remove everybody, prove it, then empty the recycle bin."""
    install()
    with tempfile.TemporaryDirectory(prefix="contender-m365-") as home:
        m365 = await M365.signed_in(entry.target, Path(home))
        listed = await m365.asked("entra", "user", "list", "--properties", "id,userPrincipalName")
        users = [user["id"] for user in listed if user["userPrincipalName"] != entry.target.keeper]
        most = entry.number("users")
        chosen, spared = (users[:most], users[most:]) if most else (users, [])
        entry.left.update(spared)
        if entry.settings["how"] == "api":
            await _by_api(entry, m365, chosen)
        else:
            waiting = iter(chosen)
            await asyncio.gather(*(_by_process(entry, m365, waiting) for _ in range(entry.number("atOnce"))))
        await entry.prove()
        entry.extra["recycleBin"] = await _clear(entry.target, m365)


async def _by_process(entry: Entry, m365: M365, waiting: Iterator[str]) -> None:
    for user in waiting:
        entry.sending()
        code, _ = await m365.told("entra", "user", "remove", "--id", user, "--force")
        entry.report(user, "failed" if code else "deleted")


async def _by_api(entry: Entry, m365: M365, users: list[str]) -> None:
    process = await m365.start(HERE / "remove.mjs", stdin=PIPE)
    assert process.stdin is not None and process.stdout is not None
    entry.sending()
    process.stdin.write("".join(f"{user}\n" for user in users).encode())
    process.stdin.close()
    async for line in process.stdout:
        said = json.loads(line)
        entry.report(said["id"], "deleted" if said["removed"] else "failed")
    if await process.wait():
        raise RuntimeError("the CLI's API ended with an error")


async def _clear(target: Target, m365: M365) -> dict[str, Any]:
    """Empty the recycle bin as the CLI does, and count what is in it then."""
    begun = time.monotonic()
    code, _ = await m365.told("entra", "user", "recyclebinitem", "clear", "--force")
    seconds = time.monotonic() - begun
    async with target.http() as http:
        count = await http.get(
            "/directory/deletedItems/microsoft.graph.user/$count", headers={"ConsistencyLevel": "eventual"}
        )
    return {"seconds": round(seconds, 3), "exitCode": code, "leftAfter": int(count.raise_for_status().text)}


if __name__ == "__main__":
    raise SystemExit(run("m365", {"how": "loop", "atOnce": 1, "users": 0}, work))
