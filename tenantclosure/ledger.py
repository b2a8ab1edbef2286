"""How a closure lies in Records: its row, lease, marks, shards, gates, decisions, tasks and audit lines.

Partitions of the one table (keys sort as written):

```text
lease      {tenantId}                             {closureId}                    one live closure per tenant
numbers    {tenantId}                             {last}                         how many closures there were
closure    {closureId}                            the closure's row
{closureId} mark:{phase}:{serial}                 a phase is done (or a point in it passed)
            shard:{serial}:{family}:{op}:{nnnnn}  counts of one shard, `done` when its evidence is complete
            gate:{gate}:{serial}                  terms and state of one gate
            decision:{gate}:{serial}:{at}:{oid}   what a person said
            task:{task}                           a manual task
            sub:{item}                            where one subscription stands
```
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta

from tenantclosure import names
from tenantclosure.errors import RecordConflict, RecordMissing, RequestRefused
from tenantclosure.model.people import Person
from tenantclosure.names import Control, Status, Word
from tenantclosure.policy import audit_chain
from tenantclosure.ports import JSON, Clock, Records

TRIES = 20
"""How often an optimistic update is tried against other writers before it gives up."""
INTAKE = timedelta(minutes=1)
"""Longest time between a lease and its closure's row; a lease alone for longer was left by a crash."""
LINE = 16 * 1024
"""Bytes of the tail that is read to find the chain's head; more is read when the last line is longer."""


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Ledger:
    """Every read and write of closure records; the only place that knows their keys."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self.records, self.clock = records, clock

    # -- the closure's row --------------------------------------------------------------------------------------------
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
        for _ in range(TRIES):
            found = await self.records.read("closure", closure)
            if found is None:
                raise RecordMissing(closure)
            row, etag = found
            edit(row)
            row["updatedAt"] = iso(self.clock.now())
            try:
                await self.records.replace("closure", closure, row, etag)
            except RecordConflict:
                continue
            return row
        raise RecordConflict(closure)

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

    # -- marks and shards ---------------------------------------------------------------------------------------------
    async def set_mark(self, closure: str, mark: str, serial: int, doc: JSON) -> JSON:
        """Say that a phase (or a point in it) is done; returns the mark with its time."""
        dated = {**doc, "at": iso(self.clock.now())}
        await self.records.put(closure, f"mark:{mark}:{serial:03d}", dated)
        return dated

    async def mark(self, closure: str, mark: str, serial: int) -> JSON | None:
        """A mark's document, or None."""
        found = await self.records.read(closure, f"mark:{mark}:{serial:03d}")
        return found[0] if found else None

    async def marks(self, closure: str) -> dict[tuple[str, int], JSON]:
        """All marks by (mark, serial)."""
        return {
            (key.split(":")[1], int(key.split(":")[2])): doc
            async for _, key, doc in self.records.scan(closure, first="mark:", last="mark:~")
        }

    async def note_shard(self, closure: str, serial: int, family: str, operation: str, shard: int, doc: JSON) -> None:
        """Counts of one shard: {outcome: n}, `done`, `sha256` of its evidence once done, writes and when."""
        await self.records.put(
            closure, f"shard:{serial:03d}:{family}:{operation}:{shard:05d}", {**doc, "at": iso(self.clock.now())}
        )

    async def shards(self, closure: str, serial: int | None = None) -> AsyncIterator[tuple[int, str, str, int, JSON]]:
        """(serial, family, operation, shard, counts) of every shard worked on, of one plan serial or of all."""
        prefix = "shard:" if serial is None else f"shard:{serial:03d}:"
        async for _, key, doc in self.records.scan(closure, first=prefix, last=prefix + "~"):
            _, number, family, operation, shard = key.split(":")
            yield int(number), family, operation, int(shard), doc

    # -- gates and decisions ------------------------------------------------------------------------------------------
    async def open_gate(self, closure: str, gate: str, serial: int, digest: str) -> JSON:
        """Open a gate once; a gate that is open already is returned as it is."""
        row = await self.closure(closure)
        terms = row["terms"][gate]
        now = self.clock.now()
        doc: JSON = {
            "gate": gate,
            "serial": serial,
            "digest": digest,
            "openedAt": iso(now),
            "answerBy": iso(now + timedelta(days=terms["answerByDays"])),
            "executeBy": None,
            "executeByDays": terms["executeByDays"],
            "groups": terms["groups"],
            "distinct": terms["distinct"],
            "requester": row["requester"].get("key"),
            "state": "open",
        }
        found = await self.gate(closure, gate, serial)
        if found is None:
            await self.audit(closure, Word.GATE_OPENED, None, {"gate": gate, "serial": serial, "digest": digest})
            await self.records.create(closure, _gate_key(gate, serial), doc)
            return doc
        if found["digest"] != digest:
            raise RecordConflict(f"{closure} {gate} {serial}: the gate is open over another plan.")
        return found

    async def gate(self, closure: str, gate: str, serial: int) -> JSON | None:
        """One gate's document, or None if it never opened."""
        found = await self.records.read(closure, _gate_key(gate, serial))
        return found[0] if found else None

    async def close_gate(self, closure: str, gate: str, serial: int, state: str, approvals: list[str]) -> JSON:
        """Write what a gate came to; an approval starts its execute-by date. Harmless when repeated."""
        found = await self.records.read(closure, _gate_key(gate, serial))
        if found is None:
            raise RecordMissing(f"{closure} {gate} {serial}")
        doc, etag = found
        if doc["state"] != "open":
            return doc
        now = self.clock.now()
        doc.update(state=state, approvals=approvals, closedAt=iso(now))
        if state == "approved":
            doc["executeBy"] = iso(now + timedelta(days=doc["executeByDays"]))
        await self.audit(closure, Word.GATE_CLOSED, None, {"gate": gate, "serial": serial, "state": state})
        await self.records.replace(closure, _gate_key(gate, serial), doc, etag)
        return doc

    async def decide(self, closure: str, decision: JSON, person: Person) -> JSON:
        """Store a decision before anything is woken; `decision` holds gate, serial, digest, decision, comment."""
        at = iso(self.clock.now())
        doc = {**decision, "at": at, "person": person.to_dict()}
        key = f"decision:{decision['gate']}:{decision['serial']:03d}:{at}:{person.object_id}"
        told = {name: decision[name] for name in ("gate", "serial", "digest", "decision", "comment")}
        await self.audit(closure, Word.GATE_DECIDED, person.to_dict(), told)
        await self.records.create(closure, key, doc)
        return doc

    async def decisions(self, closure: str) -> list[JSON]:
        """Every decision of a closure in the order of gates, serials and time."""
        return [doc async for _, _, doc in self.records.scan(closure, first="decision:", last="decision:~")]

    # -- manual tasks -------------------------------------------------------------------------------------------------
    async def open_task(self, closure: str, task: JSON) -> JSON:
        """Open a manual task, or open it again if it was proven before; the instance that waits for it is kept current.

        `task` holds taskId, kind, target, title, steps, who, link, warning, instance.
        """
        doc = {**task, "state": "open", "openedAt": iso(self.clock.now()), "reports": []}
        found = await self.task(closure, task["taskId"])
        if found is not None and found["state"] == "open" and found["instance"] == task["instance"]:
            return found
        if found is None or found["state"] != "open":
            await self.audit(closure, Word.TASK_OPENED, None, {"task": task["taskId"], "kind": task["kind"]})
        if found is not None:
            again = {"state": "open", "instance": task["instance"]}
            return await self.change_task(closure, task["taskId"], lambda doc: doc.update(again))
        await self.records.create(closure, f"task:{task['taskId']}", doc)
        return doc

    async def task(self, closure: str, task: str) -> JSON | None:
        """One task, or None."""
        found = await self.records.read(closure, f"task:{task}")
        return found[0] if found else None

    async def change_task(self, closure: str, task: str, edit: Callable[[JSON], None]) -> JSON:
        """Edit a task; RecordMissing if there is none."""
        for _ in range(TRIES):
            found = await self.records.read(closure, f"task:{task}")
            if found is None:
                raise RecordMissing(task)
            doc, etag = found
            edit(doc)
            try:
                await self.records.replace(closure, f"task:{task}", doc, etag)
            except RecordConflict:
                continue
            return doc
        raise RecordConflict(task)

    async def report_task(self, closure: str, task: str, person: Person, comment: str) -> JSON:
        """Keep that a person says it is done; that only triggers the probe, it proves nothing."""
        entry = {"by": person.to_dict(), "at": iso(self.clock.now()), "comment": comment}
        doc = await self.change_task(closure, task, lambda doc: doc["reports"].append(entry))
        await self.audit(closure, Word.TASK_REPORTED, person.to_dict(), {"task": task, "comment": comment})
        return doc

    async def prove_task(self, closure: str, task: str, proof: str) -> None:
        """Close a task whose probe succeeded. Harmless when repeated."""
        found = await self.task(closure, task)
        if found is None:
            raise RecordMissing(task)
        if found["state"] == "open":
            await self.audit(closure, Word.TASK_PROVEN, None, {"task": task, "proof": proof})
            proven = {"state": "proven", "provenAt": iso(self.clock.now()), "proof": proof}
            await self.change_task(closure, task, lambda doc: doc.update(proven))

    async def tasks(self, closure: str) -> list[JSON]:
        """Every manual task of a closure."""
        return [doc async for _, _, doc in self.records.scan(closure, first="task:", last="task:~")]

    # -- subscriptions ------------------------------------------------------------------------------------------------
    async def subscription(self, closure: str, item: str) -> JSON | None:
        """Where one subscription stands, or None before its first step."""
        found = await self.records.read(closure, f"sub:{item}")
        return found[0] if found else None

    async def note_subscription(self, closure: str, item: str, doc: JSON) -> None:
        """Keep where one subscription stands."""
        await self.records.put(closure, f"sub:{item}", {**doc, "at": iso(self.clock.now())})

    async def subscriptions(self, closure: str) -> dict[str, JSON]:
        """All subscriptions' standings by item id."""
        return {key[4:]: doc async for _, key, doc in self.records.scan(closure, first="sub:", last="sub:~")}

    # -- audit --------------------------------------------------------------------------------------------------------
    async def audit(self, closure: str, word: str, actor: JSON | None, detail: JSON) -> None:
        """Append one line to the closure's hash chain; other writers are waited out by appending at a known position.

        The line comes before the write it tells of: after a crash it may stand there twice, but it is never missing.
        """
        path = names.audit_path(closure)
        entry = {"at": iso(self.clock.now()), "word": str(word), "closureId": closure, "actor": actor, "detail": detail}
        for _ in range(TRIES):
            position = await self.records.length(path)
            tail, size = await self.records.read_tail(path, LINE) if position else b"", LINE
            while size < position and b"\n" not in tail[:-1]:
                size *= 4
                tail = await self.records.read_tail(path, size)
            previous, number = audit_chain.head(tail)
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


async def once(ledger: Ledger, closure: str, mark: str, serial: int, work: Callable[[], Awaitable[JSON]]) -> JSON:
    """Do `work` unless its mark is there; the mark's document is what it returned."""
    found = await ledger.mark(closure, mark, serial)
    if found is not None:
        return found
    doc = await work()
    await ledger.set_mark(closure, mark, serial, doc)
    return doc


def _gate_key(gate: str, serial: int) -> str:
    return f"gate:{gate}:{serial:03d}"
