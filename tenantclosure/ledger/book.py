"""What every page of the ledger is written with: records, clock, optimistic edits, the audit chain."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime

from tenantclosure import names
from tenantclosure.errors import RecordConflict, RecordMissing
from tenantclosure.policy import audit_chain
from tenantclosure.policy.audit_chain import Check, Head, Verdict
from tenantclosure.ports import JSON, Clock, Records

log = logging.getLogger(__name__)

TRIES = 20
"""How often an optimistic update is tried against other writers before it gives up."""
HEAD = "audit-head"
"""Key of the note of a chain's newest line: {hash, n, length}."""
LINE = 16 * 1024
"""Bytes of the tail that is read to find the chain's head; more is read when the last line is longer."""


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def warn(spoiled: list[str]) -> None:
    """Log what is wrong with documents that were left out; each stops its own closure only."""
    for what in spoiled:
        log.error("left out: %s", what)


class Book:
    """Records and clock, and what all of the ledger's parts do with them; `site` names the host that writes."""

    def __init__(self, records: Records, clock: Clock, site: str = "") -> None:
        self.records, self.clock, self.site = records, clock, site

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
        """Append one line to the closure's hash chain and note it; other writers are waited out by appending where the
        chain ended.

        The line comes before the write it tells of: after a crash it may stand there twice, but it is never missing.
        """
        path = names.audit_path(closure)
        entry = {"at": iso(self.clock.now()), "word": str(word), "closureId": closure, "actor": actor, "detail": detail}
        for _ in range(TRIES):
            position = await self.records.length(path)
            previous, number = audit_chain.head(await self._tail(path, position))
            line = audit_chain.link(entry, previous, number)
            try:
                length = await self.records.append(path, audit_chain.encode(line), position)
            except RecordConflict:
                continue
            await self._note_head(closure, Head(line["hash"], number, length))
            return
        raise RecordConflict(path)

    async def audit_verdict(self, closure: str, take: Callable[[JSON], None] = lambda line: None) -> Verdict:
        """What a check of every line finds, and of the newest line on record: lines cut off the end are found too.

        `take` is given each line that is in its place.
        """
        check = Check()
        async for raw in self.audit_stream(closure):
            line = check.take(raw)
            if line is None:
                break
            take(line)
        verdict = check.verdict
        fault = await self.audit_fault(closure) if verdict.ok else None
        return replace(verdict, ok=False, fault=fault) if fault else verdict

    async def audit_fault(self, closure: str) -> str | None:
        """Whether the chain still holds the newest line on record, and what came after it is linked to it: None, or
        what it does instead. Reads the chain's end only.
        """
        found = await self.records.read(closure, HEAD)
        return await self.chain_fault(closure, found[0] if found else None)

    async def chain_fault(self, closure: str, note: JSON | None) -> str | None:
        """The same for who has read the note of the newest line already."""
        path = names.audit_path(closure)
        if note is None:
            # A crash between the first line and its note leaves one line without it, never two.
            lines = audit_chain.head(await self._tail(path, await self.records.length(path)))[1]
            return f"has {lines} lines, but no note of the newest is left" if lines > 1 else None
        if not await self._goes_on(path, known := Head.from_dict(note)):
            return f"was cut or changed at or after line {known.number + 1}"
        return None

    async def _goes_on(self, path: str, known: Head) -> bool:
        """Whether the chain holds a line on record, and only lines that are linked to it come after it.

        One look shows it, so no other writer can come in between.
        """
        size = LINE
        while True:
            start = max(0, known.length - size)
            found = await self.records.read_from(path, start)
            held = known.length - start
            if len(found) != held:
                return len(found) > held and audit_chain.follows(known, found[held:])
            if start == 0 or b"\n" in found[:-1]:
                return audit_chain.head(found) == (known.hash, known.number + 1)
            size *= 4

    async def _note_head(self, closure: str, line: Head) -> None:
        """Note the newest line. A chain that does not follow from its note keeps it: that is how one sees it later."""
        path = names.audit_path(closure)
        for _ in range(TRIES):
            found = await self.records.read(closure, HEAD)
            try:
                if found is None:
                    if line.number <= 1:
                        await self.records.create(closure, HEAD, line.to_dict())
                    return
                known = Head.from_dict(found[0])
                if line.length > known.length and await self._goes_on(path, known):
                    await self.records.replace(closure, HEAD, line.to_dict(), found[1])
                return
            except RecordConflict:
                continue
        raise RecordConflict(f"{closure} {HEAD}")

    async def rows(
        self, closure: str, prefix: str, spoiled: list[str] | None = None
    ) -> AsyncIterator[tuple[str, JSON]]:
        """(key, document) of a closure's documents whose keys begin so; RailBroken at one that can't be trusted, unless
        `spoiled` takes what is wrong with it.
        """
        async for _, key, doc in self.records.scan(closure, first=prefix, last=prefix + "~", spoiled=spoiled):
            yield key, doc

    async def audit_lines(self, closure: str) -> list[bytes]:
        """All of the chain's lines, for who hands them on whole."""
        return [line async for line in self.audit_stream(closure)]

    async def audit_stream(self, closure: str) -> AsyncIterator[bytes]:
        """The chain's lines, oldest first; none before the first one."""
        try:
            async for line in self.records.read_lines(names.audit_path(closure)):
                yield line
        except RecordMissing:
            return

    async def audit_head(self, closure: str) -> str:
        """Hash of the chain's last line; 64 zeros before the first."""
        path = names.audit_path(closure)
        return audit_chain.head(await self._tail(path, await self.records.length(path)))[0]

    async def _tail(self, path: str, position: int) -> bytes:
        """The chain's last line, with what comes before it, of a chain that is so long."""
        size, tail = LINE, b""
        while position and b"\n" not in tail[:-1]:
            tail = await self.records.read_from(path, max(0, position - size))
            if size >= position:
                break
            size *= 4
        return tail
