"""Manual tasks that stand by themselves: opened and told, probed, never believed on a word, late ones to Support."""

from __future__ import annotations

from typing import Any

import pytest

import activities
from tenantclosure import outbox
from tests.activities.rig import ANN, Rig, killed_at_each_write
from tests.fakes.tenant import user

SYNC, SUPPORT = "turn-off-sync-t", "ask-support-t"


async def seen(rig: Rig) -> Rig:
    """The preflight has seen the tenant alive from outside."""
    await rig.ready()
    await rig.ledger.set_mark(rig.closure, "sighted", 1, {"sighting": "alive"})
    return rig


async def tenant(rig: Rig, **more: Any) -> dict[str, Any]:
    return await rig.order(kind="delete-tenant", target="t", name="contoso", **more)


async def sync(rig: Rig, **more: Any) -> dict[str, Any]:
    return await rig.order(kind="turn-off-sync", target="t", name="directory synchronisation", **more)


async def states(rig: Rig) -> dict[str, str]:
    """State of every task."""
    return {task["taskId"]: task["state"] for task in await rig.ledger.tasks(rig.closure)}


async def task(rig: Rig, task_id: str) -> dict[str, Any]:
    found = await rig.ledger.task(rig.closure, task_id)
    assert found is not None
    return found


# -- the tenant's end --------------------------------------------------------------------------------------------------
async def test_the_tenant_is_gone_when_nobody_sees_it(rig: Rig) -> None:
    """Three sightings in a row prove it; one `unknown` or `alive` in between does not."""
    order = await tenant(await seen(rig))
    await activities.open_task(order)
    rig.outside.sightings = ["gone", "gone", "unknown"]
    assert not (await activities.probe_task(order))["proven"]
    rig.outside.sightings = ["gone", "gone", "alive"]
    assert not (await activities.probe_task(order))["proven"]
    rig.outside.sightings = ["gone"]
    assert (await activities.probe_task(order))["proven"]
    assert {"delete-tenant-t": "proven"} == await states(rig)


async def test_what_was_never_seen_is_not_gone(rig: Rig) -> None:
    """From the wrong cloud a living tenant looks just like a deleted one: first it must have been seen alive."""
    await rig.ready()
    order = await tenant(rig)
    await activities.open_task(order)
    rig.outside.sightings = ["gone"]

    assert not (await activities.probe_task(order))["proven"]
    assert "never seen" in (await task(rig, "delete-tenant-t"))["seen"]
    rig.outside.sightings = ["alive"]
    assert not (await activities.probe_task(order))["proven"]
    rig.outside.sightings = ["gone"]
    assert (await activities.probe_task(order))["proven"]


async def test_a_sighting_under_an_earlier_plan_counts(rig: Rig) -> None:
    """The tenant is the same, however often it was planned anew."""
    order = await tenant(await seen(rig), serial=3)
    rig.outside.sightings = ["gone"]

    assert (await activities.probe_task(order))["proven"]


async def test_an_end_that_azure_accepted_and_nobody_sees_goes_to_support(rig: Rig) -> None:
    """Nobody was asked, because Azure took the deletion; four days later the tenant still answers: Support is asked."""
    order = await tenant(await seen(rig), since=rig.clock.now().isoformat())
    assert not (await activities.probe_task(order))["proven"]
    assert {} == await states(rig)
    rig.clock.go_on(days=4.1)
    await activities.probe_task(order)
    assert {SUPPORT: "open"} == await states(rig)
    assert "still answers from outside" in (await task(rig, SUPPORT))["why"]
    rig.outside.sightings = ["gone"]
    assert (await activities.probe_task(order))["proven"]
    assert {SUPPORT: "proven"} == await states(rig)


# -- synchronisation ---------------------------------------------------------------------------------------------------
async def test_sync_is_off_when_no_user_is_synced(rig: Rig) -> None:
    """The flag alone proves nothing while users are still marked as synchronised."""
    await rig.ready()
    order = await sync(rig)
    await activities.open_task(order)
    rig.directory.sync = True
    assert not (await activities.probe_task(order))["proven"]
    assert "still marked as synchronised" in (await task(rig, SYNC))["seen"]
    rig.directory.sync = False
    rig.directory.change("users", user(44).id, synced=True)
    assert not (await activities.probe_task(order))["proven"]
    assert "up to 72 hours" in (await task(rig, SYNC))["seen"]
    rig.directory.change("users", user(44).id, synced=False)
    assert (await activities.probe_task(order))["proven"]


async def test_a_conversion_that_never_ends_goes_to_support(rig: Rig) -> None:
    """96 hours after it was seen off, with no report: Support is asked as well, once; the end proves both."""
    await rig.ready()
    order = await sync(rig)
    await activities.open_task(order)
    rig.directory.sync = False
    rig.directory.change("users", user(44).id, synced=True)
    for days in (0, 3.9, 0.2, 5):
        rig.clock.go_on(days=days)
        await activities.probe_task(order)
        expected = days in (0.2, 5)
        assert expected == (SUPPORT in await states(rig)) == bool((await task(rig, SYNC))["escalatedAt"])

    assert "open" == (await states(rig))[SYNC]
    assert 1 == (await rig.words()).count("task:escalated")
    rig.directory.change("users", user(44).id, synced=False)
    assert (await activities.probe_task(order))["proven"]
    assert {SYNC: "proven", SUPPORT: "proven"} == await states(rig)


async def test_what_an_api_began_is_late_without_anybody_asked(rig: Rig) -> None:
    """No task was needed; 96 hours after the phase began Support's is opened."""
    await rig.ready()
    order = await sync(rig, since=rig.clock.now().isoformat())
    rig.directory.sync = True
    rig.clock.go_on(days=3.9)
    await activities.probe_task(order)
    before = await states(rig)
    rig.clock.go_on(days=0.2)
    await activities.probe_task(order)
    await activities.probe_task(order)

    assert ({}, {SUPPORT: "open"}) == (before, await states(rig))
    assert 1 == (await rig.words()).count("task:opened")


# -- words of people ---------------------------------------------------------------------------------------------------
async def test_a_report_of_done_proves_nothing(rig: Rig) -> None:
    """What a person says is kept; the task stays open, tells what was seen and when the next look is."""
    order = await tenant(await seen(rig))
    task_id = (await activities.open_task(order))["taskId"]
    await rig.ledger.report_task(rig.closure, task_id, ANN, "done it")
    answer = await activities.probe_task(order)
    found = await task(rig, task_id)

    assert not answer["proven"]
    assert ("open", 1) == (found["state"], len(found["reports"]))
    assert found["nextAt"] > found["lookedAt"] >= found["reports"][0]["at"]


async def test_a_report_that_does_not_come_true_goes_to_support(rig: Rig) -> None:
    """96 hours after the newest report a support task opens; the task itself stays open and says so."""
    order = await tenant(await seen(rig))
    await activities.open_task(order)
    await rig.ledger.report_task(rig.closure, "delete-tenant-t", ANN, "early click")
    rig.clock.go_on(days=3)
    await rig.ledger.report_task(rig.closure, "delete-tenant-t", ANN, "now really")
    found = []
    for days in (2, 1.9, 0.2, 9):
        rig.clock.go_on(days=days)
        assert not (await activities.probe_task(order))["proven"]
        found.append((SUPPORT in await states(rig), (await states(rig))["delete-tenant-t"]))

    assert [(False, "open"), (False, "open"), (True, "open"), (True, "open")] == found
    assert "still answers" in (await task(rig, SUPPORT))["why"]
    assert [SUPPORT] == [detail["support"] for detail in await rig.audited("task:escalated")]


@pytest.mark.slow
@pytest.mark.parametrize("landed", [False, True])
async def test_an_escalation_survives_a_crash(landed: bool) -> None:
    """Wherever the process dies: Support's task is there once, the original says so, and both are told."""

    async def make() -> Rig:
        rig = await seen(Rig())
        await activities.open_task(await tenant(rig))
        await rig.ledger.report_task(rig.closure, "delete-tenant-t", ANN, "done")
        rig.clock.go_on(days=5)
        return rig

    async def run(rig: Rig) -> None:
        await activities.probe_task(await tenant(rig))

    async for rig in killed_at_each_write(make, run, landed=landed, least=5):
        rig.process()
        await outbox.remind_tasks(rig.parts, await rig.row(), await rig.ledger.tasks(rig.closure))
        assert {"delete-tenant-t": "open", SUPPORT: "open"} == await states(rig)
        assert (await task(rig, "delete-tenant-t"))["escalatedAt"]
        assert ["olga", "olga"] == await rig.notices("task")
        assert ["olga", "olga"] == await rig.notices("task-remind")  # Support is asked; and the days that passed


# -- opening -----------------------------------------------------------------------------------------------------------
async def test_opening_tells_requester_helpers_and_channel_once(rig: Rig) -> None:
    """A second opening of the same run writes nobody again."""
    await rig.ready(helpers=["ann@fabrikam.com", "Olga@fabrikam.com"])
    order = await sync(rig)
    await activities.open_task(order)
    await activities.open_task({**order, "instance": "new"})

    assert ["ann@fabrikam.com", "olga"] == await rig.notices("task")
    assert ["channel"] == await rig.notices("task", "teams")


async def test_an_opened_task_follows_its_run_and_opens_again(rig: Rig) -> None:
    """A new run's instance is woken instead of the old one's; a proven task that is needed again is a new one."""
    await rig.ready()
    order = await sync(rig)
    await activities.open_task(order)
    await activities.open_task({**order, "instance": "new"})
    assert "new" == (await task(rig, SYNC))["instance"]
    assert 1 == (await rig.words()).count("task:opened")
    await rig.ledger.prove_task(rig.closure, SYNC, "seen")
    await activities.open_task({**order, "instance": "newer"})
    assert "open" == (await task(rig, SYNC))["state"]
    assert 2 == (await rig.words()).count("task:opened")
    assert 2 == len(await rig.notices("task"))
