"""One subscription round by round: what is called, what people are asked, and when it counts as gone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

import activities
from tenantclosure import wiring
from tenantclosure.errors import ServiceTrouble
from tenantclosure.model.inventory import Answer, Item
from tenantclosure.policy.selling import Provider
from tests.activities.rig import Rig, killed_at_each_write
from tests.fakes.tenant import subscription

SUB = subscription(1).id
ALL = [str(provider) for provider in Provider]


async def bench(**facts: Any) -> Rig:
    rig = Rig()
    rig.directory.items["subscriptions"] = [subscription(1, **facts)]
    return rig


def billed(rig: Rig, window: float | None = None, **facts: Any) -> Item:
    """A billing subscription of a Customer Agreement whose account is on the list; cancellable for `window` days."""
    until = None if window is None else (rig.clock.moment + timedelta(days=window)).isoformat()
    row = {
        "name": "bought",
        "agreementType": "MicrosoftCustomerAgreement",
        "cancellation": "NotAllowed" if until is None else "Allowed",
        "cancellationAllowedEndDate": until,
        "autoRenew": "On",
        "status": "Active",
        "allowed": True,
    }
    return Item("/arm/Bought", "Bought", {**row, **facts})


async def advance(rig: Rig, goal: str = "cancelled", item: str = SUB) -> dict[str, Any]:
    return await activities.advance_subscription(await rig.order(item=item, goal=goal, phase="cancel-subscriptions"))


async def standing(rig: Rig, item: str = SUB) -> dict[str, Any]:
    found = await rig.ledger.subscription(rig.closure, item)
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def forget() -> Any:
    yield
    wiring.use(None)


async def test_a_person_cancels_then_deletes() -> None:
    """An old agreement: a task to cancel, proven by Graph; a task to delete, proven by two reads an hour apart."""
    rig = await (await bench()).ready()
    assert not (await advance(rig))["done"]
    rig.directory.change("subscriptions", SUB, status="Suspended")
    assert (await advance(rig))["done"]
    assert not (await advance(rig, "deleted"))["done"]
    rig.directory.change("subscriptions", SUB, status="Deleted")
    first = await advance(rig, "deleted")
    assert (first["done"], first["stage"], first["seconds"]) == (False, "deprovisioning", 3600)
    rig.clock.go_on(seconds=3590)
    assert not (await advance(rig, "deleted"))["done"]
    rig.clock.go_on(seconds=10)
    assert (await advance(rig, "deleted"))["done"]
    states = {task["kind"]: task["state"] for task in await rig.ledger.tasks(rig.closure)}
    assert states == {"cancel-subscription": "proven", "delete-subscription": "proven"}
    assert (await standing(rig))["outcome"] == "removed"
    listed = await activities.list_subscriptions(await rig.order(providers=ALL))
    assert listed["items"] == []


async def test_a_row_that_comes_back_starts_its_proof_anew() -> None:
    """Seen gone, seen again, seen gone: the hour counts from the last time it vanished; its task is open again."""
    rig = await (await bench()).ready()
    await advance(rig, "deleted")
    rig.directory.change("subscriptions", SUB, status="Deleted")
    await advance(rig, "deleted")
    rig.clock.go_on(minutes=50)
    rig.directory.change("subscriptions", SUB, status="Enabled")
    assert not (await advance(rig, "deleted"))["done"]
    (task,) = await rig.ledger.tasks(rig.closure)
    assert task["state"] == "open"
    rig.directory.items["subscriptions"] = []
    rig.clock.go_on(minutes=50)
    assert not (await advance(rig, "deleted"))["done"]
    rig.clock.go_on(minutes=61)
    assert (await advance(rig, "deleted"))["done"]


async def test_one_that_was_gone_from_the_start_is_absent() -> None:
    """A planned subscription that no look ever found there comes out absent, not removed."""
    rig = await (await bench()).ready()
    rig.directory.items["subscriptions"] = []
    await advance(rig, "deleted")
    rig.clock.go_on(hours=2)
    assert (await advance(rig, "deleted"))["done"]
    assert (await standing(rig))["outcome"] == "absent"


async def test_mca_in_its_window_is_cancelled_once() -> None:
    """In the window: one cancellation, audited with its request id; then only waiting until Graph shows it."""
    rig = await bench(commerceSubscriptionId="bought")
    rig.billing.rows["/arm/Bought"] = billed(rig, window=5)
    await rig.ready()
    assert (await advance(rig))["stage"] == "cancel-requested"
    assert not (await advance(rig))["done"]
    assert rig.billing.asked == [("cancel_billing", "/arm/Bought")]
    (told,) = await rig.audited("write:made")
    assert (told["write"], told["id"], told["status"]) == ("cancel", SUB, 202)


async def test_mca_out_of_its_window_stops_its_renewal() -> None:
    """Out of the window renewal is turned off; shown off, the phase `cancel` is content and names the end date."""
    rig = await bench(commerceSubscriptionId="bought")
    end = (rig.clock.moment + timedelta(days=90)).isoformat()
    rig.billing.rows["/arm/Bought"] = billed(rig, termEndDate=end)
    await rig.ready()
    await advance(rig)
    assert rig.billing.asked == [("stop_renewal", "/arm/Bought")]
    rig.billing.rows["/arm/Bought"] = billed(rig, termEndDate=end, autoRenew="Off")
    assert (await advance(rig))["done"]
    rig.clock.go_on(days=5)
    waiting = await advance(rig, "deleted")
    assert (waiting["done"], waiting["parked"], waiting["seconds"]) == (False, True, 7 * 86400)
    kept = await standing(rig)
    assert (kept["dueAt"], kept["stage"], kept["side"]) == (end, "non-renewing", "waiting")
    assert datetime.fromisoformat(kept["earliest"]) == datetime.fromisoformat(end) + timedelta(days=120)


async def test_a_refusal_becomes_a_task_and_trouble_is_raised() -> None:
    """403 from Azure is an answer that asks a person, with the reason; 503 is tried again and asks nobody."""
    rig = Rig()
    rig.billing.azure = {"az": "Enabled"}
    await rig.ready()
    rig.billing.answers["cancel_azure"] = Answer("az", 503)
    with pytest.raises(ServiceTrouble):
        await advance(rig, item="az")
    assert await rig.ledger.tasks(rig.closure) == []
    rig.billing.answers["cancel_azure"] = Answer("az", 403, "AuthorizationFailed", "no owner")
    await advance(rig, item="az")
    (task,) = await rig.ledger.tasks(rig.closure)
    assert "AuthorizationFailed" in task["why"]
    await advance(rig, item="az")
    assert rig.billing.asked == [("cancel_azure", "az")] * 2


@pytest.mark.parametrize("configured", [True, False])
async def test_csp_with_and_without_a_partner(configured: bool) -> None:
    """With partner credentials the partner's row decides; without any, a person asks the partner."""
    rig = await bench(ownerTenantId="partner-tenant", commerceSubscriptionId="csp-1")
    until = (rig.clock.moment + timedelta(days=5)).isoformat()
    partner = rig.partner
    assert partner is not None
    row = {"cancellationAllowedUntilDate": until, "autoRenewEnabled": True, "status": "active"}
    partner.rows["csp-1"] = Item("csp-1", "", row)
    if not configured:
        rig.partner = None
        rig.process()
    await rig.ready()
    await advance(rig)
    tasks = [task["kind"] for task in await rig.ledger.tasks(rig.closure)]
    assert (partner.asked, tasks) == (([("cancel", "csp-1")], []) if configured else ([], ["ask-partner"]))


async def test_only_planned_subscriptions_are_advanced() -> None:
    """An id that is not in the plan breaks a rail; nothing is called."""
    rig = Rig()
    await rig.ready()
    rig.billing.azure = {"later": "Enabled"}
    assert (await advance(rig, item="later"))["stop"] == "rail"
    assert rig.billing.asked == []


@pytest.mark.parametrize("status", ["Warning", "LockedOut", "SomethingNew", "", None])
async def test_strange_states_wait(status: str | None) -> None:
    """A state nobody documented leads to a stage and a later look."""
    rig = await bench(status=status)
    await rig.ready()
    for goal in ("cancelled", "deleted"):
        step = await advance(rig, goal)
        assert step["stage"]
        assert step["done"] or step["seconds"] >= 0.5


@pytest.mark.parametrize("landed", [False, True])
async def test_a_crash_at_any_write_of_a_cancellation(landed: bool) -> None:
    """Killed at each write while Azure is cancelled: the next run ends where an undisturbed one does, audited."""

    async def with_azure() -> Rig:
        rig = Rig()
        rig.billing.azure = {"az": "Enabled"}
        return await rig.ready()

    async def cancel(rig: Rig) -> None:
        await advance(rig, item="az")

    async for rig in killed_at_each_write(with_azure, cancel, landed=landed, least=3):
        rig.process()
        assert (await standing(rig, "az"))["stage"] == "cancel-requested"
        assert 1 <= len(rig.billing.asked) <= 2
        told = (await rig.audited("write:made"))[-1]
        assert (told["write"], told["provider"]) == ("cancel", "azure")
