"""Storage is prepared once per process and event loop, and again where a try failed."""

from __future__ import annotations

import asyncio

import pytest

from tenantclosure import wiring
from tenantclosure.errors import ServiceTrouble
from tests.activities.rig import Rig
from tests.fakes.memory_records import MemoryRecords


class CountingRecords(MemoryRecords):
    """Counts how often it was prepared; fails as often as told."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.times, self.failures = 0, failures

    async def prepare(self) -> None:
        self.times += 1
        await asyncio.sleep(0)
        if self.times <= self.failures:
            raise ServiceTrouble("storage is not there yet")


def test_each_loop_prepares_and_old_loops_are_no_trouble(rig: Rig) -> None:
    """Many activities of one loop prepare once; a later loop, whatever its address, prepares for itself."""
    records = CountingRecords()
    rig.process(records)

    async def together() -> None:
        await asyncio.gather(*(wiring.prepared() for _ in range(5)))

    for turn in range(1, 6):
        asyncio.run(together())
        assert records.times == turn


async def test_a_failed_preparation_is_tried_again(rig: Rig) -> None:
    """Storage that was away at first does not stay away for ever."""
    records = CountingRecords(failures=1)
    rig.process(records)
    with pytest.raises(ServiceTrouble):
        await wiring.prepared()
    assert await wiring.prepared() is rig.parts
    assert records.times == 2


async def test_other_parts_are_prepared_too(rig: Rig) -> None:
    """Parts put in place later are prepared although the loop has seen others."""
    await wiring.prepared()
    records = CountingRecords()
    rig.process(records)
    await wiring.prepared()
    assert records.times == 1
