"""Work one shard of a family: paced `$batch` writes, every answer in the journal, nothing sent after a final one.

Two pumps take turns: while one waits for Microsoft's answers, the other keeps its own and asks whether it may go on.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from activities.base import Halt, Order, activity, clear_blocker, note_blocker
from activities.guard import Clearance, cleared, read_shard
from activities.integrity import check_evidence
from activities.journal import Journal
from activities.operations import OPERATIONS
from activities.quota import fair_rate
from tenantclosure import names, telemetry
from tenantclosure.errors import ClosureError, ServiceTrouble, Throttled
from tenantclosure.ledger import iso
from tenantclosure.model.inventory import Answer, Item
from tenantclosure.names import Gate, Outcome, Word
from tenantclosure.policy import pacing, rails
from tenantclosure.policy.outcomes import judged, unanswered
from tenantclosure.signals import Metric
from tenantclosure.wiring import Parts

PUMPS, WAVE, AT_ONCE = 2, 8, 4
"""Pumps of one lane, batches in a wave of each, and how many of these are in flight at once."""
LONGEST_SLEEP = 60.0
"""Seconds an activity waits at most for quota or Retry-After; what is longer becomes a durable timer."""
AHEAD = 16.0
"""Seconds of the quota's flow that one wave may wait for; a slow pace makes small waves, not long silences."""
BUDGET = 240.0
"""Seconds after which an activity hands back, to stay well under five minutes."""
TRIES = 5
"""Passing troubles of one item (429 and 5xx) within one activity before the shard is held."""
MOST_TRIES = 100
"""Troubles of one item over all activities before it is held: by then even a 429 is about itself."""
HELD = 15.0
"""Seconds until a held shard comes round again, when no answer named a time."""
BACKOFF = 2.0
"""First wait in seconds when a transient answer names none; doubled with each try."""
SILENT_WAVES = 3
"""Waves in a row that only brought 429 before the lane waits on a durable timer, where people see why."""
NOTE_SECONDS = 1.0
"""How often a shard's counts are shown while it is worked."""
FOUND_DELETED = "its answer was lost; looked up and found deleted"


@activity
async def work_shard(parts: Parts, order: Order) -> Order:
    """Work a shard until it is done, its items are held, Microsoft or the quota asks to wait, or the time is up.

    Returns {state: done|more|held|wait, bucket, retryAfter}. `final` turns what is still held into `failed`. What the
    fresh listing before this wave (`open_wave`, `review_refused`) shows as something that must stay is settled as
    `kept` already and is not sent; a change after that listing is seen before the next wave.
    """
    key = (order["closureId"], order["serial"], order["family"], order["operation"], order["shard"])
    fair, noted = await asyncio.gather(fair_rate(parts, order["rate"]), parts.ledger.shard(*key))
    bucket = pacing.Bucket.from_dict(order["bucket"]).limited(fair * order["part"], parts.clock.now())
    if noted is not None and noted["done"]:
        return {"state": "done", "bucket": bucket.to_dict(), "retryAfter": 0.0}
    clearance = await cleared(parts, order, order.get("gate", Gate.PLAN))
    items = await read_shard(parts, clearance, order["family"], order["shard"])
    if noted is not None:
        await check_evidence(parts, names.evidence_path(*key), noted)
    journal = await Journal(parts.records, names.evidence_path(*key)).read()
    work = _Work(parts, order, clearance, journal, items, bucket)
    state = await work.run()
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
        self.send, self.size, self.cost, self.success = OPERATIONS[order["operation"]]
        self.started = self.noted = self.open_from = parts.clock.now()
        # Items that are neither settled nor under way, and from when on each may be sent.
        self.idle = {item.id: self.started for item in items if not journal.settled(item.id)}
        self.tries = dict.fromkeys(self.idle, 0)
        self.again: set[str] = set()
        self.retry_after, self.silent = 0.0, 0
        self.failure: Exception | None = None
        # What was answered and is not in the journal yet: it goes there with the next intent, or before any wait.
        self.heard: list[dict[str, Any]] = []
        self.writing = asyncio.Lock()

    async def run(self) -> str:
        await self._settle(list(self.journal.in_doubt))
        pumps = [asyncio.ensure_future(self._pump()) for _ in range(PUMPS)]
        try:
            await asyncio.gather(*pumps)
        finally:
            for pump in pumps:  # they have ended by themselves, unless the process is being ended
                pump.cancel()
        if self.failure is not None:
            with suppress(ClosureError):  # what can't be kept now is looked up by the next try
                await self._keep()
            if isinstance(self.failure, Halt):
                await self.note(done=False)
            raise self.failure
        await self._keep()
        return await self._state()

    async def _state(self) -> str:
        """What the pumps have left, once both have stopped."""
        now = self.parts.clock.now()
        if self.idle and self.order["final"] and not self.retry_after and not self._late(now):
            await self._give_up(list(self.idle))
            self.idle.clear()
        await self.note(done=not self.idle)
        if self.retry_after:
            await self._tell(now)
            return "wait"
        await clear_blocker(self.parts, self.order["closureId"], self._slowed)
        if not self.idle:
            return "done"
        if self._late(now):
            return "more"
        self.retry_after = max(HELD, min((due - now).total_seconds() for due in self.idle.values()))
        return "held"

    @property
    def _slowed(self) -> str:
        return f"{self.order['family']}-slowed"

    async def _tell(self, now: datetime) -> None:
        """Say why nothing moves, and until when."""
        throttled = "Microsoft answers HTTP 429: it takes no more writes from us for now."
        why = throttled if self.bucket.ceiling < self.bucket.limit or self.silent else "The write quota is used up."
        until = iso(now + timedelta(seconds=self.retry_after))
        remedy = "Nothing to do: it goes on by itself, more slowly if it has to."
        await note_blocker(self.parts, self.order["closureId"], self._slowed, why, remedy, earliest=until)

    # -- one pump ----------------------------------------------------------------------------------------------------
    async def _pump(self) -> None:
        """Wave after wave until there is nothing to send, or a reason to stop; the other pump ends its wave then."""
        try:
            while wave := await self._next():
                async with self.clearance.fence.wave():
                    keeper, own = self.clearance.keeper, self.clearance.spared.own_service_principal
                    rails.check_spared(frozenset(wave), keeper, own)
                    await self._wave(wave)
        except Exception as error:  # raised by run(), once the other pump has kept its answers
            self.failure = self.failure or error

    async def _next(self) -> list[str]:
        """Items for a wave, whose tokens are there; none when this pump is through."""
        clock = self.parts.clock
        while not (self.failure or self.retry_after or self._late(now := clock.now())):
            able = {id_: due for id_, due in self.idle.items() if not self._exhausted(id_)}
            if not able:
                break
            closed, due = (self.open_from - now).total_seconds(), (min(able.values()) - now).total_seconds()
            if closed > LONGEST_SLEEP:
                self.retry_after = closed
            elif due > LONGEST_SLEEP:
                break  # each of these waits for itself
            elif max(closed, due) > 0:
                await self._keep()
                await clock.sleep(max(closed, due))
            elif wave := await self._take([id_ for id_, due_at in able.items() if due_at <= now], now):
                return wave
        return []

    async def _take(self, ready: list[str], now: datetime) -> list[str]:
        """As many of these as the quota lets go soon, once it does; none when something came between."""
        wave = ready[: min(WAVE * self.size, max(1, self.bucket.within(AHEAD, now) // self.cost))]
        wait = self.bucket.wait_for(len(wave) * self.cost, now)
        if wait > LONGEST_SLEEP:
            self.retry_after = wait
            return []
        # Both are taken before the wait, so that the other pump waits for tokens and items of its own.
        self.bucket = self.bucket.take(len(wave) * self.cost, now)
        due = {id_: self.idle.pop(id_) for id_ in wave}
        if wait > 0:
            await self._keep()
            await self.parts.clock.sleep(wait)
            now = self.parts.clock.now()
            if self.failure or self.retry_after or self.open_from > now or self._late(now):
                self.idle.update(due)
                self.bucket = self.bucket.take(-len(wave) * self.cost, now)
                return []
        return wave

    def _late(self, now: datetime) -> bool:
        return (now - self.started).total_seconds() > BUDGET

    def _exhausted(self, id_: str) -> bool:
        return self.tries[id_] >= TRIES or self.journal.tries[id_] >= MOST_TRIES

    async def _settle(self, doubt: list[str]) -> None:
        """Look up what was sent and never answered, before it is sent again."""
        if self.order["operation"] != "delete":
            self.again.update(doubt)
            return
        for start in range(0, len(doubt), 20):
            chunk = doubt[start : start + 20]
            states = await self.clearance.directory.states_of(self.order["family"], chunk)
            gone = [id_ for id_ in chunk if states[id_] != "present"]
            at = iso(self.parts.clock.now())
            async with self.writing:
                await self.journal.answered([unanswered(id_, Outcome.REMOVED, FOUND_DELETED, at) for id_ in gone])
            for id_ in gone:
                self.idle.pop(id_, None)
            self.again.update(id_ for id_ in chunk if states[id_] == "present")

    async def _wave(self, wave: list[str]) -> None:
        """Say what is sent, send it, keep every answer."""
        clock = self.parts.clock
        async with self.writing:
            for again in (False, True):
                if ids := [id_ for id_ in wave if (id_ in self.again) is again]:
                    await self.journal.intend(ids, iso(clock.now()), again=again, after=self._taken())
        chunks = [wave[start : start + self.size] for start in range(0, len(wave), self.size)]
        turn = asyncio.Semaphore(AT_ONCE)
        answers = [one for batch in await asyncio.gather(*(self._batch(one, turn) for one in chunks)) for one in batch]
        now = clock.now()
        self._pace(answers, now)
        said = {answer.id: answer for answer in answers if answer.status != 0}
        self.heard += [self._line(answer, iso(now)) for answer in said.values()]
        # An id that the batch left out is in doubt like one whose batch was lost.
        await self._settle([id_ for id_ in wave if id_ not in said])
        self._put_back(wave, said, now)
        if (clock.now() - self.noted).total_seconds() >= NOTE_SECONDS:
            self.noted = clock.now()
            await self.note(done=False)

    async def _keep(self) -> None:
        """Put what was answered into the journal."""
        async with self.writing:
            await self.journal.answered(self._taken())

    def _taken(self) -> list[dict[str, Any]]:
        heard, self.heard = self.heard, []
        return heard

    def _line(self, answer: Answer, at: str) -> dict[str, Any]:
        """The journal's line for an answer."""
        self.again.discard(answer.id)
        if answer.transient:
            return {"t": "trouble", "id": answer.id, "status": answer.status, "code": answer.code, "at": at}
        return judged(answer, self.success, at)

    def _put_back(self, wave: list[str], said: dict[str, Answer], now: datetime) -> None:
        """What is not settled comes round again; only now, when it has been looked up if it had to be."""
        # When most are refused the service is full; that says nothing about each of them.
        crowded = sum(answer.status == 429 for answer in said.values()) * 2 >= len(wave)
        for id_ in wave:
            answer, wait = said.get(id_, Answer(id_, 0)), 0.0
            if not answer.transient or self.journal.settled(id_):
                continue
            if answer.status != 429:  # that keeps all of them waiting (`_pace`)
                asked = answer.retry_after
                wait = BACKOFF * 2 ** self.tries[id_] if asked is None else asked
            self.tries[id_] += not (crowded and answer.status == 429)
            self.idle[id_] = now + timedelta(seconds=wait)

    def _pace(self, answers: list[Answer], now: datetime) -> None:
        """Learn from a wave how fast the service takes our writes."""
        slow = [answer.retry_after for answer in answers if answer.status == 429]
        self.bucket = self.bucket.told(max((one.used for one in answers if one.used is not None), default=0.0), now)
        if not slow:
            self.bucket, self.silent = self.bucket.passed(len(answers) * self.cost, now), 0
            return
        self.bucket = self.bucket.throttled(now)
        self.silent = self.silent + 1 if len(slow) == len(answers) else 0
        telemetry.count(Metric.THROTTLED, len(slow))
        # Microsoft's advice for a batch: wait for the longest (tenant-facts D).
        wait = max(BACKOFF * 2**self.silent if asked is None else asked for asked in slow)
        self.open_from = max(self.open_from, now + timedelta(seconds=wait))
        if self.silent >= SILENT_WAVES:
            self.retry_after = max(LONGEST_SLEEP if self.bucket.slowest else HELD, wait)

    async def _batch(self, chunk: list[str], turn: asyncio.Semaphore) -> list[Answer]:
        """One batch, in its turn. A throttled outer call has sent nothing; after any other trouble its items stay in
        doubt (status 0).
        """
        try:
            async with turn:
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
