"""Gates, and what people said at them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tenantclosure.errors import RecordConflict, RecordMissing
from tenantclosure.ledger.book import HEAD, TRIES, Book, iso
from tenantclosure.model.people import Person
from tenantclosure.names import Word
from tenantclosure.ports import JSON


@dataclass(frozen=True, slots=True)
class Words:
    """The note of the audit's newest line, and the gates by their keys."""

    note: JSON | None
    gates: dict[str, JSON]

    def gate(self, gate: str, serial: int) -> JSON | None:
        """One gate's document, or None if it never opened."""
        return self.gates.get(_gate_key(gate, serial))


class Gates(Book):
    """Gates and decisions.

    A gate's document: {gate, serial, digest, openedAt, answerBy, answerByDays, executeBy, executeByDays, groups,
    distinct, excluded, absent, limits, state, approvals, closedAt, reopened, asked, reminders, escalating, told, said}.
    `groups` is {name: {quorum, people, deputies}}, people and deputies being persons {tenantId, objectId, upn, name,
    mail}; deputies who were asked stand among the people too. `state` is open, approved, vetoed or expired. `asked`
    counts the rounds (one more than `reopened`) in which everybody was asked, `escalating` names the groups whose
    deputies are being asked just now, `told` says that the audit and people know what a closed gate came to. `said`
    counts decisions, so that each one changes the ETag and nothing is judged while somebody speaks.
    """

    async def open_gate(self, closure: str, terms: JSON) -> JSON:
        """Open a gate once; one that was opened already is returned as it is.

        `terms` is {gate, serial, digest, answerByDays, executeByDays, groups, distinct, excluded, absent, limits}.
        Raises RecordConflict when it is open over another digest.
        """
        gate, serial, now = terms["gate"], terms["serial"], self.clock.now()
        doc: JSON = {
            **terms,
            "openedAt": iso(now),
            "answerBy": iso(now + timedelta(days=terms["answerByDays"])),
            "executeBy": None,
            "state": "open",
            "approvals": [],
            "closedAt": None,
            "reopened": [],
            "asked": 0,
            "reminders": 0,
            "escalating": [],
            "told": False,
            "said": 0,
        }
        found = await self.gate(closure, gate, serial)
        if found is None:
            told = {"gate": gate, "serial": serial, "digest": terms["digest"], "limits": terms["limits"]}
            await self.audit(closure, Word.GATE_OPENED, None, told)
            await self.records.create(closure, _gate_key(gate, serial), doc)
            return doc
        if found["digest"] != terms["digest"]:
            raise RecordConflict(f"{closure} {gate} {serial}: the gate is open over another plan.")
        return found

    async def gate(self, closure: str, gate: str, serial: int) -> JSON | None:
        """One gate's document, or None if it never opened."""
        found = await self.tagged_gate(closure, gate, serial)
        return found[0] if found else None

    async def tagged_gate(self, closure: str, gate: str, serial: int) -> tuple[JSON, str] | None:
        """The same with its ETag, for a judgement that must not overlook a word said meanwhile."""
        return await self.records.read(closure, _gate_key(gate, serial))

    async def gates(self, closure: str, spoiled: list[str] | None = None) -> list[JSON]:
        """Every gate that ever opened, by name and serial."""
        return [doc async for _, doc in self.rows(closure, "gate:", spoiled)]

    async def change_gate(self, closure: str, gate: str, serial: int, edit: Callable[[JSON], None]) -> JSON:
        """Edit a gate's document; RecordMissing if it never opened."""
        return await self.edit(closure, _gate_key(gate, serial), edit)

    async def close_gate(
        self, closure: str, doc: JSON, etag: str, state: str, approvals: list[str], execute_by: datetime | None
    ) -> JSON:
        """Write what an open gate came to; `doc` and `etag` are what was judged. Whoever looks next tells of it.

        Raises RecordConflict when anybody said something since: judge again.
        """
        closed = {
            **doc,
            "state": state,
            "approvals": approvals,
            "closedAt": iso(self.clock.now()),
            "executeBy": iso(execute_by) if execute_by else None,
            "told": False,
        }
        await self.records.replace(closure, _gate_key(doc["gate"], doc["serial"]), closed, etag)
        return closed

    async def reopen_gate(self, closure: str, gate: str, serial: int, why: str) -> JSON:
        """An approval fell away: ask again, with a fresh answer-by date. Does nothing to a gate that is not approved;
        RecordMissing if it never opened.
        """
        now, found = self.clock.now(), await self.gate(closure, gate, serial)
        if found is None:
            raise RecordMissing(f"{closure} {gate} {serial}")
        if found["state"] != "approved":
            return found

        def edit(doc: JSON) -> None:
            if doc["state"] != "approved":
                return
            doc.update(state="open", approvals=[], closedAt=None, executeBy=None, reminders=0)
            doc["answerBy"] = iso(now + timedelta(days=doc["answerByDays"]))
            doc["reopened"].append({"at": iso(now), "why": why})

        await self.audit(closure, Word.GATE_REOPENED, None, {"gate": gate, "serial": serial, "why": why})
        return await self.change_gate(closure, gate, serial, edit)

    async def decide(self, closure: str, decision: JSON, person: Person) -> JSON:
        """Store a decision before anything is woken; `decision` holds gate, serial, digest, decision, comment, via.

        `via` says by which door: api, page, link or teams.
        """
        at = iso(self.clock.now())
        doc = {**decision, "at": at, "person": person.to_dict()}
        gate, serial = decision["gate"], decision["serial"]
        told = {name: decision[name] for name in ("gate", "serial", "digest", "decision", "comment", "via")}
        await self.audit(closure, Word.GATE_DECIDED, person.to_dict(), told)
        for _ in range(TRIES):
            key = f"decision:{gate}:{serial:03d}:{at}:{person.object_id}"
            try:
                await self.records.create(closure, key, doc)
                break
            except RecordConflict:  # twice within a millisecond: both words are kept, in their order
                at = iso(datetime.fromisoformat(at) + timedelta(milliseconds=1))
                doc["at"] = at
        else:
            raise RecordConflict(f"{closure} {gate} {serial}: decisions of {person.key}")
        await self.change_gate(closure, gate, serial, lambda gate: gate.update(said=gate["said"] + 1))
        return doc

    async def decisions(self, closure: str, spoiled: list[str] | None = None) -> list[JSON]:
        """Every decision of a closure in the order of gates, serials and time."""
        return [doc async for _, doc in self.rows(closure, "decision:", spoiled)]

    async def words(self, closure: str) -> Words:
        """What people have said, all of it looked at, and what was made of it; in one read. RailBroken at a record that
        can't be trusted.
        """
        found = {key: doc async for _, key, doc in self.records.scan(closure, first=HEAD, last="gate:~")}
        return Words(found.get(HEAD), {key: doc for key, doc in found.items() if key.startswith("gate:")})


def _gate_key(gate: str, serial: int) -> str:
    return f"gate:{gate}:{serial:03d}"
