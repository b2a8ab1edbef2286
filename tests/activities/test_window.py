"""The deletion window: outside it nothing is written, reading goes on, and an approval whose window passed is gone."""

from __future__ import annotations

from typing import Any

import pytest

import activities
from tenantclosure.model.inventory import Answer
from tests.activities.policies import NIGHTS, policy
from tests.activities.rig import Rig
from tests.fakes.tenant import subscription, user

U = [user(n).id for n in range(45)]
SLOW = {"tokens": 5.0, "rate": 20.0, "burst": 5}


async def nightly(rig: Rig, **more: Any) -> Rig:
    """A closure approved at noon whose tenant may be written to from 22:00 to 04:00 UTC."""
    rig.policy = policy(window=NIGHTS, **more)
    rig.process()
    return await rig.ready()


async def test_outside_the_window_nothing_is_written(rig: Rig) -> None:
    """At noon every writer waits for 22:00, shown as waiting; the approval is not used up by that."""
    await nightly(rig)
    for writer in (activities.work_shard, activities.freeze_sign_ups, activities.turn_off_mfa, activities.open_wave):
        answer = await writer(await rig.shard_order())
        assert ("window", "2026-11-01T22:00") == (answer["stop"], answer["detail"][:16])
    assert ([], "waiting") == (rig.directory.asked, (await rig.row())["status"])
    assert await rig.ledger.mark(rig.closure, "used-plan", 1) is None


async def test_inside_the_window_it_works(rig: Rig) -> None:
    """At 22:00 the closure goes on by itself."""
    await nightly(rig)
    order = await rig.order(held="window")
    look = await activities.check_control(order)
    assert (True, pytest.approx(10 * 3600, abs=1)) == (look["paused"], look["seconds"])
    assert "waiting" == (await rig.row())["status"]
    rig.clock.go_on(hours=10)
    assert {"paused": False, "seconds": None} == await activities.check_control(order)
    assert "running" == (await rig.row())["status"]
    assert "done" == (await activities.work_shard(await rig.shard_order()))["state"]


async def test_a_wave_that_meets_the_closing_is_the_last(rig: Rig) -> None:
    """A shard under way at 04:00 stops within one wave, and goes on the next night without an approval anew."""
    await nightly(rig)
    rig.clock.go_on(hours=15, minutes=59)

    def after(number: int, ids: list[str]) -> None:
        if number == 2:
            rig.clock.go_on(minutes=2)

    rig.directory.after = after
    answer = await activities.work_shard(await rig.shard_order(**SLOW))
    assert ("window", "2026-11-02T22:00") == (answer["stop"], answer["detail"][:16])
    assert U[:10] == rig.directory.sent
    rig.clock.go_on(hours=18)
    assert "done" == (await activities.work_shard(await rig.shard_order(**SLOW)))["state"]
    assert U[:20] == rig.directory.sent


async def test_a_missed_window_withdraws_the_approval(rig: Rig) -> None:
    """A closure that was held through its first night is expired in the morning, not done the next night."""
    await nightly(rig)
    assert "2026-11-02T04:00:00.000Z" == (await rig.gate())["executeBy"]
    rig.clock.go_on(hours=16, seconds=1)
    assert "expired" == (await activities.work_shard(await rig.shard_order()))["stop"]
    rig.clock.go_on(hours=18)
    assert "expired" == (await activities.work_shard(await rig.shard_order()))["stop"]
    assert [] == rig.directory.asked


async def test_reading_goes_on_outside_the_window(rig: Rig) -> None:
    """Confirming, readiness and the list of subscriptions need no window, nor does looking after a subscription."""
    rig.directory.items["subscriptions"].append(subscription(1, status="Warning"))
    await nightly(rig)
    assert (await activities.confirm_wave(await rig.order(family="users", tries=99)))["confirmed"]
    assert not (await activities.check_readiness(await rig.order()))["ready"]
    order = await rig.order(providers=["legacy"], item=subscription(1).id, goal="cancelled")
    assert "items" in await activities.list_subscriptions(order)
    assert "stage" in await activities.advance_subscription(order)


async def test_a_cancellation_waits_for_the_window(rig: Rig) -> None:
    """The look that would call a seller's API waits for the window before it calls, and calls then."""
    rig.billing.azure = {"azure-1": "Enabled"}
    rig.billing.answers = {"cancel_azure": Answer("azure-1", 200)}
    await nightly(rig)
    order = await rig.order(item="azure-1", goal="cancelled", phase="cancel-subscriptions")
    assert "window" == (await activities.advance_subscription(order))["stop"]
    assert [] == rig.billing.asked
    rig.clock.go_on(hours=10)
    await activities.advance_subscription(order)
    assert [("cancel_azure", "azure-1")] == rig.billing.asked


async def test_putting_the_freeze_back_waits_for_no_window(rig: Rig) -> None:
    """An end outside the window undoes the freeze at once."""
    await nightly(rig)
    rig.clock.go_on(hours=10)
    await activities.freeze_sign_ups(await rig.order())
    rig.clock.go_on(hours=8)
    assert {"restored": True} == await activities.undo_freeze(await rig.order())
