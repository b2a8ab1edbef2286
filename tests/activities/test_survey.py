"""Survey and plan: incomplete is never empty, and a crash anywhere ends in the same plan."""

from __future__ import annotations

from typing import Any

import pytest

import activities
from tenantclosure import names, wiring
from tenantclosure.errors import ListingIncomplete, RecordMissing
from tenantclosure.model.inventory import Item
from tenantclosure.names import Family
from tenantclosure.policy.canonical import digest
from tests.activities.rig import Rig
from tests.fakes.dying_records import Crash, DyingRecords
from tests.fakes.tenant import KEEPER, OWN, principal, subscription, user


async def planned_ids(rig: Rig, family: str) -> list[str]:
    manifest = await rig.manifest()
    found = []
    for shard in range(len(manifest["families"][family]["shards"])):
        async for line in rig.records.read_lines(names.shard_path(rig.closure, 1, family, shard)):
            found.append(line.decode().split('"id":"')[1].split('"')[0])
    return found


async def test_the_plan_holds_everything_but_the_spared(rig: Rig) -> None:
    """All users but the keeper, all service principals but ours, privileged ones last; the tenant is only read."""
    rig.directory.items["service-principals"].append(principal(1))
    rig.directory.items["subscriptions"].append(subscription(1))
    rig.directory.holders = {KEEPER: ("ga",), user(0).id: ("reader",)}
    await rig.planned()
    users = await planned_ids(rig, "users")
    assert sorted(users) == sorted(user(n).id for n in range(45))
    assert users[-1] == user(0).id
    manifest = await rig.manifest()
    assert manifest["families"]["users"]["privilegedFrom"] == 3
    assert await planned_ids(rig, "service-principals") == [principal(1).id]
    assert {entry["id"] for entry in manifest["kept"]} == {KEEPER, OWN}
    assert (await rig.row())["digest"] == digest(manifest)
    assert rig.directory.asked == []


@pytest.mark.parametrize("family", list(Family))
@pytest.mark.parametrize("page", [0, 1])
async def test_a_broken_listing_never_becomes_a_plan(rig: Rig, family: str, page: int) -> None:
    """A listing that breaks at any page raises, leaves a blocker, and no plan can be frozen until it is whole."""
    rig.directory.items[family] += [Item(f"more-{n}", "", {}) for n in range(15)]
    rig.directory.breaks[family] = page
    await rig.opened()
    for one in (one for one in Family if one != family):
        await activities.survey_family(await rig.order(family=one))
    with pytest.raises(ListingIncomplete):
        await activities.survey_family(await rig.order(family=family))
    assert [b["what"] for b in (await rig.row())["blockers"]] == ["listing"]
    if family in names.REMOVED_FAMILIES:
        with pytest.raises(RecordMissing):
            await activities.freeze_plan(await rig.order())
        assert (await rig.row())["digest"] is None
    rig.directory.breaks.clear()
    await rig.surveyed()
    assert (await rig.row())["blockers"] == []


async def test_an_id_that_comes_twice_blocks(rig: Rig) -> None:
    """A listing with a repeated id is not trusted."""
    rig.directory.items["users"].append(user(3))
    await rig.opened()
    with pytest.raises(ListingIncomplete, match="twice"):
        await activities.survey_family(await rig.order(family="users"))


async def test_a_listing_without_the_keeper_blocks(rig: Rig) -> None:
    """The keeper must be among the users listed, or the listing was not of this tenant or not whole."""
    await rig.opened()
    keeper = rig.directory.items["users"].pop(0)
    await rig.surveyed()
    rig.directory.items["users"].insert(0, keeper)
    with pytest.raises(ListingIncomplete, match="keeper"):
        await activities.freeze_plan(await rig.order())
    assert (await rig.row())["digest"] is None


async def test_a_keep_rule_that_fits_nobody_any_more_fails(rig: Rig) -> None:
    """A rule that matched when the request came but not in the survey stops the closure."""
    await rig.opened(keep=["u3@contoso.com"])
    rig.directory.take("users", user(3).id)
    await rig.surveyed()
    answer = await activities.freeze_plan(await rig.order())
    assert (answer["stop"], (await rig.row())["digest"]) == ("failed", None)


async def test_kept_users_are_in_no_shard(rig: Rig) -> None:
    """Keep rules by id and by address hold, and are named in the plan."""
    await rig.planned(keep=["U3@contoso.com", user(4).id])
    assert not {user(3).id, user(4).id} & set(await planned_ids(rig, "users"))
    assert {user(3).id, user(4).id} < {entry["id"] for entry in (await rig.manifest())["kept"]}


async def test_our_own_registration_is_kept(rig: Rig) -> None:
    """An app registration of our own application in the tenant is never planned."""
    rig.directory.items["applications"] += [
        Item("app-1", "Ours", {"appId": "our-app"}),
        Item("app-2", "", {"appId": "x"}),
    ]
    await rig.planned()
    assert await planned_ids(rig, "applications") == ["app-2"]


def plan_of(rig: Rig) -> dict[str, Any]:
    """What a plan leaves in Records, without the audit and moments."""
    return {path: data for path, data in rig.records.blobs.items() if not path.endswith("audit.ndjson")}


async def survey_and_freeze(rig: Rig) -> str:
    for family in Family:
        await activities.survey_family(await rig.order(family=family))
    return str((await activities.freeze_plan(await rig.order()))["digest"])


@pytest.mark.slow
@pytest.mark.parametrize("landed", [False, True])
async def test_a_crash_at_any_write_ends_in_the_same_plan(landed: bool) -> None:
    """Killed at each storage write in turn and run again: same digest, same blobs, the frozen plan in the audit."""
    whole = await Rig(directory=tenant()).opened()
    counting = DyingRecords(whole.records)
    whole.process(counting)
    expected = await survey_and_freeze(whole)
    for number in range(1, counting.count + 1):
        rig = await Rig(directory=tenant()).opened()
        rig.process(DyingRecords(rig.records, number, landed=landed))
        with pytest.raises(Crash):
            await survey_and_freeze(rig)
        rig.process()
        assert await survey_and_freeze(rig) == expected
        assert plan_of(rig) == plan_of(whole)
        assert (await rig.row())["digest"] == expected
        assert "plan:frozen" in await rig.words()
    wiring.use(None)


def tenant() -> Any:
    from tests.fakes.tenant import FakeDirectory

    directory = FakeDirectory()
    directory.items["subscriptions"].append(subscription(1))
    return directory


async def test_preflight_checks_the_live_tenant(rig: Rig) -> None:
    """A tenant that can't be seen alive, permissions that are missing, a keeper unfit: nothing goes on."""
    await rig.opened()
    assert await activities.check_preflight(await rig.order()) == {}
    rig.directory.roles = frozenset()
    assert (await activities.check_preflight(await rig.order()))["stop"] == "failed"
    rig.directory.roles = None
    rig.directory.administrators = frozenset()
    assert (await activities.check_preflight(await rig.order()))["stop"] == "rail"
