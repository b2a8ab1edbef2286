"""The sweep: what it restarts, what it leaves alone, whom it wakes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tenantclosure import names, outbox
from tenantclosure.model.approval_policy import ApprovalPolicy
from tests.fakes.tenant import HOME
from tests.outbox.rig import KeepingMailer
from tests.web.rig import Desk, request
from web.starting import AlreadyHandled, restart
from web.sweeping import sweep


async def _swept(desk: Desk, closure: str, *, age: float = 120.0) -> list[str]:
    await desk.clock.sleep(age)
    before = len(desk.client.started)
    await sweep(desk.client, desk.parts)
    return [instance for _, _, instance in desk.client.started[before:]]


@pytest.mark.parametrize("status", ["RUNNING", "PENDING", "SUSPENDED", "CONTINUED_AS_NEW"])
async def test_a_living_run_is_left_alone(desk: Desk, status: str) -> None:
    """Whatever goes on by itself needs nobody."""
    closure = await desk.filed()
    desk.client.states[f"{closure}-e1"] = status

    assert [] == await _swept(desk, closure)
    assert [] == desk.client.raised


@pytest.mark.parametrize("status", [None, "FAILED", "COMPLETED", "TERMINATED"])
async def test_a_dead_run_goes_on_under_the_next_epoch(desk: Desk, status: str | None) -> None:
    """An empty hub, a failure, an end that Records don't know: the closure is started from Records."""
    closure = await desk.filed()
    desk.client.states.clear()
    if status:
        desk.client.states[f"{closure}-e1"] = status

    assert [f"{closure}-e2"] == await _swept(desk, closure)
    assert [] == await _swept(desk, closure)
    assert 2 == (await desk.ledger.closure(closure))["epoch"]


async def test_an_emptied_hub_asks_nobody_anew(desk: Desk) -> None:
    """Emptied again and again while a gate waits: each time one run from Records; the gate and what was said stay."""
    closure, digest = await desk.at_gate()
    said = {"decision": "approve", "digest": digest, "comment": ""}
    await desk.call("decide_at_gate", who="ann:Approver", body=said, closureId=closure, gate="plan")
    gate, told = await desk.ledger.gate(closure, "plan", 1), await desk.ledger.notices(closure)
    for epoch in (2, 3, 4):
        desk.client.states.clear()
        assert [f"{closure}-e{epoch}"] == await _swept(desk, closure)
    assert (gate, told) == (await desk.ledger.gate(closure, "plan", 1), await desk.ledger.notices(closure))
    await desk.call("decide_at_gate", who="cyd:Approver", body=said, closureId=closure, gate="plan")
    assert 2 == len(await desk.ledger.decisions(closure))
    assert (f"{closure}-e4", "wake") in desk.client.raised


async def test_an_emptied_hub_leaves_a_task_as_it_is(desk: Desk) -> None:
    """Nobody is told of a task a second time, and its report still wakes whoever waits now."""
    closure, task = await desk.with_task()
    await _swept(desk, closure, age=1)
    before = await desk.ledger.task(closure, task), await desk.ledger.notices(closure)
    desk.client.states.clear()
    assert [f"{closure}-e2"] == await _swept(desk, closure)
    assert before == (await desk.ledger.task(closure, task), await desk.ledger.notices(closure))
    await desk.call("report_task_done", body={}, closureId=closure, taskId=task)
    assert [(f"{closure}-e2", "wake")] == desk.client.raised[-1:]


async def test_a_closure_just_filed_is_started_under_its_own_id(desk: Desk) -> None:
    """Between filing and starting the sweep uses the door's id, so the two never make two runs."""
    desk.client.deaf = True
    closure = await desk.filed()
    desk.client.deaf = False

    assert [f"{closure}-e1"] == await _swept(desk, closure, age=1)
    assert 1 == (await desk.ledger.closure(closure))["epoch"]


async def test_a_run_that_keeps_failing_rests_longer_each_time(desk: Desk) -> None:
    """The first failure restarts at once; later ones wait, so a broken closure does not spin."""
    closure = await desk.filed()
    desk.client.states[f"{closure}-e1"] = "FAILED"
    first = await _swept(desk, closure)
    desk.client.states[f"{closure}-e2"] = "FAILED"
    desk.client.updated = desk.clock.moment
    soon = await _swept(desk, closure, age=30)
    later = await _swept(desk, closure, age=60)

    assert ([f"{closure}-e2"], [], [f"{closure}-e3"]) == (first, soon, later)


async def test_two_sweeps_at_once_make_one_restart(desk: Desk) -> None:
    """The row's ETag decides; the loser sees the epoch has passed."""
    closure = await desk.filed()
    desk.client.states.clear()
    await desk.clock.sleep(120)
    await asyncio.gather(sweep(desk.client, desk.parts), sweep(desk.client, desk.parts))

    assert 2 == (await desk.ledger.closure(closure))["epoch"]
    assert f"{closure}-e2" == desk.client.started[-1][2]


async def test_a_restart_over_a_stale_row_is_refused(desk: Desk) -> None:
    """Whoever read the row before another restart, or before the end, starts nothing."""
    row = await desk.ledger.closure(await desk.filed())
    fresh = await restart(desk.client, desk.ledger, row, None, "first")
    with pytest.raises(AlreadyHandled):
        await restart(desk.client, desk.ledger, row, None, "second")
    await desk.ledger.end(row["closureId"], "aborted")
    with pytest.raises(AlreadyHandled):
        await restart(desk.client, desk.ledger, fresh, None, "third")

    assert [1, 2] == [order["epoch"] for _, order, _ in desk.client.started]


async def test_an_ended_closure_gives_its_lease_back(desk: Desk) -> None:
    """A crash between result and lease does not lock the tenant for ever; nothing is started."""
    closure = await desk.filed()
    await desk.ledger.change(closure, lambda row: row.update(status="ended", result="aborted"))
    desk.client.states.clear()

    assert [] == await _swept(desk, closure)
    assert [] == await desk.ledger.live()


async def test_trouble_with_one_closure_does_not_stop_the_sweep(desk: Desk) -> None:
    """A hub that does not answer is met again a minute later; the sweep itself does not fail."""
    closure = await desk.filed()
    desk.client.deaf = True

    assert [] == await _swept(desk, closure)


async def test_a_gate_is_woken_again_only_when_records_hold_its_answer(desk: Desk) -> None:
    """One of two approvals wakes nobody; the quorum does, and so does a date that passed with a veto."""
    closure, digest = await desk.at_gate()
    desk.client.states[f"{closure}-e1"] = "RUNNING"
    said = {"decision": "approve", "digest": digest, "comment": ""}
    await desk.call("decide_at_gate", who="ann:Approver", body=said, closureId=closure, gate="plan")
    desk.client.raised.clear()
    await _swept(desk, closure)
    waiting = list(desk.client.raised)
    await desk.call("decide_at_gate", who="cyd:Approver", body=said, closureId=closure, gate="plan")
    desk.client.raised.clear()
    await _swept(desk, closure)

    assert [] == waiting
    assert (f"{closure}-e1:0001", "wake") in desk.client.raised


async def test_an_approval_that_no_longer_counts_wakes_nobody(desk: Desk) -> None:
    """Ann has left the policy file: her word makes no quorum, so no event a minute grows the waiting run's history."""
    closure, digest = await desk.at_gate()
    desk.client.states[f"{closure}-e1"] = "RUNNING"
    said = {"decision": "approve", "digest": digest, "comment": ""}
    for who in ("ann:Approver", "cyd:Approver"):
        await desk.call("decide_at_gate", who=who, body=said, closureId=closure, gate="plan")
    desk.equip(policy=ApprovalPolicy(groups={"it": ["bob@fabrikam.com"], "owner": ["cyd@fabrikam.com"]}))
    desk.client.raised.clear()
    await _swept(desk, closure)

    assert [] == desk.client.raised


async def test_a_task_reported_done_is_woken_again_for_a_while(desk: Desk) -> None:
    """A fresh report is repeated; an old one is left to the task's own probes."""
    closure, task = await desk.with_task()
    desk.client.states[f"{closure}-e1"] = "RUNNING"
    await desk.call("report_task_done", body={}, closureId=closure, taskId=task)
    desk.client.raised.clear()
    await _swept(desk, closure)
    fresh = list(desk.client.raised)
    desk.client.raised.clear()
    await _swept(desk, closure, age=3600)

    assert (f"{closure}-e1:0002", "wake") in fresh
    assert [] == desk.client.raised


async def test_an_order_nobody_heard_is_repeated(desk: Desk) -> None:
    """A pause whose wake-up was lost is told again until the status shows it."""
    closure = await desk.filed()
    desk.client.states[f"{closure}-e1"] = "RUNNING"
    await desk.call("pause_closure", body={}, closureId=closure)
    desk.client.raised.clear()
    await _swept(desk, closure)
    told = list(desk.client.raised)
    desk.client.raised.clear()
    await desk.ledger.change(closure, lambda row: row.update(status="paused"))
    await _swept(desk, closure)

    assert [(f"{closure}-e1", "wake")] == told
    assert [] == desk.client.raised


async def test_an_instance_of_an_older_run_is_left_asleep(desk: Desk) -> None:
    """A gate that still names an instance of the epoch before does not wake it."""
    closure, digest = await desk.at_gate()
    await desk.call("resume_closure", body={}, closureId=closure)
    said = {"decision": "veto", "digest": digest, "comment": ""}
    desk.client.raised.clear()
    await desk.call("decide_at_gate", who="ann:Approver", body=said, closureId=closure, gate="plan")

    assert [(f"{closure}-e2", "wake")] == desk.client.raised


# -- messages to people ------------------------------------------------------------------------------------------------
def _queued(desk: Desk) -> list[str]:
    return [message["body"]["closureId"] for message in desk.records.queues.get(names.NOTICE_QUEUE, [])]


async def test_a_message_whose_queue_entry_was_lost_is_queued_again(desk: Desk) -> None:
    """A crash between record and queue costs ten minutes, also while nothing else is wrong with the closure."""
    desk.parts = replace(desk.parts, mailer=KeepingMailer())
    closure = await desk.filed()
    await outbox.tell_ended(desk.parts, await desk.ledger.closure(closure))
    desk.records.queues.clear()
    await _swept(desk, closure, age=60)
    young = _queued(desk)
    await _swept(desk, closure, age=600)

    assert ([], [closure]) == (young, _queued(desk))


async def test_an_end_nobody_was_told_is_told_within_ten_minutes_and_once(desk: Desk) -> None:
    """The run died between the result and its telling: the lease is gone, so ended closures are looked at as well."""
    desk.parts = replace(desk.parts, mailer=KeepingMailer())
    closure = await desk.filed()
    await desk.ledger.end(closure, "closed")
    for _ in range(20):
        await _swept(desk, closure, age=60)

    assert [] == await desk.ledger.live()
    # Told once; the message was never taken from this queue, so it was taken for lost after ten minutes.
    assert [closure, closure] == _queued(desk)
    assert 1 == len(await desk.ledger.notices(closure))


async def test_an_end_of_long_ago_is_left_alone(desk: Desk) -> None:
    """After a day nobody is told any more."""
    desk.parts = replace(desk.parts, mailer=KeepingMailer())
    closure = await desk.filed()
    await desk.ledger.end(closure, "closed")
    desk.clock.moment += timedelta(days=2)
    for _ in range(11):
        await _swept(desk, closure, age=60)

    assert [] == _queued(desk)


async def test_trouble_with_messages_does_not_stop_the_sweep(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closure is restarted although its notices can't be read."""
    closure = await desk.filed()
    desk.client.states.clear()

    async def broken(*_: Any) -> None:
        raise ConnectionError("storage")

    monkeypatch.setattr(outbox, "requeue", broken)

    assert [f"{closure}-e2"] == await _swept(desk, closure)


async def test_a_second_host_on_the_same_records_touches_nothing(desk: Desk, caplog: Any) -> None:
    """Its hub knows none of the first one's runs, yet it starts none afresh; it takes over when the first is silent."""
    closure = await desk.filed()
    await sweep(desk.client, desk.parts)
    second = desk.second_host()
    second.client.states.clear()

    await desk.clock.sleep(120.0)
    await sweep(second.client, second.parts)
    assert [] == second.client.started
    assert ["the host first works on the same records: this one does nothing"] == caplog.messages

    await desk.clock.sleep(301.0)
    await sweep(second.client, second.parts)
    assert [f"{closure}-e2"] == [instance for _, _, instance in second.client.started]

    before = len(desk.client.started)
    await sweep(desk.client, desk.parts)
    assert before == len(desk.client.started)


async def test_a_decision_nobody_sealed_wakes_whoever_waits(desk: Desk) -> None:
    """The run that waits at the gate is the one that stops on it, so it is not left waiting for an answer."""
    closure, digest = await desk.at_gate()
    await desk.records.create(closure, "decision:plan:001:2030-01-01T00:00:00.000Z:eve", {"digest": digest})
    raised = len(desk.client.raised)

    assert [] == await _swept(desk, closure)
    assert raised < len(desk.client.raised)


async def test_a_restarted_host_goes_on_at_once(desk: Desk) -> None:
    """The same host with an empty hub is no other one: it need not wait until it has been silent."""
    closure = await desk.filed()
    await sweep(desk.client, desk.parts)
    desk.client.states.clear()

    assert [f"{closure}-e2"] == await _swept(desk, closure)


@pytest.mark.parametrize("door", ["file_closure", "resume_closure", "rollback_closure"])
async def test_doors_of_a_second_host_say_which_one_works(desk: Desk, door: str) -> None:
    """Filing, resuming and rolling back are refused with the other host's name, and nothing is written."""
    closure = await desk.filed()
    await sweep(desk.client, desk.parts)
    second = desk.second_host()
    before = dict(desk.records.documents)
    body = request(tenantId=HOME) if door == "file_closure" else {"comment": "go on"}

    answer = await second.call(door, who="olga:Operator", body=body, closureId=closure)

    assert 409 == answer.status_code
    told = json.loads(answer.get_body())
    assert ("urn:tenant-closure:problem:other-host", "The host first works on the same records.") == (
        told["type"],
        told["detail"],
    )
    assert before == desk.records.documents
