"""What a closure has done: phase marks, shard counts, subscriptions' standings."""

from __future__ import annotations

from collections.abc import AsyncIterator

from tenantclosure.ledger.book import Book, iso
from tenantclosure.ports import JSON


class Work(Book):
    """Progress; everything a run needs to go on where another stopped."""

    async def set_mark(self, closure: str, mark: str, serial: int, doc: JSON) -> JSON:
        """Say that a phase (or a point in it) is done; returns the mark with its time."""
        dated = {**doc, "at": iso(self.clock.now())}
        await self.records.put(closure, f"mark:{mark}:{serial:03d}", dated)
        return dated

    async def mark(self, closure: str, mark: str, serial: int) -> JSON | None:
        """A mark's document, or None."""
        found = await self.records.read(closure, f"mark:{mark}:{serial:03d}")
        return found[0] if found else None

    async def marks(self, closure: str, spoiled: list[str] | None = None) -> dict[tuple[str, int], JSON]:
        """All marks by (mark, serial)."""
        return {
            (key.split(":")[1], int(key.split(":")[2])): doc async for key, doc in self.rows(closure, "mark:", spoiled)
        }

    async def note_shard(self, closure: str, serial: int, family: str, operation: str, shard: int, doc: JSON) -> None:
        """Counts of one shard: {outcome: n}, `done`, `length` and `sha256` of its evidence so far, writes and when."""
        await self.records.put(
            closure, f"shard:{serial:03d}:{family}:{operation}:{shard:05d}", {**doc, "at": iso(self.clock.now())}
        )

    async def shard(self, closure: str, serial: int, family: str, operation: str, shard: int) -> JSON | None:
        """Counts of one shard, or None before its first wave."""
        found = await self.records.read(closure, f"shard:{serial:03d}:{family}:{operation}:{shard:05d}")
        return found[0] if found else None

    async def shards(
        self, closure: str, serial: int | None = None, spoiled: list[str] | None = None
    ) -> AsyncIterator[tuple[int, str, str, int, JSON]]:
        """(serial, family, operation, shard, counts) of every shard worked on, of one plan serial or of all."""
        prefix = "shard:" if serial is None else f"shard:{serial:03d}:"
        async for key, doc in self.rows(closure, prefix, spoiled):
            _, number, family, operation, shard = key.split(":")
            yield int(number), family, operation, int(shard), doc

    async def subscription(self, closure: str, item: str) -> JSON | None:
        """Where one subscription stands, or None before its first step."""
        found = await self.records.read(closure, f"sub:{item}")
        return found[0] if found else None

    async def note_subscription(self, closure: str, item: str, doc: JSON) -> None:
        """Keep where one subscription stands."""
        await self.records.put(closure, f"sub:{item}", {**doc, "at": iso(self.clock.now())})

    async def subscriptions(self, closure: str, spoiled: list[str] | None = None) -> dict[str, JSON]:
        """All subscriptions' standings by item id."""
        return {key[4:]: doc async for key, doc in self.rows(closure, "sub:", spoiled)}
