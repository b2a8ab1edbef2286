"""Memory does not grow with the tenant: five times the users, and each activity's peak stays where it was."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable
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
from tests.fakes.disk_records import DiskRecords
from tests.fakes.tenant import FakeDirectory, user

FEW, MANY = 1_000, 5_000
SHARD = 100
"""Small, so that a shard, which is held whole, is little beside a family."""
MOST = 1.2
NOTE = 3_000
"""Bytes for a shard: its part of the manifest, its note, its audit line."""


class Vast(FakeDirectory):
    """A tenant that makes its users up as they are asked for; of the plan only every `left`-th is still there."""

    def __init__(self, count: int) -> None:
        super().__init__(0)
        self.count, self.left = count, 1

    async def pages(self, family: str) -> AsyncIterator[list[Item]]:
        async for page in super().pages(family):
            yield page
        for start in range(0, self.count if family == "users" else 0, 100):
            yield [user(n) for n in range(start, start + 100) if n % self.left == 0]

    async def states_of(self, family: str, ids: Any) -> dict[str, str]:
        return dict.fromkeys(ids, "present")


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
    tracemalloc.start()
    try:
        few, many = await peaks(tmp_path, FEW), await peaks(tmp_path, MANY)
    finally:
        tracemalloc.stop()
    notes = (MANY - FEW) // SHARD * NOTE
    grown = {name: (few[name], many[name]) for name in few if many[name] > MOST * few[name] + notes}
    assert {} == grown
