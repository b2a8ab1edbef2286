"""Manual tasks: opened, told, reminded, reported done, escalated, proven or attested."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from tenantclosure.errors import RecordConflict, RecordMissing
from tenantclosure.ledger.book import Book, iso
from tenantclosure.model.people import Person
from tenantclosure.names import Word
from tenantclosure.ports import JSON

WITHIN = 7.0
"""Days until a task is due that names no other term."""


class Tasks(Book):
    """What people have to do because no API can.

    A task: {taskId, kind, target, name, title, who, why, link, steps, warning, probe, attestable, items, deadline,
    instance, state, life, openedAt, toldAt, reports, reminders, remindedAt, escalatedAt, escalationToldAt, lookedAt,
    nextAt, seen, attested}, and {provenAt, proof} once proven. `state` is open or proven. `probe` says how it is
    proven, `proof` what proved it, `attested` that a person's word did. `life` counts its openings; reports and
    reminders belong to the newest. `toldAt` says that people were written to, `seen` what the look at `lookedAt` found,
    `nextAt` when the next one is due.
    """

    async def open_task(self, closure: str, task: JSON) -> JSON:
        """Open a manual task, or open it again if it was proven before; of an open one the text, and the instance that
        waits for it, are kept current. `task` is what policy.manual_tasks.manual_task returns.
        """
        now = self.clock.now()
        due = now + timedelta(seconds=self.clock.days(task.get("within") or WITHIN))
        told = {key: value for key, value in task.items() if key not in ("within", "deadline")}
        if task.get("deadline"):
            told["deadline"] = task["deadline"]
        fresh = {
            "deadline": iso(due),
            **told,
            "state": "open",
            "openedAt": iso(now),
            "toldAt": None,
            "reports": [],
            "reminders": 0,
            "remindedAt": None,
            "escalatedAt": None,
            "escalationToldAt": None,
            "lookedAt": None,
            "nextAt": None,
            "seen": "",
            "attested": False,
        }
        found = await self.task(closure, task["taskId"])
        if found is not None and found["state"] == "open" and all(found.get(key) == told[key] for key in told):
            return found
        if found is None or found["state"] != "open":
            life = 1 if found is None else found.get("life", 1) + 1
            detail = {"task": task["taskId"], "kind": task["kind"], "life": life}
            await self.audit(closure, Word.TASK_OPENED, None, detail)
        if found is None:
            doc = {**fresh, "life": 1}
            try:
                await self.records.create(closure, f"task:{task['taskId']}", doc)
            except RecordConflict:  # somebody opened it just now
                pass
            else:
                return doc

        def edit(doc: JSON) -> None:
            if doc["state"] == "open":
                doc.update(told)
                return
            again = doc.get("life", 1) + 1
            doc.clear()
            doc.update({**fresh, "life": again})

        return await self.change_task(closure, task["taskId"], edit)

    async def task(self, closure: str, task: str) -> JSON | None:
        """One task, or None."""
        found = await self.records.read(closure, f"task:{task}")
        return found[0] if found else None

    async def change_task(self, closure: str, task: str, edit: Callable[[JSON], None]) -> JSON:
        """Edit a task; RecordMissing if there is none."""
        return await self.edit(closure, f"task:{task}", edit)

    async def report_task(self, closure: str, task: str, person: Person, comment: str) -> JSON:
        """Keep that a person says it is done. That only triggers the probe, it proves nothing; unless the task is
        attestable: then nothing else can prove it, and the word with name and time is the proof.
        """
        found = await self._there(closure, task)
        at, who = iso(self.clock.now()), person.to_dict()
        entry = {"by": who, "at": at, "comment": comment}
        attested = found["state"] == "open" and bool(found.get("attestable"))
        word = Word.TASK_ATTESTED if attested else Word.TASK_REPORTED
        await self.audit(closure, word, who, {"task": task, "comment": comment})

        def edit(doc: JSON) -> None:
            doc["reports"].append(entry)
            if attested and doc["state"] == "open":
                proof = f"attested by {person.name or person.upn}"
                doc.update(state="proven", attested=True, provenAt=at, proof=proof)

        return await self.change_task(closure, task, edit)

    async def look_at_task(self, closure: str, task: str, seen: str, next_at: str | None) -> None:
        """Keep what a look at an open task found, and when the next one is due (ISO 8601). No task: nothing happens."""
        found = await self.task(closure, task)
        if found is not None and found["state"] == "open":
            looked = {"lookedAt": iso(self.clock.now()), "nextAt": next_at, "seen": seen}
            await self.change_task(closure, task, lambda doc: doc.update(looked))

    async def tell_task(self, closure: str, task: str) -> None:
        """Keep that people were written to about this life of it."""
        now = iso(self.clock.now())
        await self.change_task(closure, task, lambda doc: doc.update(toldAt=doc.get("toldAt") or now))

    async def remind_task(self, closure: str, task: str, number: int) -> None:
        """Keep that so many reminders of it went out. Harmless when repeated."""
        found = await self._there(closure, task)
        if found["state"] == "open" and found.get("reminders", 0) < number:
            await self.audit(closure, Word.TASK_REMINDED, None, {"task": task, "reminder": number})
            reminded = {"reminders": number, "remindedAt": iso(self.clock.now())}
            await self.change_task(closure, task, lambda doc: doc.update(reminded))

    async def escalate_task(self, closure: str, task: str, support: str, why: str) -> None:
        """Keep that Support was asked (by the task `support`) because of this one, which stays open. Harmless when
        repeated.
        """
        found = await self._there(closure, task)
        if found["state"] == "open" and not found.get("escalatedAt"):
            detail = {"task": task, "support": support, "why": why}
            await self.audit(closure, Word.TASK_ESCALATED, None, detail)
            now = iso(self.clock.now())
            await self.change_task(closure, task, lambda doc: doc.update(escalatedAt=now))

    async def prove_task(self, closure: str, task: str, proof: str) -> None:
        """Close a task whose probe succeeded. Harmless when repeated."""
        found = await self._there(closure, task)
        if found["state"] == "open":
            await self.audit(closure, Word.TASK_PROVEN, None, {"task": task, "proof": proof})
            proven = {"state": "proven", "provenAt": iso(self.clock.now()), "proof": proof}
            await self.change_task(closure, task, lambda doc: doc.update(proven))

    async def tasks(self, closure: str, spoiled: list[str] | None = None) -> list[JSON]:
        """Every manual task of a closure."""
        return [doc async for _, doc in self.rows(closure, "task:", spoiled)]

    async def _there(self, closure: str, task: str) -> JSON:
        found = await self.task(closure, task)
        if found is None:
            raise RecordMissing(task)
        return found
