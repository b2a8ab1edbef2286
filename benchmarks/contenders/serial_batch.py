"""The script most people write: one `$batch` of 20 after another, throttled items again after the longest Retry-After.

Every other answer than a success is reported as a failure, and that is all: nothing else is tried again.
"""

from __future__ import annotations

import asyncio

from benchmarks.contenders.batches import answers_of, batches, body_of
from benchmarks.contenders.entry import Entry, run

JSON = {"Content-Type": "application/json"}


async def work(entry: Entry) -> None:
    """Delete everybody, batch by batch."""
    waiting = batches(await entry.everybody())
    async with entry.target.http() as http:
        for batch in waiting:
            users = batch
            while users:
                entry.sending()
                reply = await http.post("/$batch", content=body_of(users), headers=JSON)
                answers = answers_of(users, reply.status_code, reply.headers, reply.content)
                for answer in answers:
                    if not answer.throttled:
                        entry.answered(answer.user, answer.status)
                users = [answer.user for answer in answers if answer.throttled]
                if users:
                    await asyncio.sleep(max(answer.wait for answer in answers if answer.throttled))


if __name__ == "__main__":
    raise SystemExit(run("serial_batch", {}, work))
