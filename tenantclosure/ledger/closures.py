"""A closure's row, its tenant's lease and number."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

from tenantclosure import names
from tenantclosure.errors import RecordConflict, RecordMissing, RequestRefused
from tenantclosure.ledger.book import TRIES, Book, iso
from tenantclosure.names import Control, Status, Word
from tenantclosure.ports import JSON

INTAKE = timedelta(minutes=1)
"""Longest time between a lease and its closure's row; a lease alone for longer was left by a crash."""


class Closures(Book):
    """The rows of all closures."""

    async def open_closure(
        self, request: JSON, requester: JSON, *, claimed: bool, terms: JSON, day_seconds: float
    ) -> JSON:
        """Take the tenant's lease and write a new closure's row. RequestRefused (409) when one is live."""
        tenant = request["tenantId"]
        number = await self._next_number(tenant)
        closure = names.closure_id(tenant, number)
        now = iso(self.clock.now())
        row: JSON = {
            "schema": names.SCHEMA,
            "closureId": closure,
            "tenantId": tenant,
            "domain": request["domain"],
            "keeper": request["keeper"],
            "request": request,
            "requester": requester,
            "claimed": claimed,
            "terms": terms,
            "daySeconds": day_seconds,
            "status": Status.PLANNING,
            "phase": "",
            "result": None,
            "control": Control.RUN,
            "epoch": 1,
            "instanceId": names.instance_id(closure, 1),
            "planSerial": 1,
            "digest": None,
            "gate": None,
            "operators": [],
            "blockers": [],
            "createdAt": now,
            "updatedAt": now,
            "endedAt": None,
        }
        try:
            await self.records.create("lease", tenant, {"closureId": closure, "at": now})
        except RecordConflict:
            raise await self._taken(tenant, closure) from None
        await self.records.create("closure", closure, row)
        lease = await self.records.read("lease", tenant)
        if lease is None or lease[0]["closureId"] != closure:
            # An intake that stalled for longer than INTAKE has lost its lease: it must not open a second live closure.
            await self.records.remove("closure", closure)
            raise await self._taken(tenant, closure)
        await self.audit(closure, Word.CLOSURE_REQUESTED, requester, {"domain": request["domain"], "claimed": claimed})
        return row

    async def _taken(self, tenant: str, closure: str) -> RequestRefused:
        lease = await self.records.read("lease", tenant)
        live = lease[0]["closureId"] if lease else closure
        return RequestRefused(
            "tenantId",
            f"The closure {live} of this tenant is still live.",
            f"Follow it at /api/closures/{live}, or abort it first.",
            status=409,
            kind="closure-live",
            extra={"closureId": live},
        )

    async def _next_number(self, tenant: str) -> int:
        for _ in range(TRIES):
            found = await self.records.read("numbers", tenant)
            try:
                if found is None:
                    await self.records.create("numbers", tenant, {"last": 1})
                    return 1
                number = int(found[0]["last"]) + 1
                await self.records.replace("numbers", tenant, {"last": number}, found[1])
                return number
            except RecordConflict:
                continue
        raise RecordConflict(f"numbers of {tenant}")

    async def closure(self, closure: str) -> JSON:
        """The closure's row. Raises RecordMissing."""
        found = await self.records.read("closure", closure)
        if found is None:
            raise RecordMissing(closure)
        return found[0]

    async def change(self, closure: str, edit: Callable[[JSON], None]) -> JSON:
        """Edit the row in place, again and again until nobody else was in between; `edit` may raise to give up."""

        def dated(row: JSON) -> None:
            edit(row)
            row["updatedAt"] = iso(self.clock.now())

        return await self.edit("closure", closure, dated)

    async def closures(self) -> AsyncIterator[JSON]:
        """Every closure's row, by id."""
        async for _, _, row in self.records.scan("closure"):
            yield row

    async def live(self) -> list[str]:
        """Ids of the closures that hold a lease; a lease whose row was never written (a crash at intake) is
        given back.
        """
        live = []
        async for _, tenant, lease in self.records.scan("lease"):
            age = self.clock.now() - datetime.fromisoformat(lease["at"])
            if await self.records.read("closure", lease["closureId"]) is not None:
                live.append(lease["closureId"])
            elif age > INTAKE:
                await self.records.remove("lease", tenant)
        return live

    async def end(self, closure: str, result: str) -> None:
        """Write the result and give the lease back; harmless when repeated."""

        def edit(row: JSON) -> None:
            row.update(status=Status.ENDED, result=result, endedAt=row["endedAt"] or iso(self.clock.now()), gate=None)

        await self.change(closure, edit)
        lease = await self.records.read("lease", names.tenant_of(closure))
        if lease is not None and lease[0]["closureId"] == closure:
            await self.records.remove("lease", names.tenant_of(closure))
