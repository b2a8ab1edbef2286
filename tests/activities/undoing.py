"""A bench on which closures are rolled back, and the way of a rollback from the wish to its end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import activities
from tenantclosure import names
from tenantclosure.model.inventory import Answer
from tenantclosure.names import Control
from tests.activities.rig import OLGA, Rig
from tests.fakes.tenant import FakeDirectory

RESTORE = ("users", "restore")


class BinDirectory(FakeDirectory):
    """A tenant in which a block shows, and where others delete as well."""

    async def block_sign_in(self, ids: Sequence[str]) -> list[Answer]:
        answers = await super().block_sign_in(ids)
        for answer in answers:
            if answer.done:
                self.change("users", answer.id, enabled=False)
        return answers

    def bin_it(self, family: str, id_: str) -> None:
        """Somebody deletes one item, if it is there."""
        found = {item.id: item for item in self.items[family]}
        if self.take(family, id_):
            self.bin[id_] = found[id_]
            self.deleted.add(id_)

    def sent_to(self, method: str) -> list[str]:
        """Every id that one of the two undoing methods was asked for, in order."""
        found = [given for name, given in self.asked if name == method]
        return [id_ for given in found for id_ in (given[1] if method == "restore_many" else given)]

    def signed_out(self) -> list[str]:
        """Ids of the users who are there and can't sign in."""
        return [item.id for item in self.items["users"] if not item.facts.get("enabled", True)]


def bench(users: int = 45) -> Rig:
    """A rig over such a tenant."""
    return Rig(directory=BinDirectory(users))


def bin_of(rig: Rig) -> BinDirectory:
    """The rig's tenant."""
    assert isinstance(rig.directory, BinDirectory)
    return rig.directory


async def worked(rig: Rig, family: str, operation: str, **more: Any) -> list[dict[str, Any]]:
    """Every shard of one part of the plan in force."""
    shards = len((await rig.manifest())["families"][family]["shards"])
    where = {"family": family, "operation": operation, "final": True, **more}
    return [await activities.work_shard(await rig.shard_order(shard, **where)) for shard in range(shards)]


async def deleted(rig: Rig, *, blocked: bool = False, **changes: Any) -> Rig:
    """A closure whose users are gone, after a quiet time if wanted."""
    await rig.ready(**({"quietDays": 1} if blocked else {}), **changes)
    if blocked:
        assert all(one["state"] == "done" for one in await worked(rig, "users", "block", phase="quiet-period"))
        await rig.approved("go-on")
    assert all(one["state"] == "done" for one in await worked(rig, "users", "delete"))
    return rig


async def turned(rig: Rig) -> Rig:
    """A rollback asked for, and begun."""
    await rig.ledger.change(rig.closure, wanted)
    await activities.begin_rollback(await rig.order())
    return rig


def wanted(row: dict[str, Any]) -> None:
    """What the door puts on the row of a live closure."""
    known = row.get("rollback") or {}
    row["control"] = Control.ROLLBACK
    row["rollback"] = {
        "serial": None,
        "number": known.get("number", 0) + 1,
        "askedBy": OLGA.to_dict(),
        "at": "2026-11-01T12:00:00.000Z",
        "endsAs": "aborted",
        "plan": known.get("plan"),
    }


async def plan(rig: Rig) -> dict[str, Any]:
    """What `plan_rollback` answers."""
    return await activities.plan_rollback(await rig.order(phase="gate-rollback"))


async def carried_out(rig: Rig) -> dict[str, Any]:
    """An approved rollback done, as the orchestrator does it; what `finish_rollback` answers."""
    for wave in (await plan(rig))["waves"]:
        await worked(rig, wave["family"], wave["operation"], phase="rollback", gate="rollback")
    return await activities.finish_rollback(await rig.order(phase="rollback"))


async def rolled_back(rig: Rig) -> dict[str, Any]:
    """A rollback from the wish to its end; what `finish_rollback` answers."""
    await turned(rig)
    await plan(rig)
    await rig.approved("rollback")
    return await carried_out(rig)


async def outcomes_of(rig: Rig) -> dict[str, list[dict[str, Any]]]:
    """What the newest rollback's lists hold: {restored, left, impossible}."""
    row = await rig.row()
    at = f"{rig.closure}/rollback-{row['planSerial']}"
    found: dict[str, list[dict[str, Any]]] = {"restored": [], "left": []}
    for line in (await rig.records.read_blob(f"{at}/outcomes.json")).splitlines():
        entry = json.loads(line)
        found["restored" if entry["outcome"] == "restored" else "left"].append(entry)
    lost = (await rig.records.read_blob(f"{at}/impossible.json")).splitlines()
    return {**found, "impossible": [json.loads(line) for line in lost]}


async def ended(rig: Rig, result: str) -> dict[str, Any]:
    """The closure ended with its report; the report's JSON."""
    order = await rig.order(phase="report", result=result, why="")
    for step in (activities.undo_freeze, activities.begin_phase, activities.write_report, activities.end_closure):
        answer = await step(order)
        assert "stop" not in answer, answer
    found: dict[str, Any] = json.loads(await rig.records.read_blob(names.report_path(rig.closure, "json")))
    return found
