"""What a second plan shows of the first: what came, what went by itself, what we removed."""

from __future__ import annotations

import json
from typing import Any

import pytest

import activities
from tenantclosure import names
from tenantclosure.model.inventory import Item
from tenantclosure.policy.canonical import canonical
from tests.activities.rig import Rig, killed_at_each_write
from tests.fakes.tenant import principal, subscription, user


async def again(rig: Rig) -> dict[str, Any]:
    """Plan anew; the difference as stored."""
    await activities.replan(await rig.order(detail="1 new"))
    await rig.surveyed()
    await activities.freeze_plan(await rig.order())
    serial = (await rig.row())["planSerial"]
    return json.loads(await rig.records.read_blob(names.difference_path(rig.closure, serial)))


async def test_a_first_plan_differs_from_nothing(rig: Rig) -> None:
    """There is no difference beside the first plan."""
    await rig.planned()
    assert names.difference_path(rig.closure, 1) not in rig.records.blobs


async def test_added_gone_and_removed_are_told_apart(rig: Rig) -> None:
    """Of the first plan 18 users were removed by us, one was gone before, one vanished; one new user came."""
    rig.directory.items["subscriptions"] += [subscription(1), subscription(2)]
    rig.directory.items["applications"].append(principal(7))
    rig.directory.script = {user(3).id: [404], user(4).id: [403]}
    await rig.ready()
    await activities.work_shard(await rig.shard_order())
    rig.directory.take("users", user(3).id)
    rig.directory.take("users", user(30).id)
    rig.directory.items["users"].append(user(99))
    rig.directory.items["service-principals"].append(principal(1))
    await rig.ledger.note_subscription(rig.closure, subscription(1).id, {"outcome": "removed"})
    rig.directory.items["subscriptions"] = []
    found = await again(rig)
    users = [{"id": user(99).id, "name": "User 99", "upn": "u99@contoso.com"}]
    apps = [{"id": principal(1).id, "name": "App 1", "upn": ""}]
    nothing: dict[str, Any] = {"added": 0, "gone": 0, "removed": 0, "items": []}
    assert {
        "from": 1,
        "to": 2,
        "families": {
            "users": {"added": 1, "gone": 2, "removed": 18, "items": users},
            "domains": nothing,
            "applications": nothing,
            "service-principals": {**nothing, "added": 1, "items": apps},
            "subscriptions": {**nothing, "gone": 1, "removed": 1},
        },
    } == found


async def test_two_hundred_are_named_and_all_are_counted(rig: Rig) -> None:
    """A tenant that grew a lot is shown in numbers, and the first two hundred by name."""
    await rig.ready()
    rig.directory.items["users"] += [user(n) for n in range(100, 305)]
    found = (await again(rig))["families"]["users"]
    assert (205, 200, 0, 0) == (found["added"], len(found["items"]), found["gone"], found["removed"])


async def test_a_third_plan_is_compared_with_the_second(rig: Rig) -> None:
    """Each plan names the one before it."""
    await rig.ready()
    rig.directory.items["users"].append(user(98))
    await again(rig)
    rig.directory.items["users"].append(user(99))
    found = await again(rig)
    assert (2, 3, 1) == (found["from"], found["to"], found["families"]["users"]["added"])


async def test_what_the_plan_before_did_not_know_is_new(rig: Rig) -> None:
    """A plan frozen by an older version lacks a family: all of it is new to the people who approved that plan."""
    rig.directory.items["domains"] = [Item("contoso.com", "contoso.com", {"isInitial": False})]
    await rig.ready()
    path, before = names.manifest_path(rig.closure, 1), await rig.manifest()
    del before["families"]["domains"]
    rig.records.blobs[path] = canonical(before)

    found = (await again(rig))["families"]["domains"]
    assert (1, 0) == (found["added"], found["gone"])


@pytest.mark.slow
@pytest.mark.parametrize("landed", [False, True])
async def test_a_crash_while_freezing_a_second_plan_keeps_the_difference(landed: bool) -> None:
    """Killed at each write of the second plan: no digest stands on the row without its difference beside it."""

    async def grown() -> Rig:
        rig = await Rig().ready()
        rig.directory.items["users"].append(user(99))
        await activities.replan(await rig.order(detail="1 new"))
        return await rig.surveyed()

    async def freeze(rig: Rig) -> None:
        if (await rig.row())["digest"] is not None:
            assert names.difference_path(rig.closure, 2) in rig.records.blobs
        await activities.freeze_plan(await rig.order())

    async for rig in killed_at_each_write(grown, freeze, landed=landed, least=4):
        found = json.loads(rig.records.blobs[names.difference_path(rig.closure, 2)])
        assert 1 == found["families"]["users"]["added"]
