"""A tenant's lease: at most one of its closures is live.

The lease is one document, {closureId, at, turn, by}, that is only ever replaced with the ETag that was read: of
several who want it one gets it. `closureId` is "" while no closure of the tenant is live; `turn` counts the closure's
rollbacks, so a lease that somebody takes to open an ended closure again is told from the one that its end left behind.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from tenantclosure import names
from tenantclosure.errors import RailBroken, RecordConflict, RecordNewer, RequestRefused
from tenantclosure.ledger.book import TRIES, Book, iso, warn
from tenantclosure.names import Status
from tenantclosure.ports import JSON

INTAKE = timedelta(minutes=1)
"""Longest time between a lease and its closure's row; a lease without a live row for longer was left by a crash."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease just taken; `etag` shows whether it still is what was taken."""

    closure: str
    turn: int
    etag: str


def turn_of(row: JSON) -> int:
    """How many rollbacks of this closure were asked for."""
    return int((row.get("rollback") or {}).get("number", 0))


def still_live(closure: str) -> RequestRefused:
    """The refusal while this closure is live."""
    return RequestRefused(
        "tenantId",
        f"The closure {closure} of this tenant is still live.",
        f"Follow it at /api/closures/{closure}, or abort it first.",
        status=409,
        kind="closure-live",
        extra={"closureId": closure},
    )


class Leases(Book):
    """Who is live."""

    async def take_lease(self, closure: str, turn: int) -> Lease:
        """The tenant's lease, if it is free, or is what an end or a crash of this very closure left behind.

        RequestRefused (409) when it is taken. Whoever takes it writes the row next, and then asks `keep_lease`.
        """
        tenant = names.tenant_of(closure)
        found = await self.records.read("lease", tenant)
        own = found is not None and found[0]["closureId"] == closure
        left = own and found is not None and (found[0].get("turn", 0) < turn or self._old(found[0]))
        if left or found is None or not found[0]["closureId"]:
            etag = await self._written(tenant, closure, turn, found[1] if found else None)
            if etag is not None:
                return Lease(closure, turn, etag)
        raise await self.taken(closure)

    async def keep_lease(self, lease: Lease) -> bool:
        """Whether the lease was not lost since it was taken. It is lost when that is longer ago than INTAKE."""
        tenant = names.tenant_of(lease.closure)
        return await self._written(tenant, lease.closure, lease.turn, lease.etag) is not None

    async def taken(self, closure: str) -> RequestRefused:
        """The refusal for `closure` when somebody else has the lease."""
        found = await self.records.read("lease", names.tenant_of(closure))
        return still_live(str(found[0]["closureId"] or closure) if found else closure)

    async def give_back(self, closure: str) -> None:
        """Free the lease of a closure that has ended; not one that somebody has just taken to open it again."""
        tenant = names.tenant_of(closure)
        found = await self.records.read("lease", tenant)
        if found is None or found[0]["closureId"] != closure:
            return
        row = await self.records.read("closure", closure)  # after the lease: whoever opens it again takes that first
        lease, etag = found
        if row is None or row[0]["status"] == Status.ENDED:
            over = row is not None and lease.get("turn", 0) <= turn_of(row[0])
            if over or self._old(lease):
                await self._written(tenant, "", 0, etag)

    async def live(self) -> list[str]:
        """Ids of the closures that hold a lease; a lease whose row was never written (a crash at intake) is freed."""
        live: list[str] = []
        spoiled: list[str] = []
        async for _, _, lease in self.records.scan("lease", spoiled=spoiled):
            closure = lease["closureId"]
            if not closure:
                continue
            if await self._has_row(closure):
                live.append(closure)
            else:
                await self.give_back(closure)
        warn(spoiled)
        return live

    async def _has_row(self, closure: str) -> bool:
        try:
            return await self.records.read("closure", closure) is not None
        except (RailBroken, RecordNewer):  # there is one, and whoever reads it stops
            return True

    async def _written(self, tenant: str, closure: str, turn: int, etag: str | None) -> str | None:
        """The lease's new ETag, if nobody else wrote it since `etag` (None: since it was not there)."""
        by = secrets.token_hex(8)  # tells our own write, whose answer was lost, from another one of the same moment
        doc: JSON = {"closureId": closure, "at": iso(self.clock.now()), "turn": turn, "by": by}
        for _ in range(TRIES):
            try:
                if etag is None:
                    return await self.records.create("lease", tenant, doc)
                return await self.records.replace("lease", tenant, doc, etag)
            except RecordConflict:
                found = await self.records.read("lease", tenant)
                if found is not None and found[0] == doc:
                    return found[1]
                if found is None or found[1] != etag:
                    return None
        return None

    def _old(self, lease: JSON) -> bool:
        return self.clock.now() - datetime.fromisoformat(lease["at"]) > INTAKE
