"""Purging what lies in Records of a closure that ended long ago: begun once, done in portions, written down.

The audit chain, the note of its newest line, the report and a short row stay: they say that there was a closure, what
came of it, and that its records were purged. A row whose `purge` {at, head, histories, refused, againAt, doneAt} is set
can't be opened again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tenantclosure import names
from tenantclosure.errors import RailBroken, RecordMissing, ServiceTrouble
from tenantclosure.ledger.book import HEAD, Book, iso
from tenantclosure.names import Rail, Status, Word
from tenantclosure.ports import JSON

NOBODY = {"tenantId": "", "objectId": "", "upn": "", "name": "", "mail": ""}
_KEPT = (HEAD, f"mark:{names.REPORT}:000")
"""Rows that stay beside the closure's own: what proves the chain, and how many files the report has."""
_KEPT_REQUEST = ("schema", "tenantId", "domain", "reason", "quietDays", "backupConfirmed")
"""What stays of a request: nothing that names a person."""


class Retention(Book):
    """What is deleted, and what is kept of it. Everything here is harmless when repeated."""

    async def begin_purge(self, closure: str, older: timedelta) -> JSON:
        """Say in the audit and on the row that this closure's records go; the row.

        Raises RailBroken for a closure that is live, is being opened again, or did not end longer ago than `older`.
        """
        row = await self._row(closure)
        self._check(row, older)
        if row.get("purge"):
            return row
        lease = await self.records.read("lease", names.tenant_of(closure))
        if lease is not None and lease[0]["closureId"] == closure:
            raise RailBroken(Rail.RETENTION, f"{closure} holds its tenant's lease: it is live, or about to be.")
        head = await self.audit_head(closure)
        told = {"endedAt": row["endedAt"], "head": head}
        await self.audit(closure, Word.RECORDS_PURGED, None, told)
        purge: JSON = {
            "at": iso(self.clock.now()),
            "head": head,
            "histories": 0,
            "refused": None,
            "againAt": None,
            "doneAt": None,
        }

        def edit(fresh: JSON) -> None:
            self._check(fresh, older)  # it may have been opened again meanwhile
            fresh["purge"] = fresh.get("purge") or purge

        return await self.edit("closure", closure, edit)

    async def note_purge(self, closure: str, **what: object) -> JSON:
        """Keep how far the purge is."""
        return await self.edit("closure", closure, lambda row: row["purge"].update(what))

    async def purge_rows(self, closure: str, most: int) -> int:
        """Delete so many of the closure's documents and links at most; how many there were.

        Raises RailBroken at a document that is not sealed by us: it may be evidence, so people look at it first.
        """
        await self._begun(closure)
        found = [("link", key) async for _, key, doc in self.records.scan("link") if doc["closureId"] == closure]
        if len(found) < most:
            found += [(closure, key) async for _, key, _ in self.records.scan(closure) if key not in _KEPT]
        for partition, key in found[:most]:
            await self.records.remove(partition, key)
        return len(found[:most])

    async def purge_blobs(self, closure: str, most: int) -> tuple[int, list[str]]:
        """Delete so many of the closure's blobs at most, but for its report: how many went, and why some did not."""
        await self._begun(closure)
        gone, refused = 0, list[str]()
        async for path in self.records.paths(f"{closure}/"):
            if path.startswith(f"{closure}/report/"):
                continue
            if gone + len(refused) >= most:
                break
            try:
                await self.records.remove_blob(path)
                gone += 1
            except ServiceTrouble as trouble:
                refused.append(str(trouble))
        return gone, refused

    async def finish_purge(self, closure: str) -> JSON:
        """Take people's names off the row as well, and say that it is done."""
        await self._begun(closure)

        def edit(row: JSON) -> None:
            kept = {key: row["request"][key] for key in _KEPT_REQUEST if key in row["request"]}
            row["request"] = {**kept, "keeper": "", "approvers": [], "keep": []}
            row.update(keeper="", requester=dict(NOBODY), operators=[], blockers=[], gate=None, terms={})
            row["purge"].update(doneAt=iso(self.clock.now()), refused=None, againAt=None)

        return await self.edit("closure", closure, edit)

    async def purge_nonces(self, before: datetime, most: int) -> int:
        """Delete so many nonces at most that were used up before then; a callback so old is refused by its time."""
        old = [key async for _, key, doc in self.records.scan("nonce") if datetime.fromisoformat(doc["at"]) < before]
        for key in old[:most]:
            await self.records.remove("nonce", key)
        return len(old[:most])

    async def _row(self, closure: str) -> JSON:
        found = await self.records.read("closure", closure)
        if found is None:
            raise RecordMissing(closure)
        return found[0]

    async def _begun(self, closure: str) -> None:
        row = await self._row(closure)
        if row["status"] != Status.ENDED or not row.get("purge"):
            raise RailBroken(Rail.RETENTION, f"The purge of {closure} was not begun.")

    def _check(self, row: JSON, older: timedelta) -> None:
        if row["status"] != Status.ENDED or row["endedAt"] is None:
            raise RailBroken(Rail.RETENTION, f"{row['closureId']} is live: nothing of it is purged.")
        if self.clock.now() - datetime.fromisoformat(row["endedAt"]) < older:
            raise RailBroken(Rail.RETENTION, f"{row['closureId']} ended too short a time ago to be purged.")
