"""A gate asks until it is answered: once in each round, reminders to the silent, deputies when that did not help."""

from __future__ import annotations

from typing import Any

import pytest

import activities
from tenantclosure import wiring
from tests.activities.policies import policy
from tests.activities.rig import ANN, BOB, CYD, DEE, EVE, OLGA, Rig, killed_at_each_write
from tests.fakes.dying_records import Crash, DyingRecords


async def opened(rig: Rig, **more: Any) -> dict[str, Any]:
    """A gate open with its default dates: reminders after one day and three, escalation after four, answer-by seven."""
    rig.policy = policy(**more)
    rig.process()
    await rig.planned()
    order = await rig.order(gate="plan", phase="gate-plan")
    await activities.open_gate(order)
    return order


async def look(rig: Rig, order: dict[str, Any], **later: float) -> dict[str, Any]:
    """Let time pass, then judge."""
    rig.clock.go_on(**later)
    return await activities.judge_gate(order)


async def test_the_silent_are_reminded_one_reminder_at_a_time(rig: Rig) -> None:
    """Who has said something is left alone; each reminder goes out once, however often somebody looks."""
    order = await opened(rig)
    await rig.decide("plan", ANN)
    assert pytest.approx(86400, abs=2) == (await look(rig, order))["seconds"]
    assert [] == await rig.notices("remind")
    answer = await look(rig, order, days=1, seconds=1)
    assert pytest.approx(2 * 86400, abs=2) == answer["seconds"]
    await look(rig, order)
    assert ["bob", "cyd"] == await rig.notices("remind")
    assert [{"gate": "plan", "serial": 1, "reminder": 1, "people": [BOB.upn, CYD.upn]}] == await rig.audited(
        "gate:reminded"
    )
    await rig.decide("plan", BOB)
    await look(rig, order, days=2)
    assert ["bob", "cyd", "cyd"] == await rig.notices("remind")
    assert 2 == (await rig.gate())["reminders"]


async def test_a_long_sleep_ends_in_one_reminder(rig: Rig) -> None:
    """A service that was away through both reminders sends one message, not two."""
    order = await opened(rig)
    await look(rig, order, days=3, hours=1)
    assert ["ann", "bob", "cyd"] == await rig.notices("remind")


async def test_reminders_follow_the_rehearsals_day(rig: Rig) -> None:
    """With a day of two seconds the reminder comes after two seconds; the answer-by date stays a real week."""
    rig.environment["CLOSURE_DAY_SECONDS"] = "2"
    order = await opened(rig)
    assert 3.0 >= (await look(rig, order))["seconds"]
    await look(rig, order, seconds=3)
    assert ["ann", "bob", "cyd"] == await rig.notices("remind")
    assert "open" == (await look(rig, order, days=6))["state"]


async def test_deputies_are_asked_for_the_groups_that_lack_somebody(rig: Rig) -> None:
    """After four days the owner's deputy may decide as well; the group that has agreed keeps its deputy out of it."""
    order = await opened(rig, deputies={"it": [EVE.upn], "owner": [DEE.upn]})
    await rig.decide("plan", ANN)
    await look(rig, order, days=3, hours=23)
    assert [] == await rig.notices("escalate")
    await look(rig, order, hours=2)
    await look(rig, order, hours=1)
    assert ["dee"] == await rig.notices("escalate")
    (told,) = await rig.audited("gate:escalated")
    assert (["owner"], [DEE.upn], "Not enough people have answered.") == (told["groups"], told["deputies"], told["why"])
    doc = await rig.gate()
    assert ([["cyd", "dee"]], []) == (
        [[person["objectId"] for person in doc["groups"]["owner"]["people"]]],
        doc["escalating"],
    )
    await rig.decide("plan", DEE)
    assert "approved" == (await look(rig, order))["state"]
    assert "done" == (await activities.work_shard(await rig.shard_order()))["state"]


async def test_a_deputy_may_not_decide_before_being_asked(rig: Rig) -> None:
    """Until the escalation a deputy's approval fills no seat; from then on it does."""
    order = await opened(rig, deputies={"owner": [DEE.upn]})
    for person in (ANN, DEE):
        await rig.decide("plan", person)
    assert "open" == (await look(rig, order))["state"]
    assert "open" == (await look(rig, order, days=4, seconds=1))["state"], "this look asks the deputy"
    assert "approved" == (await look(rig, order))["state"]


async def test_when_only_different_people_lack_all_deputies_are_asked(rig: Rig) -> None:
    """Groups that are content can't name who is missing, so every deputy is asked."""
    order = await opened(rig, gates={"plan": {"distinct": 3}}, deputies={"it": [EVE.upn], "owner": [DEE.upn]})
    for person in (ANN, CYD):
        await rig.decide("plan", person)
    assert "open" == (await look(rig, order, days=4, seconds=1))["state"]
    assert ["dee", "eve"] == await rig.notices("escalate")


async def test_past_its_answer_by_date_nobody_is_asked(rig: Rig) -> None:
    """A gate that nobody answered is expired, not reminded of; the requester and the channel are told."""
    order = await opened(rig, deputies={"owner": [DEE.upn]})
    assert "expired" == (await look(rig, order, days=7, seconds=1))["state"]
    assert [] == await rig.notices("remind") == await rig.notices("escalate")
    assert (["olga"], ["channel"]) == (await rig.notices("decided"), await rig.notices("decided", "teams"))


async def test_what_a_gate_came_to_is_told_once(rig: Rig) -> None:
    """Judged again and again, a closed gate is told to the requester and the channel one time."""
    order = await opened(rig)
    await rig.decide("plan", CYD, "veto")
    for _ in range(3):
        assert "vetoed" == (await look(rig, order))["state"]
    assert [OLGA.object_id] == await rig.notices("decided")
    assert 1 == (await rig.words()).count("gate:closed")


async def test_a_pause_stays_to_be_seen_while_people_are_asked(rig: Rig) -> None:
    """A paused closure keeps its gate open and its status, and reminds all the same."""
    order = await opened(rig)
    await rig.ledger.change(rig.closure, lambda row: row.update(control="pause"))
    await look(rig, order, days=1, seconds=1)
    row = await rig.row()
    assert ("paused", "plan") == (row["status"], row["gate"]["name"])
    assert ["ann", "bob", "cyd"] == await rig.notices("remind")
    for person in (ANN, CYD):
        await rig.decide("plan", person)
    assert "approved" == (await look(rig, order))["state"]
    row = await rig.row()
    assert ("paused", None) == (row["status"], row["gate"])


async def test_the_end_is_told_once(rig: Rig) -> None:
    """Requester and channel learn how the closure ended; a run that finds the end tells nobody again."""
    await opened(rig)
    order = await rig.order(result="aborted")
    await activities.end_closure(order)
    await activities.end_closure(order)
    await activities.read_progress(order)
    assert (["olga"], ["channel"]) == (await rig.notices("ended"), await rig.notices("ended", "teams"))


@pytest.mark.parametrize("landed", [False, True])
async def test_a_crash_while_ending_leaves_nobody_untold(landed: bool) -> None:
    """Killed at each write of the end: run again, the end is told once."""

    async def end(rig: Rig) -> None:
        await activities.end_closure(await rig.order(result="aborted"))

    async for rig in killed_at_each_write(lambda: Rig().planned(), end, landed=landed, least=4):
        assert ["olga"] == await rig.notices("ended")


@pytest.mark.slow
@pytest.mark.parametrize("landed", [False, True])
@pytest.mark.parametrize("step", ["remind", "escalate", "close"])
async def test_a_crash_while_judging_asks_everybody_once(step: str, landed: bool) -> None:
    """Killed at each write of a look: run again, everybody due has one message and the audit tells what was done."""
    number, died = 0, True
    while died:
        number += 1
        rig = Rig()
        order = await opened(rig, deputies={"owner": [DEE.upn]})
        if step == "close":
            for person in (ANN, CYD):
                await rig.decide("plan", person)
        else:
            rig.clock.go_on(days={"remind": 1, "escalate": 4}[step], seconds=1)
        rig.process(DyingRecords(rig.records, number, landed=landed))
        try:
            await activities.judge_gate(order)
            died = False
        except Crash:
            rig.process()
            await activities.judge_gate(order)
        doc, words = await rig.gate(), await rig.words()
        if step == "close":
            assert ("approved", True, None) == (doc["state"], doc["told"], (await rig.row())["gate"])
            assert ["olga"] == await rig.notices("decided")
            assert "gate:closed" in words
        else:
            assert ["ann", "bob", "cyd"] == await rig.notices("remind")
            assert "gate:reminded" in words
            assert (["dee"] if step == "escalate" else []) == await rig.notices("escalate")
            assert (step == "escalate") == ("gate:escalated" in words)
            assert [] == doc["escalating"]
    assert number > 4
    wiring.use(None)
