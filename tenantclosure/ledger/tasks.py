"""Manual tasks: opened, reported done, proven."""

from __future__ import annotations

from collections.abc import Callable

from tenantclosure.errors import RecordMissing
from tenantclosure.ledger.book import Book, iso
from tenantclosure.model.people import Person
from tenantclosure.names import Word
from tenantclosure.ports import JSON


class Tasks(Book):
    """What people have to do because no API can."""

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
        return await self.edit(closure, f"task:{task}", edit)

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
