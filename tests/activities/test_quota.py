"""The write quota: what is left of it, each lane's part by its work, the application's limit over all tenants."""

from __future__ import annotations

from typing import Any

import pytest

import activities
from activities.quota import OTHER_WRITES
from tenantclosure.names import Phase, Status
from tests.activities.rig import Rig


async def share(rig: Rig, lanes: int = 2, **more: Any) -> dict[str, Any]:
    wave = {"family": "users", "operation": "delete", "first": 0, "last": 3, "lanes": lanes}
    return await activities.share_quota(await rig.order(**{**wave, **more}))


async def tokens(rig: Rig) -> float:
    return sum(bucket["tokens"] for bucket in (await share(rig))["buckets"])


async def test_each_lane_gets_its_part_by_what_it_has_to_write(rig: Rig) -> None:
    """Shards of 20, 20 and 5 in two lanes are 25 and 20 items; rate, burst and tokens go by that."""
    await rig.ready()
    found = await share(rig)
    assert [25 / 45, 20 / 45] == pytest.approx(found["parts"])
    assert [20 * 25 / 45, 20 * 20 / 45] == pytest.approx([bucket["rate"] for bucket in found["buckets"]])
    assert 3000 - OTHER_WRITES == pytest.approx(sum(bucket["tokens"] for bucket in found["buckets"]))


async def test_what_is_settled_counts_no_more(rig: Rig) -> None:
    """Taken over after the first shard, its lane has only the last shard's five items to write."""
    await rig.ready()
    await activities.work_shard(await rig.shard_order(0))
    assert [5 / 25, 20 / 25] == pytest.approx((await share(rig))["parts"])


async def test_a_later_wave_knows_the_quota_used(rig: Rig) -> None:
    """Tokens are counted from the writes made, so a resumed closure does not assume a full bucket."""
    await rig.ready()
    await activities.work_shard(await rig.shard_order(0))
    assert 2980 - OTHER_WRITES == pytest.approx(await tokens(rig), abs=1)
    rig.clock.go_on(seconds=0.5)
    assert 2990 - OTHER_WRITES == pytest.approx(await tokens(rig), abs=1)
    rig.clock.go_on(days=3)
    assert 3000 - OTHER_WRITES == await tokens(rig)


async def test_a_paused_closure_gets_none(rig: Rig) -> None:
    """Nothing is shared out while somebody holds the closure."""
    await rig.ready()
    await rig.ledger.change(rig.closure, lambda row: row.update(control="pause"))
    assert "paused" == (await share(rig))["stop"]


async def pace(rig: Rig) -> float:
    """What a lane with the whole of its tenant's quota writes a second."""
    done = await activities.work_shard(await rig.shard_order(0))
    return float(done["bucket"]["limit"])


@pytest.mark.parametrize(
    ("others", "status", "phase", "expected"),
    [
        (2, Status.RUNNING, Phase.USERS, 20),
        (5, Status.RUNNING, Phase.APPLICATIONS, 116 / 6),
        (50, Status.RUNNING, Phase.SURVEY, 20),
        (50, Status.PAUSED, Phase.USERS, 20),
    ],
)
async def test_tenants_share_what_microsoft_gives_the_application(
    rig: Rig, others: int, status: str, phase: str, expected: float
) -> None:
    """The application's 35,000 writes in five minutes are for all closures that write in bulk now, no others."""
    await rig.ready()
    await rig.ledger.change(rig.closure, lambda row: row.update(status=Status.RUNNING, phase=Phase.USERS))
    row = await rig.row()
    for number in range(others):
        other = {**row, "closureId": f"{number}", "status": str(status), "phase": str(phase)}
        await rig.parts.records.create("closure", f"{number}", other)
    assert expected == pytest.approx(await pace(rig))


async def test_a_row_that_cannot_be_trusted_takes_no_part(rig: Rig) -> None:
    """Somebody else's broken record neither stops this closure nor slows it down."""
    await rig.ready()
    await rig.ledger.change(rig.closure, lambda row: row.update(status=Status.RUNNING, phase=Phase.USERS))
    row = await rig.row()
    for number in range(9):
        await rig.parts.records.create("closure", f"{number}", {**row, "closureId": f"{number}"})
        text, etag = rig.records.documents["closure", f"{number}"]
        rig.records.documents["closure", f"{number}"] = (text.replace("merged", "forged"), etag)
    assert 20 == await pace(rig)
