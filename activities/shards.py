"""Work one shard of a family: paced `$batch` writes, every answer in the journal, nothing sent after a final one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from activities.base import Order, activity
from activities.guard import Clearance, cleared, read_shard
from activities.integrity import check_evidence
from activities.journal import Journal
from tenantclosure import names
from tenantclosure.errors import ServiceTrouble, Throttled
from tenantclosure.ledger import iso
from tenantclosure.model.inventory import Answer, Item
from tenantclosure.names import Gate, Outcome, Word
from tenantclosure.policy import pacing, rails
from tenantclosure.policy.outcomes import judged, unanswered
from tenantclosure.ports import Directory
from tenantclosure.wiring import Parts

AT_ONCE = 4
"""Batches in flight in one wave."""
LONGEST_SLEEP = 60.0
"""Seconds an activity waits at most for quota or Retry-After; what is longer becomes a durable timer."""
BUDGET = 240.0
"""Seconds after which an activity hands back, to stay well under five minutes."""
TRIES = 5
"""Passing troubles of one item (429 and 5xx) within one activity before the shard is held."""
HELD = 15.0
"""Seconds until a held shard comes round again, when no answer named a time."""
BACKOFF = 2.0
"""First wait in seconds when a transient answer names none; doubled with each try."""
FOUND_DELETED = "its answer was lost; looked up and found deleted"

Send = Callable[[Directory, str, Sequence[str]], Awaitable[list[Answer]]]


async def _delete(directory: Directory, family: str, ids: Sequence[str]) -> list[Answer]:
    return await directory.delete_many(family, ids)


async def _block(directory: Directory, _family: str, ids: Sequence[str]) -> list[Answer]:
    return await directory.block_sign_in(ids)


async def _restore(directory: Directory, family: str, ids: Sequence[str]) -> list[Answer]:
    return await directory.restore_many(family, ids)


async def _enable(directory: Directory, _family: str, ids: Sequence[str]) -> list[Answer]:
    return await directory.allow_sign_in(ids)


OPERATIONS: dict[str, tuple[Send, int, int, Outcome]] = {
    "delete": (_delete, 20, 1, Outcome.REMOVED),
    "block": (_block, 10, 2, Outcome.REMOVED),
    "restore": (_restore, 20, 1, Outcome.RESTORED),
    "enable": (_enable, 20, 1, Outcome.RESTORED),
}
"""Per operation: how to send, items per batch (a batch holds 20 requests), writes per item, what a success makes of an
item. The last two only come about in a rollback's plan.
"""


@activity
async def work_shard(parts: Parts, order: Order) -> Order:
    """Work a shard until it is done, its items are held, or the time is up.

    Returns {state: done|more|held, bucket, retryAfter}. `final` turns what is still held into `failed`. What the fresh
    listing before this wave (`open_wave`, `review_refused`) shows as something that must stay is settled as `kept`
    already and is not sent; a change after that listing is seen before the next wave.
    """
    bucket = _bucket(parts, order)
    key = (order["closureId"], order["serial"], order["family"], order["operation"], order["shard"])
    noted = await parts.ledger.shard(*key)
    if noted is not None and noted["done"]:
        return {"state": "done", "bucket": bucket.to_dict(), "retryAfter": 0.0}
    clearance = await cleared(parts, order, order.get("gate", Gate.PLAN))
    items = await read_shard(parts, clearance, order["family"], order["shard"])
    if noted is not None:
        await check_evidence(parts, names.evidence_path(*key), noted)
    journal = await Journal(parts.records, names.evidence_path(*key)).read()
    work = _Work(parts, order, clearance, journal, items, bucket)
    state = await work.run()
    await work.note(done=state == "done")
    return {"state": state, "bucket": work.bucket.to_dict(), "retryAfter": work.retry_after}


class _Work:
    """One activity's work on one shard."""

    def __init__(
        self,
        parts: Parts,
        order: Order,
        clearance: Clearance,
        journal: Journal,
        items: list[Item],
        bucket: pacing.Bucket,
    ) -> None:
        self.parts, self.order, self.clearance, self.journal, self.bucket = parts, order, clearance, journal, bucket
        self.items = {item.id: item for item in items}
        self.send, self.size, self.cost, self.success = OPERATIONS[order["operation"]]
        self.retry_after = 0.0
        self.again: set[str] = set()

    async def run(self) -> str:
        clock, started = self.parts.clock, self.parts.clock.now()
        tries = dict.fromkeys(self.items, 0)
        await self._settle()
        while todo := [id_ for id_ in self.items if not self.journal.settled(id_)]:
            if (clock.now() - started).total_seconds() > BUDGET:
                return "more"
            ready = [id_ for id_ in todo if tries[id_] < TRIES]
            if not ready:
                if not self.order["final"]:
                    self.retry_after = HELD
                    return "held"
                await self._give_up(todo)
                break
            wave = ready[: max(1, min(AT_ONCE * self.size, int(self.bucket.burst // self.cost)))]
            if not await self._quota(len(wave)):
                return "held"
            async with self.clearance.fence.wave():
                rails.check_spared(frozenset(wave), self.clearance.keeper, self.clearance.spared.own_service_principal)
                await self._wave(wave, tries)
            if self.retry_after > LONGEST_SLEEP:
                return "held"
            if self.retry_after:
                await clock.sleep(self.retry_after)
                self.retry_after = 0.0
            await self._settle()
        return "done"

    async def _settle(self) -> None:
        """Look up what was sent and never answered, before anything is sent again."""
        doubt = list(self.journal.in_doubt)
        if self.order["operation"] != "delete":
            self.again.update(doubt)
            return
        for start in range(0, len(doubt), 20):
            chunk = doubt[start : start + 20]
            states = await self.clearance.directory.states_of(self.order["family"], chunk)
            at = iso(self.parts.clock.now())
            gone = [id_ for id_ in chunk if states[id_] != "present"]
            await self.journal.answered([unanswered(id_, Outcome.REMOVED, FOUND_DELETED, at) for id_ in gone])
            self.again.update(id_ for id_ in chunk if states[id_] == "present")

    async def _quota(self, count: int) -> bool:
        """Wait for the wave's tokens; False when that is too long for an activity."""
        clock = self.parts.clock
        wait = self.bucket.wait_for(count * self.cost, clock.now())
        if wait > LONGEST_SLEEP:
            self.retry_after = wait
            return False
        if wait > 0:
            await clock.sleep(wait)
        self.bucket = self.bucket.take(count * self.cost, clock.now())
        return True

    async def _wave(self, wave: list[str], tries: dict[str, int]) -> None:
        clock = self.parts.clock
        fresh = [id_ for id_ in wave if id_ not in self.again]
        for ids, again in ((fresh, False), ([id_ for id_ in wave if id_ in self.again], True)):
            if ids:
                await self.journal.intend(ids, iso(clock.now()), again=again)
        chunks = [wave[start : start + self.size] for start in range(0, len(wave), self.size)]
        answers = await asyncio.gather(*(self._batch(chunk) for chunk in chunks))
        lines, at = [], iso(clock.now())
        for answer in (one for batch in answers for one in batch):
            if answer.transient:
                tries[answer.id] += 1
                asked = answer.retry_after if answer.retry_after is not None else BACKOFF * 2 ** (tries[answer.id] - 1)
                self.retry_after = max(self.retry_after, asked)
                if answer.status == 0:
                    continue  # in doubt: stays so in the journal until it is looked up
                self.again.discard(answer.id)
                lines.append({"t": "trouble", "id": answer.id, "status": answer.status, "code": answer.code, "at": at})
                continue
            self.again.discard(answer.id)
            lines.append(judged(answer, self.success, at))
        await self.journal.answered(lines)
        await self.note(done=False)

    async def _batch(self, chunk: list[str]) -> list[Answer]:
        """One batch. A throttled outer call has sent nothing; after any other trouble its items stay in doubt
        (status 0).
        """
        try:
            return await self.send(self.clearance.directory, self.order["family"], chunk)
        except Throttled as slow:
            return [Answer(id_, 429, "TooManyRequests", retry_after=slow.retry_after) for id_ in chunk]
        except ServiceTrouble:
            return [Answer(id_, 0) for id_ in chunk]

    async def _give_up(self, ids: list[str]) -> None:
        why, at = "no final answer after every try", iso(self.parts.clock.now())
        await self.journal.answered([unanswered(id_, Outcome.FAILED, why, at) for id_ in ids])

    async def note(self, *, done: bool) -> None:
        """Show the counts; with `done` also the evidence's hash, in the audit too."""
        await note_shard(self.parts, self.order, self.order["shard"], self.journal, done=done)


async def note_shard(parts: Parts, order: Order, shard: int, journal: Journal, *, done: bool) -> None:
    """Put a shard's counts on record; with `done` also the hash of its evidence, in the audit too."""
    cost = OPERATIONS[order["operation"]][2]
    doc: dict[str, Any] = {
        **journal.counts(),
        "done": done,
        "length": journal.position,
        "sha256": journal.sha256(),
        "writes": journal.writes * cost,
        "resent": journal.resent,
        "firstWriteAt": journal.first_write,
    }
    key = (order["serial"], order["family"], order["operation"], shard)
    if done:
        told = dict(zip(("serial", "family", "operation", "shard"), key, strict=True))
        detail = {**told, "counts": journal.counts(), "evidence": doc["sha256"]}
        await parts.ledger.audit(order["closureId"], Word.SHARD_DONE, None, detail)
    await parts.ledger.note_shard(order["closureId"], *key, doc)


def _bucket(parts: Parts, order: Order) -> pacing.Bucket:
    if order["bucket"] is not None:
        return pacing.Bucket.from_dict(order["bucket"])
    return pacing.share(order["tokens"], order["rate"], order["burst"], order["live"], parts.clock.now())
