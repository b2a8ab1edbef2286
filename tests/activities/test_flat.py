"""Memory does not grow with the tenant: five times the users, and each activity's peak stays where it was."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import activities
from activities.journal import Journal
from activities.shards import note_shard
from tenantclosure import names
from tenantclosure.model.inventory import Item
from tenantclosure.names import Outcome
from tenantclosure.policy.outcomes import unanswered
from tests.activities.rig import Rig
from tests.activities.undoing import turned
from tests.fakes.disk_records import DiskRecords
from tests.fakes.tenant import FakeDirectory, user

FEW, MANY = 1_000, 5_000
SHARD = 100
"""Small, so that a shard, which is held whole, is little beside a family."""
MOST = 1.2
NOTE = 3_000
"""Bytes for a shard: its part of the manifest, its note, its audit line."""


class Vast(FakeDirectory):
    """A tenant that makes its users up as they are asked for; of the plan only every `left`-th is still there. Once
    they are `binned` nobody is, and of ten one is not in the bin any more.
    """

    def __init__(self, count: int) -> None:
        super().__init__(0)
        self.count, self.left, self.binned = count, 1, False

    async def pages(self, family: str) -> AsyncIterator[list[Item]]:
        async for page in super().pages(family):
            yield page
        for start in range(0, self.count if family == "users" and not self.binned else 0, 100):
            yield [user(n) for n in range(start, start + 100) if n % self.left == 0]

    async def states_of(self, family: str, ids: Any) -> dict[str, str]:
        if not self.binned:
            return dict.fromkeys(ids, "present")
        return {id_: "gone" if id_.endswith("7") else "deleted" for id_ in ids}


async def peak(work: Awaitable[Any]) -> int:
    """Bytes that this work held at its height."""
    gc.collect()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    told = await work
    assert "stop" not in told, told
    return tracemalloc.get_traced_memory()[1] - before


async def worked(rig: Rig, number: int) -> None:
    """A shard's evidence: one in ten was refused, all others are gone."""
    order = await rig.order(family="users", operation="delete")
    journal = Journal(rig.parts.records, names.evidence_path(rig.closure, 1, "users", "delete", number))
    shard = await rig.records.read_blob(names.shard_path(rig.closure, 1, "users", number))
    ids = [json.loads(line)["id"] for line in shard.splitlines()]
    refused = [id_ for id_ in ids if int(id_[-12:]) % 10 == 0]
    outcomes = {id_: Outcome.REFUSED if id_ in refused else Outcome.REMOVED for id_ in ids}
    await journal.answered([unanswered(id_, one, "", "2026-01-01T00:00:00Z") for id_, one in outcomes.items()])
    await note_shard(rig.parts, order, number, journal, done=True)


async def answered(rig: Rig, family: str, operation: str, outcome: Outcome) -> None:
    """Evidence of one part of the plan in force: one in ten was refused, all others came to `outcome`."""
    order = await rig.order(family=family, operation=operation)
    for number in range(len((await rig.manifest())["families"][family]["shards"])):
        path = names.evidence_path(rig.closure, order["serial"], family, operation, number)
        shard = await rig.records.read_blob(names.shard_path(rig.closure, order["serial"], family, number))
        ids = [json.loads(line)["id"] for line in shard.splitlines()]
        outcomes = {id_: Outcome.REFUSED if id_.endswith("0") else outcome for id_ in ids}
        journal = Journal(rig.parts.records, path)
        await journal.answered([unanswered(id_, one, "", "2026-01-01T00:00:00Z") for id_, one in outcomes.items()])
        await note_shard(rig.parts, order, number, journal, done=True)


async def peaks_of_a_rollback(folder: Path, count: int) -> dict[str, int]:
    """Peaks of the activities that undo the removal of a whole family, by name."""
    directory, records = Vast(count), DiskRecords(folder / str(count))
    rig = await Rig(directory=directory, records=records, environment={"CLOSURE_SHARD_SIZE": SHARD}).opened()
    for family in names.Family:
        await activities.survey_family(await rig.order(family=family))
    await activities.freeze_plan(await rig.order())
    await rig.approved()
    await answered(rig, "users", "block", Outcome.REMOVED)
    await answered(rig, "users", "delete", Outcome.REMOVED)
    directory.binned = True
    await turned(rig)
    found = {"plan_rollback": await peak(activities.plan_rollback(await rig.order(phase="gate-rollback")))}
    await rig.approved("rollback")
    await answered(rig, "users", "restore", Outcome.RESTORED)
    await answered(rig, "users-enabled", "enable", Outcome.RESTORED)
    directory.binned = False
    found["finish_rollback"] = await peak(activities.finish_rollback(await rig.order(phase="rollback")))
    order = await rig.order(phase="report", result="aborted", why="", spent={}, instance="i")
    notes = 3 * count // SHARD * NOTE  # of three more operations
    found["write_report"] = await peak(activities.write_report(order)) - notes
    return found


async def peaks(folder: Path, count: int) -> dict[str, int]:
    """Peaks of the activities that go through a whole family, by name."""
    directory, records = Vast(count), DiskRecords(folder / str(count))
    rig = await Rig(directory=directory, records=records, environment={"CLOSURE_SHARD_SIZE": SHARD}).opened()
    for family in set(names.Family) - {names.Family.USERS}:
        await activities.survey_family(await rig.order(family=family))
    order = await rig.order(family="users", operation="delete", tries=9, instance="i", result="kept", spent={})
    found = {"survey_family": await peak(activities.survey_family(order))}
    found["freeze_plan"] = await peak(activities.freeze_plan(order))
    await rig.approved()
    found["open_wave"] = await peak(activities.open_wave(order))
    for number in range(count // SHARD):
        await worked(rig, number)
    directory.left = 10
    found["open_wave once more"] = await peak(activities.open_wave(order))
    found["review_refused"] = await peak(activities.review_refused(order))
    found["confirm_wave"] = await peak(activities.confirm_wave(order))
    found["turn_off_mfa"] = await peak(activities.turn_off_mfa(order))
    found["write_report"] = await peak(activities.write_report(order))
    return found


@pytest.mark.slow
async def test_the_peak_does_not_grow_with_the_tenant(tmp_path: Path) -> None:
    """Survey, plan, waves, review, MFA and report of five times the users hold no more; shards' notes may be more."""
    assert {} == await grown(tmp_path, peaks, FEW, MANY)


@pytest.mark.slow
async def test_the_peak_of_a_rollback_does_not_grow_with_what_was_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its plan, its end and its report of more than twice the users hold a block, a shard and the first few."""
    for name, value in (("undoable.BLOCK", SHARD), ("undo.BLOCK", SHARD), ("rolled_back.FIRST", SHARD // 2)):
        monkeypatch.setattr(f"activities.{name}", value)
    assert {} == await grown(tmp_path, peaks_of_a_rollback, FEW, MANY // 2)


async def grown(
    folder: Path, measured: Callable[[Path, int], Awaitable[dict[str, int]]], few: int, many: int
) -> dict[str, tuple[int, int]]:
    """Peaks that are higher with many users, beyond what their shards' notes may take.

    What has grown is measured once more: a table of the interpreter that is enlarged meanwhile (that of interned
    strings takes megabytes) is met once, a family that is held each time.
    """
    await measured(folder / "first", SHARD)  # what is loaded once is not counted
    notes = (many - few) // SHARD * NOTE
    tracemalloc.start()
    try:
        low, high = await measured(folder, few), await measured(folder, many)
        if any(high[name] > MOST * low[name] + notes for name in low):
            again = await measured(folder / "again", many)
            high = {name: min(peak, again[name]) for name, peak in high.items()}
    finally:
        tracemalloc.stop()
    return {name: (low[name], high[name]) for name in low if high[name] > MOST * low[name] + notes}
