"""What stands in the way, from the first plan on: blockers on the row, the whole look as a mark, and the date."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

import activities
from tenantclosure import names, wiring
from tenantclosure.ledger import iso
from tests.activities.rig import OLGA, Rig, killed_at_each_write
from tests.activities.test_subscriptions import SUB, advance, bench, billed
from tests.fakes.tenant import FakeDirectory, principal, subscription, user


@pytest.fixture(autouse=True)
def forget() -> Any:
    yield
    wiring.use(None)


async def look(rig: Rig) -> dict[str, Any]:
    """The newest look that was kept."""
    found = await rig.ledger.mark(rig.closure, names.CHECKS, (await rig.row())["planSerial"])
    assert found is not None
    return found


async def check(rig: Rig, name: str) -> dict[str, Any]:
    return next(row for row in (await look(rig))["checks"] if row["check"] == name)


async def ready(rig: Rig) -> dict[str, Any]:
    return await activities.check_readiness(await rig.order(phase="readiness"))


async def licensed(**facts: Any) -> Rig:
    """A tenant with nobody but the keeper, and one licence of an old agreement."""
    rig = await bench(**facts)
    rig.directory.items["users"] = rig.directory.items["users"][:1]
    return rig


# -- from the first plan on -------------------------------------------------------------------------------------------
async def test_a_plan_says_what_it_can_t_clear(rig: Rig) -> None:
    """Before anybody approves: users are ours to remove, the locked licence is Support's, the date is on the row."""
    rig.directory.items["subscriptions"] = [subscription(1, status="LockedOut")]
    rig.directory.items["service-principals"].append(principal(1))
    await rig.planned()
    users, row = await check(rig, "users"), await rig.row()
    assert (users["state"], users["owner"], users["count"], len(users["items"])) == ("fail", "this closure", 45, 20)
    assert (await check(rig, "enterprise-applications"))["count"] == 1
    ((what, who, items),) = [(b["what"], b["who"], b["items"]) for b in row["blockers"]]
    assert (what, who, items) == ("subscriptions", "Microsoft Support", ["E5 1"])
    assert datetime.fromisoformat(row["earliest"]) <= rig.clock.moment
    assert [one["what"] for one in (await look(rig))["closing"]["undated"]] == [
        "Approval of the plan",
        "Approval of the tenant's end",
        "Licence subscriptions",
        "Deleting the tenant in the portal",
    ]
    assert rig.directory.asked == []


async def test_a_plan_knows_its_quiet_days_and_its_terms() -> None:
    """The term that ends last decides; quiet days and the second gate are known as well."""
    rig = await licensed(commerceSubscriptionId="bought")
    ends = rig.clock.moment + timedelta(days=200)
    rig.billing.rows["/arm/Bought"] = billed(rig, termEndDate=ends.isoformat())
    await rig.planned(quietDays=10)
    found, row = (await look(rig))["closing"], await rig.row()
    assert found["earliest"] == row["earliest"]
    last = ends + timedelta(days=120, hours=1)
    assert abs(datetime.fromisoformat(row["earliest"]) - last) < timedelta(seconds=2)
    assert [lane["what"] for lane in found["lanes"]] == ["E5 1", "Quiet period"]
    assert "Approval to go on after the quiet period" in [one["what"] for one in found["undated"]]
    (blocker,) = row["blockers"]
    assert blocker["earliest"] == (ends + timedelta(days=120)).isoformat()


@pytest.mark.parametrize("odd", ["soon", "", 5, "9999-12-31T23:59:59Z"])
async def test_odd_facts_never_stop_a_plan(odd: Any) -> None:
    """Dates that are none and words from elsewhere: the plan is frozen, and the checks say what they can."""
    rig = await licensed(status="Paused", nextLifecycle=odd, skuPartNumber=None)
    rig.directory.leftovers = {"user flows": None}
    await rig.planned()
    assert (await check(rig, "subscriptions"))["state"] == "fail"


@pytest.mark.parametrize("landed", [False, True])
async def test_a_crash_while_planning_loses_no_check(landed: bool) -> None:
    """Killed at each write of the freezing and run again: a plan in force has its checks and its blockers."""

    async def freeze(rig: Rig) -> None:
        await activities.freeze_plan(await rig.order())

    async def surveyed() -> Rig:
        rig = await (await licensed(status="LockedOut")).opened()
        return await rig.surveyed()

    async for rig in killed_at_each_write(surveyed, freeze, landed=landed, least=5):
        assert (await check(rig, "subscriptions"))["state"] == "fail"
        assert [b["what"] for b in (await rig.row())["blockers"]] == ["subscriptions"]


# -- in the phase readiness -------------------------------------------------------------------------------------------
async def test_a_licence_that_waits_for_somebody_names_who() -> None:
    """Asked and not reported: a blocker without a date, with the task's owner; reported, it only waits."""
    rig = await (await licensed()).ready()
    await advance(rig)
    found = await ready(rig)
    (blocker,) = (await rig.row())["blockers"]
    (item,) = (await check(rig, "subscriptions"))["items"]
    assert (found["ready"], blocker["earliest"], blocker["items"]) == (False, None, ["E5 1"])
    assert blocker["who"].startswith("Billing Administrator")
    assert (item["task"], item["stage"]) == (f"cancel-subscription-{SUB}".lower(), "planned")
    rig.clock.go_on(seconds=1)
    await rig.ledger.report_task(rig.closure, item["task"], OLGA, "done")
    await advance(rig)
    await ready(rig)
    (blocker,) = (await rig.row())["blockers"]
    assert blocker["earliest"] is not None


async def test_a_date_is_waited_for_and_the_next_look_follows_it() -> None:
    """A disabled licence goes by itself at its date: waiting, and looked at again when that comes."""
    rig = await licensed(commerceSubscriptionId="bought", status="Suspended")
    due = rig.clock.moment + timedelta(hours=5)
    rig.billing.rows["/arm/Bought"] = billed(rig, status="Disabled")
    rig.directory.change("subscriptions", SUB, nextLifecycle=iso(due))
    await rig.ready()
    await advance(rig, "deleted")
    found = await ready(rig)
    assert (await check(rig, "subscriptions"))["state"] == "waiting"
    assert abs(found["seconds"] - (due - rig.clock.moment).total_seconds()) < 1
    assert found["checks"] == [{"check": row["check"], "state": row["state"]} for row in (await look(rig))["checks"]]


async def test_gone_is_ready_only_once_it_is_proven() -> None:
    """Seen gone once it still waits, with the rest of the hour; after the second look nothing is left of it."""
    rig = await (await licensed()).ready()
    await advance(rig)
    rig.directory.items["subscriptions"] = []
    await advance(rig, "deleted")
    found = await ready(rig)
    assert (found["ready"], (await check(rig, "subscriptions"))["state"]) == (False, "waiting")
    rig.clock.go_on(hours=2)
    assert (await advance(rig, "deleted"))["done"]
    assert (await ready(rig))["ready"]
    assert (await rig.row())["blockers"] == []


async def test_what_an_earlier_plan_held_blocks_nothing() -> None:
    """A licence that is not in the plan any more has no say, whatever its standing was."""
    rig = await (await licensed()).ready()
    await advance(rig)
    await rig.ledger.note_subscription(
        rig.closure, "from-before", {"stage": "planned", "side": "manual", "name": "Old"}
    )
    await ready(rig)
    assert [b["items"] for b in (await rig.row())["blockers"]] == [["E5 1"]]


async def test_a_licence_nobody_planned_is_named() -> None:
    """What turned up since the approval fails the check: people are asked again."""
    rig = await (await licensed()).ready()
    await advance(rig)
    rig.directory.items["subscriptions"].append(subscription(2))
    await ready(rig)
    assert {item["name"] for item in (await check(rig, "subscriptions"))["items"]} == {"E5 1", "E5 2"}


async def test_kept_users_end_the_closure_and_keep_nobody_waiting() -> None:
    """With nobody left but the keeper and the kept ones the look is ready, and the row says who is kept."""
    rig = Rig(directory=FakeDirectory(users=2))
    await rig.ready(keep=["u1@contoso.com"])
    rig.directory.take("users", user(0).id)
    found = await ready(rig)
    assert (found["ready"], [(b["what"], b["items"]) for b in (await rig.row())["blockers"]]) == (
        True,
        [("kept-users", ["User 1"])],
    )


async def test_tasks_say_who_clears_which_users(rig: Rig) -> None:
    """Users that a task names are that task's; the others have the general remedy."""
    await rig.ready()
    task = {"taskId": "release-users-restricted", "kind": "release-users", "target": "restricted"}
    told = {"who": "Privileged Role Administrator", "title": "Release users", "why": "restricted"}
    await rig.ledger.open_task(rig.closure, {**task, **told, "items": ["User 1 (u1@contoso.com)"], "instance": "i"})
    await ready(rig)
    items = {item["name"]: item for item in (await check(rig, "users"))["items"]}
    assert items["User 1"]["task"] == "release-users-restricted"
    assert "task" not in items["User 2"] and items["User 2"]["owner"] == "Global Administrator"
    blocker = next(b for b in (await rig.row())["blockers"] if b["what"] == "users")
    assert blocker["who"] == "Global Administrator; Privileged Role Administrator"


async def test_external_tenants_are_looked_at_for_what_only_they_have() -> None:
    """User flows that are left stop it and are asked for; what can't be read is unknown: no hold, and no proof."""
    rig = Rig(directory=FakeDirectory(users=0))
    await rig.ready()
    rig.directory.tenant_type, rig.directory.leftovers = "CIAM", {"user flows": 2, "policy keys": None}
    found = await ready(rig)
    assert (found["ready"], [b["what"] for b in (await rig.row())["blockers"]]) == (False, ["user-flows"])
    assert (await check(rig, "policy-keys"))["state"] == "unknown"
    (task,) = await rig.ledger.tasks(rig.closure)
    assert (task["kind"], task["items"]) == ("empty-external-directory", ["2 user flows"])
    for counted, state in ((None, "open"), (0, "proven")):
        rig.directory.leftovers = {"user flows": counted, "policy keys": None}
        assert (await ready(rig))["ready"]
        assert [one["state"] for one in await rig.ledger.tasks(rig.closure)] == [state]
