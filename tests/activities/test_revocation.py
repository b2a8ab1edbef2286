"""An approval in force that falls away: within one batch nothing is sent any more, until the people agree again."""

from __future__ import annotations

from typing import Any

import pytest

import activities
from tenantclosure.model.inventory import Answer
from tenantclosure.model.people import Person
from tests.activities.policies import policy
from tests.activities.rig import ANN, BOB, CYD, Rig, killed_at_each_write
from tests.fakes.tenant import principal, user

U = [user(n).id for n in range(45)]
SLOW = {"tokens": 5.0, "rate": 20.0, "burst": 5}
"""A quota that makes waves of five."""


def meanwhile(rig: Rig, wave: int, gate: str, person: Person, word: str) -> None:
    """Let somebody speak while the tenant answers this wave."""
    whole = rig.directory.delete_many

    async def answer(family: str, ids: Any) -> list[Answer]:
        answers = await whole(family, ids)
        if rig.directory.deletes == wave:
            await rig.decide(gate, person, word)
        return answers

    rig.directory.delete_many = answer  # type: ignore[method-assign]


async def test_a_revocation_stops_within_one_wave(rig: Rig) -> None:
    """Said while a wave is out: that wave ends, no other begins, and the closure waits for approval again."""
    await rig.ready()
    meanwhile(rig, 2, "plan", ANN, "revoke")
    answer = await activities.work_shard(await rig.shard_order(**SLOW))
    assert ("revoked", "gate plan") == (answer["stop"], answer["detail"])
    assert U[:10] == rig.directory.sent
    assert dict.fromkeys(U[:10], "removed") == rig.outcomes()
    row, doc = await rig.row(), await rig.gate()
    assert ("waiting-approval", "plan", row["instanceId"]) == (
        row["status"],
        row["gate"]["name"],
        row["gate"]["instance"],
    )
    assert ("open", f"{ANN.upn} took the approval back.") == (doc["state"], doc["reopened"][0]["why"])
    assert ["ann", "ann", "bob", "bob", "cyd", "cyd"] == await rig.notices("ask"), "everybody is asked afresh"


async def test_approved_again_it_goes_on_where_it_was(rig: Rig) -> None:
    """Nothing is sent while the approval lacks; with a quorum the shard is finished, and no id is sent twice."""
    await rig.ready()
    meanwhile(rig, 1, "plan", ANN, "revoke")
    order = await rig.shard_order(**SLOW)
    await activities.work_shard(order)
    held = await rig.order(held="revoked")
    for _ in range(3):
        assert "revoked" == (await activities.work_shard(order))["stop"]
        assert (await activities.check_control(held))["paused"]
    assert U[:5] == rig.directory.sent
    await rig.decide("plan", BOB)
    assert {"paused": False, "seconds": None} == await activities.check_control(held)
    row = await rig.row()
    assert ("running", None) == (row["status"], row["gate"])
    assert "done" == (await activities.work_shard(order))["state"]
    assert U[:20] == rig.directory.sent
    told = [(one["state"], one["approvals"]) for one in await rig.audited("gate:closed")]
    assert [("approved", [ANN.key, CYD.key]), ("approved", [BOB.key, CYD.key])] == told


async def test_whoever_looks_first_finds_the_gate_approved_again(rig: Rig) -> None:
    """A child that works by itself needs nobody to have judged before it."""
    await rig.ready()
    await rig.decide("plan", ANN, "revoke")
    assert "revoked" == (await activities.work_shard(await rig.shard_order()))["stop"]
    await rig.decide("plan", ANN)
    assert "done" == (await activities.work_shard(await rig.shard_order()))["state"]
    assert ("running", None) == ((await rig.row())["status"], (await rig.row())["gate"])


@pytest.mark.parametrize("gate", ["plan", "go-on"])
async def test_either_gate_holds_the_deleting_after_a_quiet_period(rig: Rig, gate: str) -> None:
    """With quiet days both approvals have to stand during every wave."""
    await rig.ready(quietDays=3)
    await rig.approved("go-on")
    meanwhile(rig, 1, gate, CYD, "revoke")
    answer = await activities.work_shard(await rig.shard_order(**SLOW))
    assert ("revoked", f"gate {gate}") == (answer["stop"], answer["detail"])
    assert U[:5] == rig.directory.sent


async def test_a_veto_after_the_approval_ends_it(rig: Rig) -> None:
    """A person who said yes says no: within one wave the story stops for good, whoever approves afterwards."""
    await rig.ready()
    meanwhile(rig, 1, "plan", ANN, "veto")
    answer = await activities.work_shard(await rig.shard_order(**SLOW))
    assert ("vetoed", "gate plan") == (answer["stop"], answer["detail"])
    assert U[:5] == rig.directory.sent
    await rig.decide("plan", ANN)
    assert "vetoed" == (await activities.work_shard(await rig.shard_order(**SLOW)))["stop"]
    assert ("vetoed", None) == ((await rig.gate())["state"], (await rig.row())["gate"])
    assert U[:5] == rig.directory.sent


@pytest.mark.parametrize("word", ["revoke", "veto"])
async def test_words_of_people_who_do_not_count_stop_nothing(rig: Rig, word: str) -> None:
    """A stranger's veto and the revocation of somebody who never approved leave the approval standing."""
    await rig.ready()
    await rig.decide("plan", Person("elsewhere", ANN.object_id, ANN.upn), word)
    await rig.decide("plan", BOB, "revoke")
    assert "done" == (await activities.work_shard(await rig.shard_order()))["state"]


async def test_a_person_taken_out_of_the_policy_no_longer_counts(rig: Rig) -> None:
    """A policy file that loses an approver takes that approval away; the people left can approve again."""
    rig.policy = policy()
    rig.process()
    await rig.ready()
    rig.policy = policy(groups={"it": [BOB.upn]})
    rig.process()
    assert "revoked" == (await activities.work_shard(await rig.shard_order()))["stop"]
    assert rig.directory.asked == []
    assert f"{ANN.upn} is no longer among the approvers of the policy." == (await rig.gate())["reopened"][0]["why"]
    await rig.decide("plan", ANN)
    assert (await activities.check_control(await rig.order(held="revoked")))["paused"]
    await rig.decide("plan", BOB)
    assert "done" == (await activities.work_shard(await rig.shard_order()))["state"]


async def test_when_things_vanish_it_stays(rig: Rig) -> None:
    """Planned users that are gone by themselves neither reopen an open gate nor touch an approval in force."""
    await rig.planned()
    order = await rig.order(gate="plan", phase="gate-plan")
    await activities.open_gate(order)
    await rig.decide("plan", ANN)
    rig.directory.take("users", U[0])
    assert "open" == (await activities.judge_gate(order))["state"]
    await rig.decide("plan", CYD)
    assert "approved" == (await activities.judge_gate(order))["state"]
    rig.directory.take("users", U[1])
    assert "done" == (await activities.work_shard(await rig.shard_order()))["state"]
    assert {U[0]: "absent", U[1]: "absent"} == {id_: rig.outcomes()[id_] for id_ in U[:2]}
    assert [] == (await rig.gate())["reopened"]


# -- waiting for the people -------------------------------------------------------------------------------------------
async def revoked(rig: Rig) -> dict[str, Any]:
    """A closure whose approval was taken back; the order of the run that waits."""
    await rig.ready()
    await rig.decide("plan", ANN, "revoke")
    assert "revoked" == (await activities.work_shard(await rig.shard_order()))["stop"]
    return await rig.order(held="revoked")


async def test_silence_about_a_reopened_gate_is_a_no(rig: Rig) -> None:
    """A fresh week to answer, with its reminders; after it the closure stops as expired."""
    order = await revoked(rig)
    assert pytest.approx(86400, abs=2) == (await activities.check_control(order))["seconds"]
    rig.clock.go_on(days=1, seconds=1)
    await activities.check_control(order)
    assert ["ann", "bob"] == await rig.notices("remind"), "Cyd's yes still stands"
    rig.clock.go_on(days=5, hours=23)
    assert (await activities.check_control(order))["paused"]
    rig.clock.go_on(hours=1)
    assert "expired" == (await activities.check_control(order))["stop"]


async def test_a_pause_over_a_revocation_is_shown(rig: Rig) -> None:
    """Paused while revoked shows paused; unpaused it shows the open gate again."""
    order = await revoked(rig)
    await rig.ledger.change(rig.closure, lambda row: row.update(control="pause"))
    assert {"paused": True, "seconds": None} == await activities.check_control(order)
    assert "paused" == (await rig.row())["status"]
    await rig.ledger.change(rig.closure, lambda row: row.update(control="run"))
    assert (await activities.check_control(order))["paused"]
    assert "waiting-approval" == (await rig.row())["status"]


async def test_an_abort_ends_the_waiting(rig: Rig) -> None:
    """An abort while revoked is not waited out."""
    order = await revoked(rig)
    await rig.ledger.change(rig.closure, lambda row: row.update(control="abort"))
    assert not (await activities.check_control(order))["paused"]


async def test_a_wait_between_phases_is_held_as_well(rig: Rig) -> None:
    """A quiet period and a manual task stop when the row shows a gate that was opened again, and end at a veto."""
    order = await revoked(rig)
    quiet = {**order, "halt": True, "held": None}
    task = {**order, "kind": "turn-off-sync", "target": "t", "name": "n"}
    for look in (
        activities.check_control(quiet),
        activities.probe_task(task),
        activities.open_task(task),
    ):
        assert "revoked" == (await look)["stop"]
    await rig.decide("plan", BOB, "veto")
    assert "vetoed" == (await activities.probe_task(task))["stop"]
    assert "vetoed" == (await activities.work_shard(await rig.shard_order()))["stop"]


async def test_a_veto_of_the_plan_does_not_wait_for_the_last_gate(rig: Rig) -> None:
    """While delete-tenant is being decided, a veto against the plan itself is heard at the next look."""
    await rig.ready()
    order = await rig.order(gate="delete-tenant", phase="gate-delete-tenant")
    await activities.open_gate(order)
    await rig.decide("plan", ANN, "revoke")
    assert "open" == (await activities.judge_gate(order))["state"]
    assert "delete-tenant" == (await rig.row())["gate"]["name"]
    await rig.decide("plan", ANN, "veto")
    assert "vetoed" == (await activities.judge_gate(order))["state"]


# -- the other writers ------------------------------------------------------------------------------------------------
async def test_turning_mfa_off_stops_within_one_batch(rig: Rig) -> None:
    """Between two batches of MFA the approval is looked at."""
    rig.directory.mfa = dict.fromkeys(U, "enabled")
    await rig.ready()
    whole = rig.directory.turn_off_mfa

    async def revoking(ids: Any) -> Any:
        await rig.decide("plan", ANN, "revoke")
        return await whole(ids)

    rig.directory.turn_off_mfa = revoking  # type: ignore[method-assign]
    assert "revoked" == (await activities.turn_off_mfa(await rig.order()))["stop"]
    assert 1 == len(rig.directory.asked)


async def test_disabling_applications_stops_within_one_batch(rig: Rig) -> None:
    """Between two batches of refused applications the approval is looked at."""
    apps = [principal(n) for n in range(25)]
    rig.directory.items["service-principals"] += apps
    rig.environment["CLOSURE_SHARD_SIZE"] = "30"
    rig.directory.script = {one.id: [403] for one in apps}
    rig.process()
    await rig.ready()
    await activities.work_shard(await rig.shard_order(family="service-principals"))
    whole = rig.directory.disable_service_principals

    async def revoking(ids: Any) -> Any:
        await rig.decide("plan", ANN, "revoke")
        return await whole(ids)

    rig.directory.disable_service_principals = revoking  # type: ignore[method-assign]
    assert "revoked" == (await activities.disable_refused(await rig.order()))["stop"]
    assert 1 == rig.directory.writes.count("disable_service_principals")


@pytest.mark.parametrize("gate", ["plan", "delete-tenant"])
async def test_the_hand_over_heeds_a_last_word(rig: Rig, gate: str) -> None:
    """A revocation that comes while the users are listed once more stops the hand-over before it has begun."""
    rig.directory.items["users"] = rig.directory.items["users"][:1]
    await rig.ready()
    await rig.approved("delete-tenant")
    pages = rig.directory.pages

    async def revoking(family: str) -> Any:
        async for page in pages(family):
            yield page
        await rig.decide(gate, CYD, "revoke")

    rig.directory.pages = revoking  # type: ignore[method-assign]
    assert "revoked" == (await activities.hand_over(await rig.order()))["stop"]
    assert [] == rig.directory.asked
    assert await rig.ledger.mark(rig.closure, "hand-over-begun", 1) is None


async def test_the_cost_of_a_wave_is_three_reads(rig: Rig) -> None:
    """While nobody speaks, a wave reads the row, all gates and decisions at once, and the audit's end; it judges
    nothing anew.
    """
    await rig.ready()
    reads: list[str] = []
    read, scan = rig.records.read, rig.records.scan

    async def reading(partition: str, key: str) -> Any:
        reads.append(key)
        return await read(partition, key)

    def scanning(partition: Any = None, *, first: str = "", last: str = "", spoiled: Any = None) -> Any:
        reads.append(f"from {first}")
        return scan(partition, first=first, last=last)

    order = await rig.shard_order(**SLOW)
    rig.records.read, rig.records.scan = reading, scanning  # type: ignore[method-assign]
    await activities.work_shard(order)
    own = {"gate:plan:001", "from decision:"}  # looked at once, before the first wave
    assert [1, 1] == [reads.count(one) for one in own]
    assert 4 == reads.count("from audit-head")
    await activities.work_shard(await rig.shard_order(1, operation="block", phase="quiet-period"))
    assert ["block_sign_in"] * 2 == rig.directory.writes[-2:]
    assert 4 + 1 == reads.count("from audit-head")  # two batches of one wave ask once


@pytest.mark.parametrize("landed", [False, True])
async def test_a_crash_while_reopening_sends_nothing_and_asks_once(landed: bool) -> None:
    """Killed at each write after a revocation: run again, the gate is open, shown, and everybody asked once more."""

    async def revoked() -> Rig:
        rig = await Rig().ready()
        await rig.decide("plan", ANN, "revoke")
        return rig

    async def work(rig: Rig) -> None:
        assert "revoked" == (await activities.work_shard(await rig.shard_order()))["stop"]

    async for rig in killed_at_each_write(revoked, work, landed=landed, least=5):
        doc, row = await rig.gate(), await rig.row()
        assert ("open", 1) == (doc["state"], len(doc["reopened"]))
        assert ("plan", "waiting-approval") == (row["gate"]["name"], row["status"])
        assert [] == rig.directory.asked
        assert ["ann", "ann", "bob", "bob", "cyd", "cyd"] == await rig.notices("ask")
        assert "gate:reopened" in await rig.words()
