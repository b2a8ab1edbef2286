"""Gates in Records: opened once, judged from decisions, used in time or never."""

from __future__ import annotations

from typing import Any

import pytest

import activities
from tenantclosure.model.people import Person
from tests.activities.rig import ANN, CYD, OLGA, Rig, killed_at_each_write
from tests.fakes.tenant import HOME, TARGET


async def opened(rig: Rig) -> dict[str, Any]:
    await rig.planned()
    order = await rig.order(gate="plan", phase="gate-plan")
    await activities.open_gate(order)
    return order


async def test_a_gate_waits_for_its_people(rig: Rig) -> None:
    """Open until both groups have agreed; the row shows it meanwhile, and the audit tells the whole story."""
    order = await opened(rig)
    row = await rig.row()
    assert (row["status"], row["gate"]["digest"]) == ("waiting-approval", row["digest"])
    assert (await activities.judge_gate(order))["state"] == "open"
    await rig.decide("plan", ANN)
    judged = await activities.judge_gate(order)
    assert (judged["state"], judged["seconds"]) == ("open", pytest.approx(86400, abs=2)), "until the first reminder"
    rig.clock.go_on(days=6)
    assert (await activities.judge_gate(order))["seconds"] == pytest.approx(86400, abs=2), "until the answer-by date"
    await rig.decide("plan", CYD)
    assert (await activities.judge_gate(order))["state"] == "approved"
    assert (await rig.row())["gate"] is None
    story = ["gate:opened", "gate:decided", "gate:reminded", "gate:decided", "gate:closed"]
    assert (await rig.words())[-5:] == story


async def test_one_no_is_enough(rig: Rig) -> None:
    """A veto after one approval ends the gate; later approvals change nothing."""
    order = await opened(rig)
    await rig.decide("plan", ANN)
    await rig.decide("plan", CYD, "veto")
    assert (await activities.judge_gate(order))["state"] == "vetoed"
    await rig.decide("plan", CYD)
    assert (await activities.judge_gate(order))["state"] == "vetoed"


async def test_silence_expires(rig: Rig) -> None:
    """Past the answer-by date a gate is expired; approvals that come then do not revive it."""
    order = await opened(rig)
    await rig.decide("plan", ANN)
    rig.clock.go_on(days=7, seconds=1)
    await rig.decide("plan", CYD)
    assert (await activities.judge_gate(order))["state"] == "expired"


async def test_the_requester_and_strangers_do_not_count(rig: Rig) -> None:
    """The requester under an approver's address, a stranger and a namesake of another tenant leave the gate open."""
    order = await opened(rig)
    await rig.decide("plan", ANN)
    await rig.decide("plan", Person(HOME, OLGA.object_id, CYD.upn))
    await rig.decide("plan", Person(HOME, "eve", "eve@evil.com"))
    await rig.decide("plan", Person(TARGET, CYD.object_id, CYD.upn))
    assert (await activities.judge_gate(order))["state"] == "open"


async def test_an_abort_ends_the_waiting(rig: Rig) -> None:
    """An abort is seen when the gate is judged."""
    order = await opened(rig)
    await rig.ledger.change(rig.closure, lambda row: row.update(control="abort"))
    assert (await activities.judge_gate(order))["state"] == "aborted"


async def test_opening_again_keeps_the_date(rig: Rig) -> None:
    """A gate that is opened again after a crash keeps its answer-by date and is audited once."""
    order = await opened(rig)
    first = await rig.gate()
    rig.clock.go_on(hours=12)
    await activities.open_gate({**order, "instance": "another"})
    assert await rig.gate() == first
    assert (await rig.words()).count("gate:opened") == 1
    assert (await rig.row())["gate"]["instance"] == "another"


@pytest.mark.slow
@pytest.mark.parametrize("landed", [False, True])
async def test_a_crash_anywhere_asks_nobody_again(landed: bool) -> None:
    """Killed at each write of opening, deciding and judging: the same answer afterwards, every step in the audit."""

    async def decide(rig: Rig) -> None:
        await walk(rig, await rig.order(gate="plan", phase="gate-plan"))

    async for rig in killed_at_each_write(lambda: Rig().planned(), decide, landed=landed, least=6):
        gate = await rig.ledger.gate(rig.closure, "plan", 1)
        assert gate is not None
        assert (gate["state"], len(gate["approvals"])) == ("approved", 2)
        assert {"gate:opened", "gate:decided", "gate:closed"} <= set(await rig.words())


async def walk(rig: Rig, order: dict[str, Any]) -> None:
    await activities.open_gate(order)
    said = {doc["person"]["objectId"] for doc in await rig.ledger.decisions(rig.closure)}
    for person in (ANN, CYD):
        if person.object_id not in said:
            await rig.decide("plan", person)
    assert (await activities.judge_gate(order))["state"] == "approved"


async def test_an_unused_approval_runs_out(rig: Rig) -> None:
    """Past execute-by the first write stops with `expired`, before anything is sent."""
    await rig.ready()
    rig.clock.go_on(days=3, seconds=1)
    answer = await activities.work_shard(await rig.shard_order())
    assert (answer["stop"], rig.directory.asked) == ("expired", [])


async def test_a_used_approval_stays_alive(rig: Rig) -> None:
    """Once the first write came in time, later ones may come long after execute-by."""
    await rig.ready()
    await activities.work_shard(await rig.shard_order(0))
    rig.clock.go_on(days=200)
    assert (await activities.work_shard(await rig.shard_order(1)))["state"] == "done"


async def test_each_gate_has_its_own_date(rig: Rig) -> None:
    """The plan's approval in use keeps no other gate alive: delete-tenant runs out by itself."""
    await rig.ready()
    await activities.work_shard(await rig.shard_order(0))
    await rig.approved("delete-tenant")
    rig.clock.go_on(days=3, seconds=1)
    answer = await activities.hand_over(await rig.order())
    assert answer["stop"] == "expired"
    assert {method for method, _ in rig.directory.asked} == {"delete_many"}
    assert len(rig.directory.sent) == 20
