"""Records whose documents are sealed: whatever else lies in the table does not count (ADR 16)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from tenantclosure.errors import RailBroken, RecordNewer
from tenantclosure.model.keys import KeyRing
from tenantclosure.names import SCHEMA, Rail
from tenantclosure.policy import seals
from tenantclosure.ports import JSON, Records


class SealedRecords:
    """`ports.Records` over other Records: seals every document it writes and believes none without its seal.

    Blobs need no seal of their own: a sealed document holds the digest of each that is relied on. `keys` gives the key
    ring; it is asked once, by `prepare`.
    """

    def __init__(self, records: Records, keys: Callable[[], Awaitable[KeyRing]]) -> None:
        self._records, self._keys = records, keys
        self._ring: KeyRing | None = None

    async def prepare(self) -> None:
        """Fetch the keys and prepare the storage. Raises SettingsError for keys that are missing or unusable."""
        if self._ring is None:
            self._ring = await self._keys()
        await self._records.prepare()

    async def close(self) -> None:
        """Give connections back."""
        await self._records.close()

    # -- documents ---------------------------------------------------------------------------------------------------
    async def create(self, partition: str, key: str, doc: JSON) -> str:
        """Insert a sealed document."""
        return await self._records.create(partition, key, self._sealed(partition, key, doc))

    async def read(self, partition: str, key: str) -> tuple[JSON, str] | None:
        """A document whose seal is sound. Raises RailBroken, RecordNewer."""
        found = await self._records.read(partition, key)
        return None if found is None else (self._opened(partition, key, found[0]), found[1])

    async def replace(self, partition: str, key: str, doc: JSON, etag: str) -> str:
        """Overwrite a document that still has this ETag."""
        return await self._records.replace(partition, key, self._sealed(partition, key, doc), etag)

    async def put(self, partition: str, key: str, doc: JSON) -> None:
        """Insert or overwrite without asking."""
        await self._records.put(partition, key, self._sealed(partition, key, doc))

    async def remove(self, partition: str, key: str) -> None:
        """Delete a document."""
        await self._records.remove(partition, key)

    async def scan(
        self, partition: str | None = None, *, first: str = "", last: str = "", spoiled: list[str] | None = None
    ) -> AsyncIterator[tuple[str, str, JSON]]:
        """Documents whose seals are sound; one that is not raises, or is named in `spoiled` and left out."""
        async for place, key, doc in self._records.scan(partition, first=first, last=last):
            try:
                opened = self._opened(place, key, doc)
            except (RailBroken, RecordNewer) as broken:
                if spoiled is None:
                    raise
                spoiled.append(broken.detail if isinstance(broken, RailBroken) else str(broken))
                continue
            yield place, key, opened

    def _sealed(self, partition: str, key: str, doc: JSON) -> JSON:
        return seals.sealed(self._ready(), _place(partition, key), doc, SCHEMA)

    def _opened(self, partition: str, key: str, doc: JSON) -> JSON:
        place = _place(partition, key)
        if (fault := seals.fault(self._ready(), place, doc)) is not None:
            raise RailBroken(Rail.SEAL, f"The record {place} {fault}.")
        if (schema := seals.schema_of(doc)) > SCHEMA:
            raise RecordNewer(f"The record {place} has schema {schema}, ours is {SCHEMA}: deploy that version again.")
        return seals.bare(doc)

    def _ready(self) -> KeyRing:
        if self._ring is None:
            raise RuntimeError("SealedRecords were used before prepare().")
        return self._ring

    # -- blobs and queues, as they are -------------------------------------------------------------------------------
    async def write_blob(self, path: str, data: bytes) -> None:
        """Create or overwrite a blob."""
        await self._records.write_blob(path, data)

    async def write_pieces(self, path: str, pieces: AsyncIterator[bytes]) -> None:
        """The same, streamed."""
        await self._records.write_pieces(path, pieces)

    async def read_blob(self, path: str) -> bytes:
        """A whole blob."""
        return await self._records.read_blob(path)

    def read_lines(self, path: str) -> AsyncIterator[bytes]:
        """A blob's lines, streamed."""
        return self._records.read_lines(path)

    def read_pieces(self, path: str, length: int | None = None) -> AsyncIterator[bytes]:
        """A blob's bytes, streamed."""
        return self._records.read_pieces(path, length)

    async def append(self, path: str, data: bytes, position: int) -> int:
        """Append to an append blob."""
        return await self._records.append(path, data, position)

    async def length(self, path: str) -> int:
        """Length of a blob in bytes."""
        return await self._records.length(path)

    async def read_from(self, path: str, start: int) -> bytes:
        """A blob's bytes from there to its end."""
        return await self._records.read_from(path, start)

    def paths(self, prefix: str) -> AsyncIterator[str]:
        """Paths of all blobs that begin so."""
        return self._records.paths(prefix)

    async def remove_blob(self, path: str) -> None:
        """Delete a blob."""
        await self._records.remove_blob(path)

    async def enqueue(self, queue: str, message: JSON) -> None:
        """Put one message on a queue."""
        await self._records.enqueue(queue, message)

    async def peek(self, queue: str, most: int = 32) -> list[JSON]:
        """Look at messages without taking them."""
        return await self._records.peek(queue, most)


def _place(partition: str, key: str) -> str:
    return f"{partition}/{key}"
