"""What of our work can be undone: looked up block by block, stored in shards as they fill, the rest told as lines."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import batched
from typing import Any

from activities.history import History
from activities.leftovers import of_people, of_sellers
from tenantclosure import names
from tenantclosure.errors import RecordMissing
from tenantclosure.model.inventory import Item
from tenantclosure.names import Family
from tenantclosure.policy import rails, rollback
from tenantclosure.policy.canonical import canonical
from tenantclosure.policy.planner import Shards, family_entry
from tenantclosure.ports import JSON, Directory
from tenantclosure.scratch import Ids
from tenantclosure.wiring import Parts

AT_ONCE, CHUNK, BLOCK = 8, 20, 2000
"""Look-ups side by side, ids in one look-up, items that are held, and whose states are kept, together."""


class Undoable:
    """A rollback's plan in the making, without its manifest; what can't be undone is counted and hashed as it goes by.

    `spared` are the ids of the keeper and of our own service principal.
    """

    def __init__(
        self, parts: Parts, row: JSON, directory: Directory, history: History, spared: tuple[str, str | None]
    ) -> None:
        self.parts, self.row, self.directory, self.history, self.spared = parts, row, directory, history, spared
        self.families: dict[str, Any] = {}
        self.others: list[JSON] = []
        self.lost, self.whole = Counter[str](), hashlib.sha256()

    async def lines(self) -> AsyncIterator[bytes]:
        """What can't be undone, as NDJSON; when it is through, the plan's shards are stored and `others` are known.

        Raises RailBroken when the keeper or our own service principal is among what would be restored.
        """
        with Ids() as out:
            for family in map(str, rollback.RESTORED):
                async for lost in self._restored(family, out):
                    yield self._told(lost)
            await self._let_in(out)
        self.others, lost = await of_sellers(self.parts, self.row, self.directory, self.history)
        yield self._told(lost)
        yield self._told(await of_people(self.parts, self.row, self.directory, self.history))

    def _told(self, lost: Iterable[JSON]) -> bytes:
        self.lost.update(entry["family"] for entry in lost)
        data = b"".join(canonical(entry) + b"\n" for entry in lost)
        self.whole.update(data)
        return data

    async def _restored(self, family: str, out: Ids) -> AsyncIterator[list[dict[str, str]]]:
        """Plan what of one family is in the recycle bin; of each block what is not. Users in the plan go into `out`."""
        shards = Shards(self.parts.settings.shard_size)
        for number, block in enumerate(batched(self.history.of(family).removed.items(), BLOCK, strict=False)):
            removed = dict(block)
            back, lost = rollback.sorted_out(family, removed, await self._states(family, number, sorted(removed)))
            await self._plan(family, shards, back)
            if family == Family.USERS:
                out.add(item.id for item in back)
            yield lost
        await self._planned(family, shards)

    async def _let_in(self, out: Ids) -> None:
        """Plan whom we blocked and who can sign in again; `out` are the users who are restored first."""
        shards = Shards(self.parts.settings.shard_size)
        blocked = self.history.of(Family.USERS).blocked
        if blocked:
            async for page in self.directory.pages(Family.USERS):
                out.add(item.id for item in page if not item.facts.get("enabled", True))
        for block in batched(blocked.items(), BLOCK, strict=False):
            some = dict(block)
            await self._plan(rollback.USERS_ENABLED, shards, rollback.let_in(some, out.parts(some)))
        await self._planned(rollback.USERS_ENABLED, shards)

    async def _plan(self, family: str, shards: Shards, items: Sequence[Item]) -> None:
        rails.check_spared(frozenset(item.id for item in items), *self.spared)
        for item in items:
            shards.add(item, last=False)
        await self._store(family, shards)

    async def _planned(self, family: str, shards: Shards) -> None:
        shards.finish()
        await self._store(family, shards)
        self.families[family] = family_entry(shards)

    async def _store(self, family: str, shards: Shards) -> None:
        for number, data in shards.take():
            path = names.shard_path(self.row["closureId"], self.row["planSerial"], family, number)
            await self.parts.records.write_blob(path, data)

    async def _states(self, family: str, number: int, ids: list[str]) -> dict[str, str]:
        """Where each of a block is: `present`, `deleted` or `gone`. Stored, so that a long look-up that meets trouble
        goes on where it was.
        """
        path = rollback.path(self.row["closureId"], self.row["planSerial"], f"{family}-{number}")
        try:
            known: dict[str, str] = json.loads(await self.parts.records.read_blob(path))
        except RecordMissing:
            known = await look_up(self.directory, family, ids)
            await self.parts.records.write_blob(path, canonical(known))
        return known


async def look_up(directory: Directory, family: str, ids: Sequence[str]) -> dict[str, str]:
    """States of a block of items by point reads, a few batches side by side."""
    free = asyncio.Semaphore(AT_ONCE)

    async def look(chunk: tuple[str, ...]) -> dict[str, str]:
        async with free:
            return await directory.states_of(family, chunk)

    found: dict[str, str] = {}
    for states in await asyncio.gather(*map(look, batched(ids, CHUNK, strict=False))):
        found.update(states)
    return found
