"""Around a wave: new items stop it, gone ones do not, and only a fresh listing confirms that it worked."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

import activities
from tenantclosure.errors import ListingIncomplete
from tenantclosure.policy import timing
from tenantclosure.policy.canonical import canonical
from tests.activities.rig import Rig
from tests.fakes.tenant import user


async def wave(rig: Rig, **more: Any) -> dict[str, Any]:
    return await activities.open_wave(await rig.order(**{"family": "users", "operation": "delete", **more}))


async def confirm(rig: Rig, tries: int = 0) -> dict[str, Any]:
    return await activities.confirm_wave(await rig.order(family="users", operation="delete", tries=tries))


async def delete_all(rig: Rig) -> None:
    for shard in range(3):
        answer = await activities.work_shard(await rig.shard_order(shard, final=True))
        assert answer["state"] == "done"


async def test_a_wave_opens_over_the_plan(rig: Rig) -> None:
    """Shards, privileged shards and the whole quota, when the tenant is as planned; gone users change nothing."""
    rig.directory.holders[user(7).id] = ("reader",)
    await rig.ready()
    rig.directory.take("users", user(3).id)
    assert await wave(rig) == {"shards": 4, "privilegedFrom": 3}


async def test_a_new_user_stops_before_any_delete(rig: Rig) -> None:
    """A user who came after the plan is drift, told by id; nothing has been sent."""
    await rig.ready()
    rig.directory.items["users"].append(user(99))
    answer = await wave(rig)
    assert answer["stop"] == "drift"
    assert user(99).id in answer["detail"]
    assert rig.directory.asked == []


async def test_drift_goes_to_the_next_plan(rig: Rig) -> None:
    """After drift the next serial has no digest, no gate and no approval; the old approval moves nothing any more."""
    await rig.ready()
    rig.directory.items["users"].append(user(99))
    await activities.replan(await rig.order(detail="1 new"))
    row = await rig.row()
    assert (row["planSerial"], row["digest"], row["gate"]) == (2, None, None)
    assert (await activities.work_shard(await rig.shard_order()))["stop"] == "rail"
    await rig.surveyed()
    await activities.freeze_plan(await rig.order())
    assert (await activities.work_shard(await rig.shard_order()))["stop"] == "rail"
    await rig.approved()
    assert (await wave(rig))["shards"] == 3
    assert "plan:drifted" in await rig.words()


async def test_replanning_twice_is_once(rig: Rig) -> None:
    """A replan that is run again after a crash does not skip a serial."""
    await rig.ready()
    order = await rig.order(detail="1 new")
    await activities.replan(order)
    await activities.replan(order)
    assert (await rig.row())["planSerial"] == 2


async def test_a_broken_listing_opens_and_confirms_nothing(rig: Rig) -> None:
    """A listing that breaks off raises, before a wave and after it, and clears its blocker when it is whole again."""
    await rig.ready()
    rig.directory.breaks["users"] = 1
    for look in (wave, confirm):
        with pytest.raises(ListingIncomplete):
            await look(rig)
    assert [blocker["what"] for blocker in (await rig.row())["blockers"]] == ["listing"]
    rig.directory.breaks.clear()
    await wave(rig)
    assert (await rig.row())["blockers"] == []


async def test_a_tampered_shard_hides_no_drift(rig: Rig) -> None:
    """Adding a new user to a stored shard does not make it a planned one."""
    from tenantclosure import names

    await rig.ready()
    rig.directory.items["users"].append(user(99))
    rig.records.blobs[names.shard_path(rig.closure, 1, "users", 0)] += canonical(user(99).to_dict()) + b"\n"
    assert (await wave(rig))["stop"] == "rail"


async def test_gone_is_what_a_listing_shows(rig: Rig) -> None:
    """While deleted users are still listed (replication lag) the wave is not confirmed; once they are gone it is."""
    await rig.ready()
    before = list(rig.directory.items["users"])
    await delete_all(rig)
    after, rig.directory.items["users"] = rig.directory.items["users"], before
    assert await confirm(rig) == {"confirmed": False, "left": 45}
    rig.directory.items["users"] = after
    assert await confirm(rig) == {"confirmed": True, "left": 0}
    assert (await rig.row())["blockers"] == []


@pytest.mark.parametrize("at_once", [1, 20, 45, 1000])
async def test_all_that_is_left_is_on_record(rig: Rig, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """However many are written at once, the file names every item that is left, in canonical JSON; none is an empty
    list.
    """
    monkeypatch.setattr("activities.waves.LINE", at_once)
    await rig.ready()
    before = list(rig.directory.items["users"])
    await delete_all(rig)
    after, rig.directory.items["users"] = rig.directory.items["users"], before
    for listed, left in ((before, [user(n).id for n in range(45)]), (after, [])):
        rig.directory.items["users"] = listed
        assert (await confirm(rig, timing.CONFIRM_TRIES))["confirmed"]
        data = await rig.records.read_blob(f"{rig.closure}/evidence-1/users-left.json")
        found = json.loads(data)
        assert (left, 0, canonical(found)) == (found["left"], found["refused"], data)
        assert datetime.fromisoformat(found["listedAt"])


async def test_what_never_goes_becomes_a_blocker(rig: Rig) -> None:
    """A refused user is a blocker by id at once; one that stays listed becomes one after the last look."""
    rig.directory.script[user(5).id] = [403]
    await rig.ready()
    await delete_all(rig)
    assert (await confirm(rig))["confirmed"]
    (blocker,) = (await rig.row())["blockers"]
    assert (blocker["what"], blocker["items"]) == ("users-left", [user(5).id])
    rig.directory.items["users"].append(user(6))
    assert not (await confirm(rig, timing.CONFIRM_TRIES - 1))["confirmed"]
    assert await confirm(rig, timing.CONFIRM_TRIES) == {"confirmed": True, "left": 2}


async def test_a_new_user_during_the_wave_is_drift(rig: Rig) -> None:
    """Whoever came while the users were deleted stops the phase at its end."""
    await rig.ready()
    await delete_all(rig)
    rig.directory.items["users"].append(user(99))
    assert (await confirm(rig))["stop"] == "drift"


async def test_a_plan_from_before_a_family_holds_none_of_it(rig: Rig) -> None:
    """A wave of a family that the approved plan does not know works nothing; what is listed of it is asked about."""
    await rig.ready()

    assert await wave(rig, family="groups") == {"shards": 0, "privilegedFrom": 0}
    rig.directory.items["groups"].append(user(7))
    assert (await wave(rig, family="groups"))["stop"] == "drift"
