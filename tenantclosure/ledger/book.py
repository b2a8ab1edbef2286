"""What every page of the ledger is written with: records, clock, optimistic edits, the audit chain."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from tenantclosure import names
from tenantclosure.errors import RecordConflict, RecordMissing
from tenantclosure.policy import audit_chain
from tenantclosure.ports import JSON, Clock, Records

TRIES = 20
"""How often an optimistic update is tried against other writers before it gives up."""
LINE = 16 * 1024
"""Bytes of the tail that is read to find the chain's head; more is read when the last line is longer."""


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Book:
    """Records and clock, and what all of the ledger's parts do with them."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self.records, self.clock = records, clock

    async def edit(self, partition: str, key: str, change: Callable[[JSON], None]) -> JSON:
        """Edit a document in place, again and again until nobody else was in between; `change` may raise to give up.

        Raises RecordMissing if there is none.
        """
        for _ in range(TRIES):
            found = await self.records.read(partition, key)
            if found is None:
                raise RecordMissing(f"{partition} {key}")
            doc, etag = found
            change(doc)
            try:
                await self.records.replace(partition, key, doc, etag)
            except RecordConflict:
                continue
            return doc
        raise RecordConflict(f"{partition} {key}")

    async def audit(self, closure: str, word: str, actor: JSON | None, detail: JSON) -> None:
        """Append one line to the closure's hash chain; other writers are waited out by appending at a known position.

        The line comes before the write it tells of: after a crash it may stand there twice, but it is never missing.
        """
        path = names.audit_path(closure)
        entry = {"at": iso(self.clock.now()), "word": str(word), "closureId": closure, "actor": actor, "detail": detail}
        for _ in range(TRIES):
            position = await self.records.length(path)
            previous, number = audit_chain.head(await self._tail(path, position))
            try:
                await self.records.append(path, audit_chain.encode(audit_chain.link(entry, previous, number)), position)
            except RecordConflict:
                continue
            return
        raise RecordConflict(path)

    async def audit_lines(self, closure: str) -> list[bytes]:
        """The chain's lines, oldest first; empty before the first one."""
        try:
            return [line async for line in self.records.read_lines(names.audit_path(closure))]
        except RecordMissing:
            return []

    async def audit_head(self, closure: str) -> str:
        """Hash of the chain's last line; 64 zeros before the first."""
        path = names.audit_path(closure)
        return audit_chain.head(await self._tail(path, await self.records.length(path)))[0]

    async def _tail(self, path: str, position: int) -> bytes:
        tail, size = await self.records.read_tail(path, LINE) if position else b"", LINE
        while size < position and b"\n" not in tail[:-1]:
            size *= 4
            tail = await self.records.read_tail(path, size)
        return tail
