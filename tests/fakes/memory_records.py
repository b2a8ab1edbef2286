"""`ports.Records` in memory, for tests of activities; the contract suite holds it to what Azure Storage does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import count

from tenantclosure.errors import RailBroken, RecordConflict, RecordMissing
from tenantclosure.gateways.records import documents
from tenantclosure.gateways.records.keys import escape
from tenantclosure.gateways.records.queue import MOST, body_of, packed
from tenantclosure.names import Rail, is_audit
from tenantclosure.ports import JSON


class MemoryRecords:
    """Documents as JSON text, blobs as bytes, queues as lists; `writes` keeps each write as (method, name)."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], tuple[str, str]] = {}
        self.blobs: dict[str, bytes] = {}
        self.growing: set[str] = set()
        self.queues: dict[str, list[JSON]] = {}
        self.writes: list[tuple[str, str]] = []
        self._numbers = count(1)

    async def prepare(self) -> None:
        """Nothing is missing in memory."""

    async def close(self) -> None:
        """Nothing is open in memory."""

    async def create(self, partition: str, key: str, doc: JSON) -> str:
        if (partition, key) in self.documents:
            raise RecordConflict(f"create document {partition}/{key}: it is there.")
        return self._store("create", partition, key, doc)

    async def read(self, partition: str, key: str) -> tuple[JSON, str] | None:
        escape(partition), escape(key)
        found = self.documents.get((partition, key))
        return None if found is None else (json.loads(found[0]), found[1])

    async def replace(self, partition: str, key: str, doc: JSON, etag: str) -> str:
        found = self.documents.get((partition, key))
        if found is None or found[1] != etag:
            raise RecordConflict(f"replace document {partition}/{key}: it has another ETag.")
        return self._store("replace", partition, key, doc)

    async def put(self, partition: str, key: str, doc: JSON) -> None:
        self._store("put", partition, key, doc)

    async def remove(self, partition: str, key: str) -> None:
        escape(partition), escape(key)
        self.writes.append(("remove", f"{partition}/{key}"))
        self.documents.pop((partition, key), None)

    async def scan(
        self, partition: str | None = None, *, first: str = "", last: str = "", spoiled: list[str] | None = None
    ) -> AsyncIterator[tuple[str, str, JSON]]:
        for (place, key), (text, _) in sorted(self.documents.items()):
            if partition in (None, place) and first <= key and (not last or key <= last):
                yield place, key, json.loads(text)

    async def write_blob(self, path: str, data: bytes) -> None:
        self.writes.append(("write_blob", path))
        self.blobs[path] = bytes(data)
        self.growing.discard(path)

    async def write_pieces(self, path: str, pieces: AsyncIterator[bytes]) -> None:
        await MemoryRecords.write_blob(self, path, b"".join([piece async for piece in pieces]))

    async def read_blob(self, path: str) -> bytes:
        if path not in self.blobs:
            raise RecordMissing(f"read blob {path}: it is not there.")
        return self.blobs[path]

    async def read_lines(self, path: str) -> AsyncIterator[bytes]:
        lines = (await self.read_blob(path)).split(b"\n")
        for line in lines if lines[-1] else lines[:-1]:
            yield line

    async def read_pieces(self, path: str, length: int | None = None) -> AsyncIterator[bytes]:
        data = await self.read_blob(path)
        yield data[:length]

    async def append(self, path: str, data: bytes, position: int) -> int:
        if path not in self.blobs and position == 0:
            self.blobs[path] = b""
            self.growing.add(path)
        if path not in self.growing or len(self.blobs[path]) != position:
            raise RecordConflict(f"append to blob {path} at {position}: it has another length.")
        self.writes.append(("append", path))
        self.blobs[path] += data
        return len(self.blobs[path])

    async def length(self, path: str) -> int:
        return len(self.blobs.get(path, b""))

    async def read_from(self, path: str, start: int) -> bytes:
        return self.blobs.get(path, b"")[start:]

    async def paths(self, prefix: str) -> AsyncIterator[str]:
        for path in sorted(self.blobs):
            if path.startswith(prefix) and not is_audit(path):
                yield path

    async def remove_blob(self, path: str) -> None:
        if is_audit(path):
            raise RailBroken(Rail.AUDIT, f"{path} is an audit chain: it is never deleted.")
        self.writes.append(("remove_blob", path))
        self.blobs.pop(path, None)

    async def enqueue(self, queue: str, message: JSON) -> None:
        body = body_of(packed(queue, message))
        self.writes.append(("enqueue", queue))
        inserted = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
        row = {"id": str(next(self._numbers)), "insertedAt": inserted, "body": body}
        self.queues.setdefault(queue, []).append(row)

    async def peek(self, queue: str, most: int = MOST) -> list[JSON]:
        return self.queues.get(queue, [])[: min(most, MOST)]

    def _store(self, method: str, partition: str, key: str, doc: JSON) -> str:
        text = json.dumps(documents.unpacked(documents.packed(partition, key, doc)))
        etag = f"etag-{next(self._numbers)}"
        self.documents[partition, key] = (text, etag)
        self.writes.append((method, f"{partition}/{key}"))
        return etag
