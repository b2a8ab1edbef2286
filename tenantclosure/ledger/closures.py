"""A closure's row, from its opening to its end, and the numbers of a tenant's closures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from tenantclosure import names
from tenantclosure.errors import RecordConflict, RecordMissing, RequestRefused
from tenantclosure.ledger.book import TRIES, iso, warn
from tenantclosure.ledger.leases import Lease, Leases, still_live, turn_of
from tenantclosure.names import Control, Result, Status, Word
from tenantclosure.ports import JSON


def purged(row: JSON) -> RequestRefused:
    """The refusal for a closure whose records were deleted after their time."""
    return RequestRefused(
        "closureId",
        f"The records of {row['closureId']} were purged on {row['purge']['at'][:10]}: there is nothing to go back to.",
        "Its report and its audit chain are kept.",
        status=409,
        kind="purged",
    )


class Closures(Leases):
    """The rows of all closures."""

    async def open_closure(
        self, request: JSON, requester: JSON, *, claimed: bool, terms: JSON, day_seconds: float, tenant_type: str = ""
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
            "tenantType": tenant_type,
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
        lease = await self.take_lease(closure, 0)
        await self.records.create("closure", closure, row)
        if not await self.keep_lease(lease):
            # An intake that stalled for longer than INTAKE has lost its lease: it must not open a second live closure.
            await self.records.remove("closure", closure)
            raise await self.taken(closure)
        await self.audit(closure, Word.CLOSURE_REQUESTED, requester, {"domain": request["domain"], "claimed": claimed})
        return row

    async def revive(self, lease: Lease, edit: Callable[[JSON], None]) -> JSON:
        """Make an ended closure's row live; `edit` does that, raises `rollback.number` to the lease's turn, and may
        raise to give up.

        RequestRefused (409) when the lease was lost because taking it is too long ago; then the row is as it was.
        """
        before: JSON = {}

        def live(row: JSON) -> None:
            if row["status"] != Status.ENDED or turn_of(row) + 1 != lease.turn:
                raise still_live(row["closureId"])
            if row.get("purge"):
                raise purged(row)
            before.clear()
            before.update(row)
            edit(row)

        row = await self.change(lease.closure, live)
        if await self.keep_lease(lease):
            return row

        def dead(fresh: JSON) -> None:
            if fresh["epoch"] == row["epoch"]:
                fresh.clear()
                fresh.update(before)

        await self.change(lease.closure, dead)
        raise await self.taken(lease.closure)

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
        spoiled: list[str] = []
        async for _, _, row in self.records.scan("closure", spoiled=spoiled):
            yield row
        warn(spoiled)

    async def end(self, closure: str, result: str, check: Callable[[JSON], None] | None = None) -> bool:
        """Write the result and give the lease back; harmless when repeated. False when somebody has asked for a
        rollback: that comes first, and the result is kept for its end.

        `check` is asked about the row as it is written, and may raise: it was opened again meanwhile, for another run.
        """

        def edit(row: JSON) -> None:
            if check is not None:
                check(row)
            if row["control"] == Control.ROLLBACK and row["result"] is None and result != Result.CLOSED:
                row["rollback"]["endsAs"] = result
                return
            row.update(status=Status.ENDED, result=result, endedAt=row["endedAt"] or iso(self.clock.now()), gate=None)

        if (await self.change(closure, edit))["result"] is None:
            return False
        await self.give_back(closure)
        return True
