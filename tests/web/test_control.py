"""What an operator tells a live closure, and what is said when it can't be done."""

from __future__ import annotations

import json

import pytest

from tenantclosure import names
from tests.web.rig import HOME, PEOPLE, Desk, read, refused


async def _words(desk: Desk, closure: str) -> list[str]:
    return [json.loads(line)["word"] for line in await desk.ledger.audit_lines(closure)]


async def test_pause_and_unpause_change_the_row_and_wake(desk: Desk) -> None:
    """The word is on record and audited with its comment; the instance is woken to hear it."""
    closure, _ = await desk.with_task()
    answer = await desk.call("pause_closure", body={"comment": "lunch"}, closureId=closure)
    paused = (await desk.ledger.closure(closure))["control"]
    await desk.call("unpause_closure", body={}, closureId=closure)

    assert (202, "pause") == (answer.status_code, paused)
    assert "run" == (await desk.ledger.closure(closure))["control"]
    assert ["closure:paused", "closure:unpaused"] == (await _words(desk, closure))[-2:]
    assert {(f"{closure}-e1", "wake"), (f"{closure}-e1:0002", "wake")} == set(desk.client.raised)


async def test_a_lost_wake_up_is_no_error(desk: Desk) -> None:
    """The order stands on record even when nobody can be woken."""
    closure = await desk.filed()
    desk.client.deaf = True
    answer = await desk.call("abort_closure", body={}, closureId=closure)

    assert (202, "abort") == (answer.status_code, read(answer)["control"])


@pytest.mark.parametrize(
    ("control", "door"),
    [("run", "unpause"), ("pause", "pause"), ("abort", "pause"), ("abort", "unpause"), ("abort", "abort")],
)
async def test_a_word_that_does_not_fit_is_a_conflict(desk: Desk, control: str, door: str) -> None:
    """Unpausing what runs, pausing twice, anything after an abort: 409, and nothing changes."""
    closure = await desk.filed()
    await desk.ledger.change(closure, lambda row: row.update(control=control))

    refused(await desk.call(f"{door}_closure", body={}, closureId=closure), 409, "wrong-state")
    assert control == (await desk.ledger.closure(closure))["control"]


@pytest.mark.parametrize("door", ["pause", "unpause", "resume", "abort"])
async def test_an_ended_closure_takes_no_orders(desk: Desk, door: str) -> None:
    """What has ended stays as it ended; an unknown one is a 404."""
    closure = await desk.filed()
    await desk.ledger.end(closure, "vetoed")

    refused(await desk.call(f"{door}_closure", body={}, closureId=closure), 409, "closure-ended")
    refused(await desk.call(f"{door}_closure", body={}, closureId="no-such"), 404, "unknown-closure", "closureId")


async def test_resume_starts_the_next_epoch_from_records(desk: Desk) -> None:
    """A closure that hangs goes on in a new instance; the order says which epoch is in force."""
    closure = await desk.filed()
    answer = read(await desk.call("resume_closure", body={"comment": "it hangs"}, closureId=closure))

    assert 2 == answer["epoch"]
    assert f"{closure}-e2" == (await desk.ledger.closure(closure))["instanceId"]
    assert {"schema": 1, "closureId": closure, "epoch": 2} == desk.client.started[-1][1]
    assert "closure:resumed" == (await _words(desk, closure))[-1]


@pytest.mark.parametrize(
    ("body", "field"), [({"reason": "x"}, "reason"), ({"comment": 1}, "comment"), ({"comment": "x" * 2001}, "comment")]
)
async def test_only_a_comment_is_read(desk: Desk, body: dict, field: str) -> None:
    """Unknown keys and long comments are refused before anything is changed."""
    closure = await desk.filed()

    refused(await desk.call("pause_closure", body=body, closureId=closure), 400, "invalid-request", field)
    assert "run" == (await desk.ledger.closure(closure))["control"]


async def test_a_report_of_a_done_task_brings_the_probe_forward(desk: Desk) -> None:
    """The report is kept and wakes the task's instance; the task stays open until its probe proves it."""
    closure, task = await desk.with_task()
    answer = await desk.call("report_task_done", body={"comment": "done"}, closureId=closure, taskId=task)
    kept = await desk.ledger.task(closure, task)

    assert 202 == answer.status_code
    assert kept is not None
    assert ("open", ["done"]) == (kept["state"], [r["comment"] for r in kept["reports"]])
    assert (f"{closure}-e1:0002", "wake") in desk.client.raised


async def test_unknown_and_proven_tasks_take_no_report(desk: Desk) -> None:
    """404 names the field; what is proven needs no word of a person."""
    closure, task = await desk.with_task()
    unknown = await desk.call("report_task_done", body={}, closureId=closure, taskId="nothing")
    await desk.ledger.prove_task(closure, task, "seen")
    proven = await desk.call("report_task_done", body={}, closureId=closure, taskId=task)

    refused(unknown, 404, "unknown-task", "taskId")
    refused(proven, 409, "task-proven")


@pytest.mark.parametrize("door", ["pause", "resume", "abort"])
async def test_whoever_steers_is_an_operator_of_the_closure(desk: Desk, door: str) -> None:
    """Each kind of steering is noted once per person; the gate then takes no word of theirs."""
    closure, digest = await desk.at_gate()
    await desk.call(f"{door}_closure", who="ann:Operator,Approver", body={}, closureId=closure)
    await desk.call("resume_closure", who="ann:Operator", body={}, closureId=closure)
    said = {"decision": "approve", "digest": digest}
    answer = await desk.call("decide_at_gate", who="ann:Operator,Approver", body=said, closureId=closure, gate="plan")

    assert [f"{HOME}/{PEOPLE['ann']}"] == (await desk.ledger.closure(closure))["operators"]
    refused(answer, 403, "operator-decides")
    assert [("operator-decides", "ann", "plan")] == await desk.refusals(closure)


async def test_reporting_a_task_done_is_steering_too(desk: Desk) -> None:
    """Who works on the closure does not judge it."""
    closure, task = await desk.with_task()
    await desk.call("report_task_done", who="bob:Operator", body={}, closureId=closure, taskId=task)

    assert [f"{HOME}/{PEOPLE['bob']}"] == (await desk.ledger.closure(closure))["operators"]


async def test_a_refused_order_makes_no_operator(desk: Desk) -> None:
    """What did not happen is no reason to keep somebody from deciding."""
    closure = await desk.filed()
    refused(await desk.call("unpause_closure", who="ann:Operator", body={}, closureId=closure), 409, "wrong-state")
    await desk.ledger.end(closure, "vetoed")
    refused(await desk.call("resume_closure", who="ann:Operator", body={}, closureId=closure), 409, "closure-ended")

    assert [] == (await desk.ledger.closure(closure))["operators"]


async def test_what_azure_is_deleting_nobody_aborts(desk: Desk) -> None:
    """Once Azure has the DELETE an abort would stop nothing, and says so; what Azure refused can be aborted again."""
    closure = await desk.filed()
    await desk.ledger.set_mark(closure, names.DIRECTORY_DELETION, 1, {"status": 202})
    for verdict in (None, "accepted"):
        if verdict:
            await desk.ledger.set_mark(closure, names.DIRECTORY_VERDICT, 1, {"state": verdict, "why": ""})
        refused(await desk.call("abort_closure", body={}, closureId=closure), 409, "carried-out")
        assert "run" == (await desk.ledger.closure(closure))["control"]

    await desk.ledger.set_mark(closure, names.DIRECTORY_VERDICT, 1, {"state": "refused", "why": "409"})
    assert 202 == (await desk.call("abort_closure", body={}, closureId=closure)).status_code


async def test_who_approved_may_still_pause_and_abort(desk: Desk) -> None:
    """An approver who sees harm stops it, with the Operator role, whatever was approved."""
    closure, _ = await desk.approved()
    paused = await desk.call("pause_closure", who="ann:Operator,Approver", body={}, closureId=closure)
    aborted = await desk.call("abort_closure", who="ann:Operator,Approver", body={}, closureId=closure)

    assert (202, 202) == (paused.status_code, aborted.status_code)
