"""The floor of this machine: `$batch` of 20, several in flight, nothing kept and nothing checked.

Throttled items are sent again after the longest Retry-After of their batch, items that met an error of the service at
once. aiohttp, because a request costs it less than httpx.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp

from benchmarks.contenders.batches import answers_of, batches, body_of
from benchmarks.contenders.entry import Entry, run

ERRORS = 10
"""Errors of one batch after which it gives its broken items up."""


async def work(entry: Entry) -> None:
    """Delete everybody, so many batches at once."""
    waiting = batches(await entry.everybody())
    headers = {"Authorization": f"Bearer {entry.target.token()}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:
        await asyncio.gather(*(_worker(entry, session, waiting) for _ in range(entry.number("atOnce"))))


async def _worker(entry: Entry, session: aiohttp.ClientSession, waiting: Iterator[list[str]]) -> None:
    for batch in waiting:
        users, errors = batch, 0
        while users:
            entry.sending()
            async with session.post(f"{entry.target.url}/v1.0/$batch", data=body_of(users)) as reply:
                answers = answers_of(users, reply.status, reply.headers, await reply.read())
            errors += any(answer.broken for answer in answers)
            again = [a for a in answers if a.throttled or (a.broken and errors < ERRORS)]
            for answer in answers:
                if answer not in again:
                    entry.answered(answer.user, answer.status)
            users = [answer.user for answer in again]
            await asyncio.sleep(max((answer.wait for answer in again if answer.throttled), default=0))


if __name__ == "__main__":
    raise SystemExit(run("bare_loop", {"atOnce": 16}, work))
