"""Rounds over months: who is due, what people are asked and told, what is never called, and what stops for drift."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

import activities
from tenantclosure import wiring
from tenantclosure.errors import AccessRefused, RailBroken
from tenantclosure.model.inventory import Answer, Item
from tenantclosure.names import Rail
from tenantclosure.policy.selling import Provider
from tests.activities.rig import ANN, OLGA, Rig
from tests.activities.test_subscriptions import SUB, advance, bench, billed, standing
from tests.fakes.tenant import subscription

EVERY = [str(provider) for provider in Provider]


@pytest.fixture(autouse=True)
def forget() -> Any:
    yield
    wiring.use(None)


async def listed(rig: Rig, **more: Any) -> dict[str, Any]:
    return await activities.list_subscriptions(await rig.order(**{"providers": EVERY, "phase": "readiness", **more}))


async def kinds(rig: Rig, state: str = "open") -> list[str]:
    return sorted(task["kind"] for task in await rig.ledger.tasks(rig.closure) if task["state"] == state)


async def report(rig: Rig, kind: str, item: str = SUB) -> None:
    rig.clock.go_on(seconds=1)
    await rig.ledger.report_task(rig.closure, f"{kind}-{item}".lower(), OLGA, "done")


@pytest.mark.parametrize(
    "new",
    [
        lambda rig: rig.directory.items["subscriptions"].append(subscription(2)),
        lambda rig: rig.billing.azure.update(new="Enabled"),
        lambda rig: rig.billing.rows.update({"/x/new": Item("/x/new", "New", billed(rig).facts)}),
        lambda rig: rig.partner.rows.update(new=Item("new", "New", {"status": "active"})),
    ],
)
async def test_a_subscription_nobody_approved_stops_the_phase(new: Any) -> None:
    """Whatever side shows something new: drift, named, before anything is done; deleted ones are nothing new."""
    rig = await (await bench()).ready()
    rig.directory.items["subscriptions"].append(subscription(3, status="Deleted"))
    rig.billing.azure["old"] = "Deleted"
    assert (await listed(rig))["items"] == [SUB]
    new(rig)
    stopped = await listed(rig)
    assert stopped["stop"] == "drift"
    assert "1 new" in stopped["detail"]


async def test_another_side_of_a_planned_one_is_nothing_new() -> None:
    """When Graph has dropped a row that billing still shows, that is the planned one and no new one."""
    rig = await bench(commerceSubscriptionId="bought")
    rig.billing.rows["/arm/Bought"] = billed(rig)
    await rig.ready()
    rig.directory.items["subscriptions"] = []
    assert (await listed(rig))["items"] == [SUB]


async def test_only_those_that_are_due_come_round() -> None:
    """Before its date nothing is looked at; a report brings it forward; what is over comes back only if it does."""
    rig = await (await bench()).ready()
    assert (await listed(rig, due=True))["items"] == [SUB]
    await advance(rig, "deleted")
    waiting = await listed(rig, due=True)
    assert (waiting["items"], 0 < waiting["seconds"] <= 900) == ([], True)
    await report(rig, "cancel-subscription")
    assert (await listed(rig, due=True))["items"] == [SUB]
    await advance(rig, "deleted")
    assert (await listed(rig, due=True))["items"] == []
    rig.clock.go_on(minutes=16)
    assert (await listed(rig, due=True))["items"] == [SUB]
    rig.directory.items["subscriptions"] = []
    for _ in range(2):
        await advance(rig, "deleted")
        rig.clock.go_on(hours=2)
    assert (await listed(rig))["items"] == []
    rig.directory.items["subscriptions"] = [subscription(1)]
    assert (await listed(rig, due=True))["items"] == [SUB]
    assert (await advance(rig, "deleted"))["stage"] == "planned"
    assert "Enabled again since" in (await standing(rig))["reason"]


async def test_a_task_names_whom_a_report_wakes() -> None:
    """Parked, the task carries the instance that waits for all of them; otherwise the one that asks."""
    rig = await (await bench()).ready()
    order = await rig.order(item=SUB, goal="cancelled", phase="readiness", waiter="the-parent")
    step = await activities.advance_subscription(order)
    (task,) = await rig.ledger.tasks(rig.closure)
    assert (step["parked"], step["done"], task["instance"]) == (True, False, "the-parent")


async def test_every_move_is_in_the_audit() -> None:
    """Each change of stage is told once, with the reason."""
    rig = await (await bench()).ready()
    await advance(rig)
    await advance(rig)
    rig.directory.change("subscriptions", SUB, status="Suspended")
    await advance(rig)
    rig.directory.items["subscriptions"] = []
    await advance(rig, "deleted")
    rig.clock.go_on(hours=2)
    await advance(rig, "deleted")
    told = await rig.audited("subscription:moved")
    assert [(move["from"], move["to"]) for move in told] == [
        ("planned", "disabled"),
        ("disabled", "deprovisioning"),
        ("deprovisioning", "deprovisioned"),
    ]
    assert all(move["reason"] for move in told)


async def test_done_is_only_what_a_look_shows() -> None:
    """Reported deleted and not gone after 96 hours: Support is asked as well, and the task is still open."""
    rig = await (await bench(status="Suspended")).ready()
    await advance(rig, "deleted")
    await report(rig, "delete-subscription")
    assert (await advance(rig, "deleted"))["stage"] == "delete-requested"
    assert await kinds(rig) == ["delete-subscription"]
    rig.clock.go_on(days=4, minutes=1)
    assert not (await advance(rig, "deleted"))["done"]
    assert await kinds(rig) == ["ask-support", "delete-subscription"]
    assert (await standing(rig))["side"] == "support"
    reported = await rig.ledger.task(rig.closure, f"delete-subscription-{SUB}".lower())
    assert reported is not None and reported["escalatedAt"]
    rig.directory.items["subscriptions"] = []
    await advance(rig, "deleted")
    rig.clock.go_on(hours=2)
    assert (await advance(rig, "deleted"))["done"]
    assert (await kinds(rig), await kinds(rig, "proven")) == ([], ["ask-support", "delete-subscription"])


async def test_a_person_attests_where_nothing_can_be_seen() -> None:
    """No view of the seller's side: a report by name makes it non-renewing; Graph proves its end."""
    rig = await bench(ownerTenantId="another", nextLifecycle="2027-06-01T00:00:00Z")
    rig.partner = None
    await rig.process().ready()
    assert (await advance(rig))["parked"]
    assert await kinds(rig) == ["ask-partner"]
    await report(rig, "ask-partner")
    (told,) = await rig.audited("task:attested")
    step = await advance(rig)
    kept = await standing(rig)
    assert (step["done"], step["stage"], kept["dueAt"]) == (True, "non-renewing", "2027-06-01T00:00:00Z")
    assert "attested by olga@fabrikam.com" in kept["reason"] and told["comment"] == "done"
    assert await kinds(rig, "proven") == ["ask-partner"]
    assert (await advance(rig, "deleted"))["stage"] == "non-renewing"


async def test_an_account_that_is_not_on_the_list_is_never_written_to() -> None:
    """A person is asked with the reason; where we read the list wrongly, the gateway's rail stops the run."""
    rig = await bench(commerceSubscriptionId="bought")
    rig.billing.rows["/arm/Bought"] = billed(rig, window=5, allowed=False)
    await rig.ready()
    assert (await advance(rig))["parked"]
    (task,) = await rig.ledger.tasks(rig.closure)
    assert (task["kind"], "list" in task["why"], rig.billing.asked) == ("cancel-subscription", True, [])
    rig.billing.rows["/arm/Bought"] = billed(rig, window=5)

    async def barred(_: str) -> Answer:
        raise RailBroken(Rail.BILLING_ACCOUNT, "not on the list")

    rig.billing.cancel_billing = barred  # type: ignore[method-assign]
    assert (await advance(rig))["stop"] == "rail"


async def test_support_is_told_what_was_found() -> None:
    """Whoever asks Support has to say what is wrong: the task names it in its reason and in its clicks."""
    rig = await (await bench(status="LockedOut")).ready()
    await advance(rig)
    (task,) = await rig.ledger.tasks(rig.closure)
    assert (task["kind"], task["why"]) == ("ask-support", "locked out; only Microsoft Support ends it")
    assert "Say what is wrong: locked out; only Microsoft Support ends it." in task["steps"]


async def test_two_sellers_mean_no_call_at_all() -> None:
    """What billing and the partner both list is never called; a person finds the seller, Graph proves the end."""
    rig = await bench(commerceSubscriptionId="both")
    rig.billing.rows["/arm/both"] = Item("/arm/both", "Both", billed(rig, window=5).facts)
    partner = rig.partner
    assert partner is not None
    partner.rows["both"] = Item("both", "Both", {"status": "active", "autoRenewEnabled": True})
    await rig.ready()
    for goal in ("cancelled", "deleted"):
        assert (await advance(rig, goal))["parked"]
    assert await kinds(rig) == ["find-seller"]
    assert (rig.billing.asked, partner.asked) == ([], [])


@pytest.mark.parametrize("ignore", [True, False])
async def test_azure_with_resources(ignore: bool) -> None:
    """Refused because of resources: a person empties it, and after the report it is cancelled once more."""
    rig = Rig()
    rig.billing.azure = {"az": "Enabled"}
    await rig.ready(azure={"ignoreResources": ignore})
    rig.billing.answers["cancel_azure"] = Answer("az", 400, "ResourcesExistingOnSubscription", "2 resources")
    assert (await advance(rig, item="az"))["parked"]
    assert (await advance(rig, item="az"))["parked"]
    assert (await kinds(rig), len(rig.billing.asked)) == (["empty-azure-subscription"], 1)
    rig.billing.answers.clear()
    await report(rig, "empty-azure-subscription", "az")
    assert (await advance(rig, item="az"))["stage"] == "cancel-requested"
    assert (await kinds(rig), len(rig.billing.asked)) == (["empty-azure-subscription"], 2)
    rig.billing.azure["az"] = "Disabled"
    assert (await advance(rig, item="az"))["done"]
    assert await kinds(rig) == []


async def test_a_refused_look_asks_a_person_and_is_not_tried_for_ever() -> None:
    """403 on reading: a task with the reason and a next look, no error; once it is granted, the call is made."""
    rig = await bench(commerceSubscriptionId="bought")
    rig.billing.rows["/arm/Bought"] = billed(rig, window=5)
    await rig.ready()
    whole = rig.billing.billing_subscription

    async def refused(_: str) -> Item | None:
        raise AccessRefused("403 AuthorizationFailed")

    rig.billing.billing_subscription = refused  # type: ignore[method-assign]
    step = await advance(rig)
    assert (step["parked"], step["seconds"] > 0, await kinds(rig)) == (True, True, ["turn-off-recurring-billing"])
    rig.billing.billing_subscription = whole  # type: ignore[method-assign]
    assert (await advance(rig))["stage"] == "cancel-requested"


async def test_a_pause_between_look_and_write_holds_the_write() -> None:
    """An approval taken back, or a pause, while the row was looked at: the call is not made."""
    rig = Rig()
    rig.billing.azure = {"az": "Enabled"}
    await rig.ready()
    whole = rig.billing.azure_state

    async def late(id_: str) -> str:
        await rig.decide("plan", ANN, "revoke")
        return await whole(id_)

    rig.billing.azure_state = late  # type: ignore[method-assign]
    assert (await advance(rig, item="az"))["stop"] == "revoked"
    assert rig.billing.asked == []


async def test_the_plan_tells_who_why_and_when() -> None:
    """Each planned subscription says who ends it, why, its licences and the earliest date, frozen with the plan."""
    rig = await bench(totalLicenses=40)
    rig.directory.items["subscriptions"].append(subscription(2, isTrial=True, nextLifecycle="2026-11-20T00:00:00Z"))
    rig.billing.azure = {"az": "Enabled"}
    await rig.planned()
    shard = rig.records.blobs[f"{rig.closure}/plan-1/subscriptions/00000.ndjson"]
    facts = {item.id: item.facts for item in map(Item.from_dict, map(json.loads, shard.splitlines()))}
    assert (facts[SUB]["provider"], facts[SUB]["licences"], facts[SUB]["earliest"]) == ("manual", 40, None)
    assert facts[subscription(2).id]["earliest"] == "2026-12-23T00:00:00+00:00"
    assert facts["az"]["earliest"] > (rig.clock.moment + timedelta(days=2)).isoformat()
    assert all(one["why"] for one in facts.values())


async def test_one_that_its_seller_does_not_know_any_more_is_waited_for() -> None:
    """404 to the cancellation means gone there: no renewal is stopped, nothing is called again, Graph proves it."""
    rig = await bench(commerceSubscriptionId="bought")
    rig.billing.rows["/arm/Bought"] = billed(rig, window=5)
    rig.billing.answers["cancel_billing"] = Answer("/arm/Bought", 404, "NotFound")
    await rig.ready()
    for _ in range(3):
        step = await advance(rig)
        assert (step["stage"], step["parked"]) == ("cancel-requested", True)
    assert rig.billing.asked == [("cancel_billing", "/arm/Bought")]
