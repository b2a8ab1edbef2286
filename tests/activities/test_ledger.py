"""The ledger under several writers: one lease, no lost update, one whole chain."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import activities
from tenantclosure import wiring
from tenantclosure.errors import ListingIncomplete, RecordConflict, RecordMissing, RequestRefused
from tenantclosure.intake import admit
from tenantclosure.ledger import Ledger, once
from tenantclosure.names import Phase, Word
from tests.activities.rig import OLGA, Rig, document, killed_at_each_write
from tests.fakes.clock import FakeClock
from tests.fakes.dying_records import Crash, DyingRecords
from tests.fakes.memory_records import MemoryRecords
from tests.fakes.seals import sealed


class SlowRecords(MemoryRecords):
    """Lets others in at every step, as storage over a network does."""

    async def read(self, *args: Any) -> Any:
        found = await super().read(*args)
        await asyncio.sleep(0)
        return found

    async def create(self, *args: Any) -> Any:
        await asyncio.sleep(0)
        return await super().create(*args)

    async def replace(self, *args: Any) -> Any:
        await asyncio.sleep(0)
        return await super().replace(*args)

    async def read_from(self, *args: Any) -> Any:
        found = await super().read_from(*args)
        await asyncio.sleep(0)
        return found

    async def append(self, *args: Any) -> Any:
        await asyncio.sleep(0)
        return await super().append(*args)


class ConflictingRecords(MemoryRecords):
    """Refuses the first `conflicts` replaces and appends although nobody else was there."""

    def __init__(self, conflicts: int) -> None:
        super().__init__()
        self.conflicts = conflicts

    def _conflict(self) -> None:
        if self.conflicts:
            self.conflicts -= 1
            raise RecordConflict("somebody was here first")

    async def replace(self, *args: Any) -> Any:
        self._conflict()
        return await super().replace(*args)

    async def append(self, *args: Any) -> Any:
        self._conflict()
        return await super().append(*args)


async def test_two_requests_at_once_open_one_closure() -> None:
    """Of several requests for one tenant that arrive together exactly one gets the lease; the others name it."""
    rig = Rig(records=SlowRecords())
    answers = await asyncio.gather(*(admit(document(), OLGA, rig.parts) for _ in range(6)), return_exceptions=True)
    (won,) = [answer for answer in answers if isinstance(answer, dict)]
    refused = [answer for answer in answers if isinstance(answer, RequestRefused)]
    assert len(refused) == 5
    assert {one.extra["closureId"] for one in refused} == {won["closureId"]}
    assert [row["closureId"] async for row in rig.ledger.closures()] == [won["closureId"]]
    wiring.use(None)


async def test_concurrent_changes_are_all_kept() -> None:
    """Writers who edit one row at the same time lose none of their edits."""
    rig = await Rig(records=SlowRecords()).opened()

    def edit(number: int) -> Any:
        return lambda row: row.update({f"edit-{number}": True})

    await asyncio.gather(*(rig.ledger.change(rig.closure, edit(number)) for number in range(10)))
    row = await rig.row()
    assert [number for number in range(10) if not row.get(f"edit-{number}")] == []
    wiring.use(None)


async def test_concurrent_audit_lines_make_one_chain() -> None:
    """Lines appended by many at once are all there, once each, in an unbroken chain."""
    rig = await Rig(records=SlowRecords()).opened()
    other = Ledger(sealed(rig.records), FakeClock())
    await asyncio.gather(
        *(
            ledger.audit(rig.closure, Word.WRITE_MADE, None, {"number": number})
            for number in range(12)
            for ledger in (rig.ledger if number % 2 else other,)
        )
    )
    assert len(await rig.words()) == 13
    assert {told["number"] for told in await rig.audited("write:made")} == set(range(12))
    wiring.use(None)


async def test_conflicts_are_tried_again_but_not_for_ever() -> None:
    """A handful of conflicts costs only tries; a store that always conflicts is told as such."""
    rig = await Rig(records=ConflictingRecords(5)).opened()
    await rig.ledger.change(rig.closure, lambda row: row.update(seen=True))
    assert (await rig.row())["seen"]
    assert len(await rig.words()) == 1
    assert isinstance(rig.records, ConflictingRecords)
    rig.records.conflicts = 1000
    with pytest.raises(RecordConflict):
        await rig.ledger.change(rig.closure, lambda row: None)
    with pytest.raises(RecordConflict):
        await rig.ledger.audit(rig.closure, Word.WRITE_MADE, None, {})
    wiring.use(None)


async def test_a_line_longer_than_the_tail_does_not_break_the_chain(rig: Rig) -> None:
    """After a very long line the next one still finds its head."""
    await rig.opened()
    await rig.ledger.audit(rig.closure, Word.WRITE_MADE, None, {"text": "x" * 100_000})
    await rig.ledger.audit(rig.closure, Word.WRITE_MADE, None, {"text": "short"})
    assert len(await rig.words()) == 3


async def test_unknown_things_are_missing(rig: Rig) -> None:
    """A closure, task or gate that never was is told as missing, not made up."""
    for look in (
        rig.ledger.closure("nobody-1"),
        rig.ledger.change("nobody-1", lambda row: None),
        rig.ledger.change_task("nobody-1", "task", lambda doc: None),
        rig.ledger.prove_task("nobody-1", "task", "proof"),
        rig.ledger.change_gate("nobody-1", "plan", 1, lambda doc: None),
        rig.ledger.reopen_gate("nobody-1", "plan", 1, "because"),
        rig.ledger.change_notice("nobody-1", "notice", lambda doc: None),
    ):
        with pytest.raises(RecordMissing):
            await look
    assert await rig.ledger.gate("nobody-1", "plan", 1) is None
    assert await rig.ledger.audit_lines("nobody-1") == []


async def test_once_is_once(rig: Rig) -> None:
    """Work under a mark is done the first time only; later callers get its document."""
    await rig.opened()
    done = []

    async def work() -> dict[str, Any]:
        done.append(1)
        return {"number": len(done)}

    first = await once(rig.ledger, rig.closure, "m", 1, work)
    again = await once(rig.ledger, rig.closure, "m", 1, work)
    assert (first["number"], again["number"], len(done)) == (1, 1, 1)


@pytest.mark.parametrize("landed", [False, True])
async def test_a_crash_while_opening_leaves_no_orphan_lease(landed: bool) -> None:
    """Killed at each write of the admission: after a sweep a lease has its row, or the tenant is free again."""
    number, died = 0, True
    while died:
        number += 1
        rig = Rig()
        rig.process(DyingRecords(rig.records, number, landed=landed))
        try:
            await rig.opened()
            died = False
        except Crash:
            rig.process()
        rig.clock.go_on(minutes=2)
        live = await rig.ledger.live()
        rows = [row["closureId"] async for row in rig.ledger.closures()]
        assert live == rows
        if not live:
            assert (await admit(document(), OLGA, rig.parts))["closureId"]
    assert number > 3
    wiring.use(None)


async def test_a_stalled_intake_does_not_open_a_second_live_closure() -> None:
    """An intake that lost its lease while it stalled is refused; only the closure that holds the lease is there."""

    class Stalling(MemoryRecords):
        """Stalls once between lease and row, until a sweep and another intake have come by."""

        def __init__(self) -> None:
            super().__init__()
            self.meanwhile: Any = None

        async def create(self, partition: str, key: str, doc: Any) -> str:
            if partition == "closure" and self.meanwhile is not None:
                meanwhile, self.meanwhile = self.meanwhile, None
                await meanwhile()
            return await super().create(partition, key, doc)

    records = Stalling()
    rig = Rig()
    rig.process(records)
    other: list[str] = []

    async def sweep_and_file() -> None:
        rig.clock.go_on(minutes=2)
        assert await rig.ledger.live() == []
        other.append((await admit(document(), OLGA, rig.parts))["closureId"])

    records.meanwhile = sweep_and_file
    with pytest.raises(RequestRefused) as refused:
        await admit(document(), OLGA, rig.parts)

    assert (refused.value.status, refused.value.extra["closureId"]) == (409, other[0])
    assert [row["closureId"] async for row in rig.ledger.closures()] == other == await rig.ledger.live()
    wiring.use(None)


async def test_a_phase_that_ends_leaves_no_broken_listing_behind(rig: Rig) -> None:
    """A page that broke is tried again; once the phase is over nothing stands in the way any more."""
    await rig.opened()
    whole = rig.directory.organization

    async def broken() -> Any:
        raise ListingIncomplete("organization", 0, "the page was garbled")

    rig.directory.organization = broken  # type: ignore[method-assign]
    with pytest.raises(ListingIncomplete):
        await activities.check_preflight(await rig.order())
    assert ["listing"] == [blocker["what"] for blocker in (await rig.row())["blockers"]]
    rig.directory.organization = whole  # type: ignore[method-assign]
    assert {} == await activities.check_preflight(await rig.order())
    await activities.end_phase(await rig.order(phase="preflight"))
    assert [] == (await rig.row())["blockers"]


async def test_progress_is_read_from_records(rig: Rig) -> None:
    """A run that opens knows the phases done under its plan, and what the deployment allows."""
    await rig.ready()
    await activities.begin_phase(await rig.order(phase=str(Phase.FREEZE)))
    assert (await rig.row())["phase"] == "freeze"
    for phase in (Phase.PREFLIGHT, Phase.FREEZE):
        await activities.end_phase(await rig.order(phase=str(phase)))
        await activities.end_phase(await rig.order(phase=str(phase)))
    progress = await activities.read_progress(await rig.order())
    assert (progress["result"], progress["done"]) == (None, ["preflight", "freeze"])
    assert json.loads(json.dumps(progress)) == progress
    assert (await rig.words()).count("phase:ended") == 2
    await activities.read_progress(await rig.order())
    assert (await rig.words()).count("closure:started") == 1


async def test_an_older_run_makes_no_progress(rig: Rig) -> None:
    """A run whose epoch was taken over is fenced when it opens."""
    await rig.ready()
    old = await rig.order()
    await rig.ledger.change(rig.closure, lambda row: row.update(epoch=2))
    assert (await activities.read_progress(old))["stop"] == "fenced"


async def test_control_is_seen_and_shown(rig: Rig) -> None:
    """Pause shows on the row and stops what asks to halt; after it the closure runs again."""
    await rig.ready()
    order = await rig.order()
    await rig.ledger.change(rig.closure, lambda row: row.update(control="pause"))
    assert await activities.check_control(order) == {"paused": True, "seconds": None}
    assert (await rig.row())["status"] == "paused"
    assert (await activities.check_control({**order, "halt": True}))["stop"] == "paused"
    await rig.ledger.change(rig.closure, lambda row: row.update(control="run"))
    assert await activities.check_control(order) == {"paused": False, "seconds": None}
    assert (await rig.row())["status"] == "running"


async def test_what_is_left_is_counted_by_the_clock_that_said_when_it_began(rig: Rig) -> None:
    """A phase's length is measured between two looks at one clock, whatever the engine's machine thinks the time is."""
    await rig.ready()
    order = await rig.order(phase="quiet-period")
    since = (await activities.begin_phase(order))["since"]
    await rig.clock.sleep(40.0)

    look = await activities.check_control({**order, "halt": True, "since": since, "length": 100.0})

    assert 60.0 == pytest.approx(look["left"], abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("landed", [False, True])
async def test_a_crash_between_phases_loses_no_line(landed: bool) -> None:
    """Killed at each write of opening a run, beginning and ending a phase: every step stands in the audit."""
    async for rig in killed_at_each_write(lambda: Rig().ready(), steps, landed=landed, least=5):
        assert {"closure:started", "phase:started", "phase:ended"} <= set(await rig.words())
        assert (await activities.read_progress(await rig.order()))["done"] == ["freeze"]


async def steps(rig: Rig) -> None:
    order = await rig.order(phase="freeze")
    for step in (activities.read_progress, activities.begin_phase, activities.end_phase):
        await step(order)
