"""Opening a gate: who can really be asked, what limits add, and what makes it wait."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest

import activities
from tenantclosure.errors import ServiceTrouble
from tenantclosure.model.people import Person
from tests.activities.policies import policy
from tests.activities.rig import ANN, BOB, CYD, DEE, EVE, OLGA, Rig, document, killed_at_each_write
from tests.fakes.tenant import HOME, TARGET, user


async def opening(rig: Rig, gate: str = "plan") -> tuple[dict[str, Any], dict[str, Any]]:
    """Open a gate; the order and the answer."""
    order = await rig.order(gate=gate, phase=f"gate-{gate}")
    return order, await activities.open_gate(order)


def people_of(doc: dict[str, Any], role: str = "people") -> dict[str, list[str]]:
    return {name: [person["objectId"] for person in group[role]] for name, group in doc["groups"].items()}


async def test_people_are_looked_up_and_kept_as_persons(rig: Rig) -> None:
    """The gate names its people by tenant and object id, with their mail address, and everybody is asked once."""
    await rig.planned()
    await opening(rig)
    doc = await rig.gate()
    assert {"it": ["ann", "bob"], "owner": ["cyd"]} == people_of(doc)
    assert {**CYD.to_dict(), "mail": CYD.upn} == doc["groups"]["owner"]["people"][0]
    assert ([], [], [f"{HOME}/olga"]) == (doc["absent"], doc["limits"], doc["excluded"])
    assert ["ann", "bob", "cyd"] == await rig.notices("ask")
    assert ["channel"] == await rig.notices("ask", "teams")


async def test_without_a_directory_names_are_taken_as_they_are(rig: Rig) -> None:
    """In a rehearsal without the hosting tenant people are known by address, and can decide all the same."""
    rig.people = None
    rig.process()
    await rig.planned()
    await opening(rig)
    assert {"it": ["", ""], "owner": [""]} == people_of(await rig.gate())
    await rig.decide("plan", Person(TARGET, "x", CYD.upn))
    await rig.decide("plan", ANN)
    assert "open" == (await activities.judge_gate(await rig.order(gate="plan", phase="gate-plan")))["state"]
    await rig.decide("plan", CYD)
    assert "approved" == (await activities.judge_gate(await rig.order(gate="plan", phase="gate-plan")))["state"]


@pytest.mark.parametrize("how", ["gone", "disabled", "moved"])
async def test_people_who_can_not_act_are_left_out(rig: Rig, how: str) -> None:
    """An account that is gone, disabled or of another tenant counts for nobody and is not asked; the gate says so."""
    await rig.planned()
    assert rig.people is not None
    if how == "gone":
        del rig.people.accounts[BOB.upn]
    elif how == "disabled":
        rig.people.add(BOB, enabled=False)
    else:
        rig.people.add(Person(TARGET, BOB.object_id, BOB.upn))
    await opening(rig)
    doc = await rig.gate()
    assert {"it": ["ann"], "owner": ["cyd"]} == people_of(doc)
    assert [(BOB.upn, "it")] == [(one["upn"], one["group"]) for one in doc["absent"]]
    assert ["ann", "cyd"] == await rig.notices("ask")


async def test_a_gate_nobody_can_pass_is_not_opened(rig: Rig) -> None:
    """Without its only owner the gate waits: a blocker says who is missing, nobody is asked; then it opens again."""
    await rig.planned()
    assert rig.people is not None
    rig.people.add(CYD, enabled=False)
    order, answer = await opening(rig)
    assert {"state": "unreachable", "seconds": pytest.approx(3600)} == answer
    assert await rig.ledger.gate(rig.closure, "plan", 1) is None
    (blocker,) = (await rig.row())["blockers"]
    assert ("approvers", True) == (blocker["what"], CYD.upn in blocker["items"][0])
    assert [] == await rig.notices("ask")
    await activities.open_gate(order)
    assert 1 == (await rig.words()).count("blocker:seen")

    rig.people.add(CYD)
    assert {"state": "open"} == await activities.open_gate(order)
    assert [] == (await rig.row())["blockers"]


async def test_a_short_day_waits_at_least_the_least_poll(rig: Rig) -> None:
    """With days of two seconds an unreachable gate is not tried twelve times a second."""
    await rig.planned()
    assert rig.people is not None
    rig.people.accounts.clear()
    order = await rig.order(gate="plan", daySeconds=2.0)
    assert 0.5 == (await activities.open_gate(order))["seconds"]


async def test_a_directory_that_is_away_is_trouble(rig: Rig) -> None:
    """When nobody can say who is there, the gate is not opened over guesses."""
    await rig.planned()
    assert rig.people is not None
    rig.people.trouble = ServiceTrouble("503")
    with pytest.raises(ServiceTrouble):
        await opening(rig)
    assert await rig.ledger.gate(rig.closure, "plan", 1) is None


async def test_an_abort_stops_the_opening(rig: Rig) -> None:
    """A closure that is being aborted asks nobody any more."""
    await rig.planned()
    await rig.ledger.change(rig.closure, lambda row: row.update(control="abort"))
    assert "aborted" == (await opening(rig))[1]["state"]
    assert [] == await rig.notices("ask")


async def test_an_older_run_opens_nothing(rig: Rig) -> None:
    """A run that was replaced neither opens a gate nor judges one."""
    await rig.planned()
    old = await rig.order(gate="plan", phase="gate-plan")
    await rig.ledger.change(rig.closure, lambda row: row.update(epoch=2))
    assert "fenced" == (await activities.open_gate(old))["stop"] == (await activities.judge_gate(old))["stop"]


# -- requester and operators ------------------------------------------------------------------------------------------
async def test_operators_of_the_closure_do_not_count(rig: Rig) -> None:
    """Who paused or resumed before the gate opened is excluded: not asked, and their approval fills no seat."""
    await rig.planned()
    await rig.ledger.change(rig.closure, lambda row: row.update(operators=[ANN.key]))
    order, _ = await opening(rig)
    assert ["bob", "cyd"] == await rig.notices("ask")
    for person in (ANN, CYD):
        await rig.decide("plan", person)
    assert "open" == (await activities.judge_gate(order))["state"]
    await rig.decide("plan", BOB)
    assert "approved" == (await activities.judge_gate(order))["state"]


async def test_operators_can_make_a_gate_unreachable(rig: Rig) -> None:
    """When the only owner steers the closure, nobody can approve it: it waits with a blocker."""
    await rig.planned()
    await rig.ledger.change(rig.closure, lambda row: row.update(operators=[CYD.key]))
    assert "unreachable" == (await opening(rig))[1]["state"]


async def test_an_excluded_deputy_is_no_deputy(rig: Rig) -> None:
    """The requester does not come back as somebody's deputy."""
    rig.policy = policy(deputies={"owner": [OLGA.upn, DEE.upn]})
    rig.process()
    await rig.planned()
    await opening(rig)
    assert {"it": [], "owner": ["dee"]} == people_of(await rig.gate(), "deputies")


# -- limits -----------------------------------------------------------------------------------------------------------
def limited(**over: Any) -> Any:
    return policy(limits=[{"over": over, "groups": {"board": 2}}])


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({"objects": 45}, []),
        ({"objects": 44}, ["more than 44 items"]),
        ({"share": 0.97}, ["more than 0.97 of all users"]),
        ({"share": 0.98}, []),
        ({"tenants": 1}, []),
        ({"tenants": 0}, ["more than 0 closures at once"]),
    ],
)
async def test_above_a_limit_more_groups_must_agree(rig: Rig, over: dict[str, Any], expected: list[str]) -> None:
    """Items of the plan, users as a share of all, closures at once: each limit is the last value that is allowed."""
    rig.policy = limited(**over)
    rig.process()
    await rig.planned()
    order, _ = await opening(rig)
    doc, row = await rig.gate(), await rig.row()
    assert expected == doc["limits"]
    assert ({"it", "owner", "board"} if expected else {"it", "owner"}) == set(doc["groups"])
    assert (4 if expected else 2) == doc["distinct"] == row["terms"]["plan"]["distinct"]
    for person in (ANN, CYD):
        await rig.decide("plan", person)
    assert ("open" if expected else "approved") == (await activities.judge_gate(order))["state"]
    for person in (DEE, EVE):
        await rig.decide("plan", person)
    assert "approved" == (await activities.judge_gate(order))["state"]
    assert "done" == (await activities.work_shard(await rig.shard_order()))["state"]


async def test_two_closures_at_once_are_more_than_one(rig: Rig) -> None:
    """Closures of other tenants that are live count against the limit; ended ones don't."""
    rig.policy = limited(tenants=1)
    rig.process()
    await rig.planned()
    other = document(tenantId="0b0a1c2d-0000-4000-8000-000000000002", domain="litware.onmicrosoft.com")
    row = await rig.row()
    await rig.ledger.open_closure(other, row["requester"], claimed=False, terms=row["terms"], day_seconds=86400.0)
    await opening(rig)
    assert ["more than 1 closures at once"] == (await rig.gate())["limits"]


async def test_a_smaller_plan_is_not_held_to_the_larger_ones_limits(rig: Rig) -> None:
    """The next plan's terms are tightened from what the request asked for, not from the plan before it."""
    rig.policy = limited(objects=45)
    rig.process()
    rig.directory.items["users"].append(user(45))
    await rig.planned()
    await opening(rig)
    assert 4 == (await rig.gate())["distinct"]
    for person in (ANN, CYD, DEE, EVE):
        await rig.decide("plan", person)
    assert "approved" == (await activities.judge_gate(await rig.order(gate="plan", phase="gate-plan")))["state"]
    for number in range(3):
        rig.directory.take("users", user(number).id)
    rig.directory.items["users"].append(user(99))
    await activities.replan(await rig.order(detail="1 new"))
    await rig.surveyed()
    await activities.freeze_plan(await rig.order())
    await rig.approved()
    assert (2, []) == ((await rig.gate())["distinct"], (await rig.gate())["limits"])
    assert "done" == (await activities.work_shard(await rig.shard_order()))["state"]


@pytest.mark.slow
@pytest.mark.parametrize("landed", [False, True])
async def test_a_crash_while_opening_tightens_and_asks_once(landed: bool) -> None:
    """Killed at each write of opening a gate above a limit: one gate with all its groups, each person asked once."""

    async def opening(rig: Rig) -> None:
        await activities.open_gate(await rig.order(gate="plan", phase="gate-plan"))

    def above() -> Awaitable[Rig]:
        return Rig(policy=limited(objects=1)).planned()

    async for rig in killed_at_each_write(above, opening, landed=landed, least=8):
        doc, row = await rig.gate(), await rig.row()
        assert ({"it", "owner", "board"}, 4) == (set(doc["groups"]), doc["distinct"])
        assert row["gate"]["instance"] == (await rig.order(gate="plan", phase="gate-plan"))["instance"]
        assert {"it", "owner"} == set(row["asked"]["plan"]["groups"])
        assert ["ann", "bob", "cyd", "dee", "eve"] == await rig.notices("ask")
        assert "gate:opened" in await rig.words()
