"""Asking for a rollback: of a live closure, of one that has ended, and when it is too late."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from tenantclosure import names
from tenantclosure.names import Phase
from tenantclosure.policy import rollback
from tenantclosure.policy.canonical import canonical, digest
from tests.web.rig import PEOPLE, TARGET, Desk, hidden, read, refused, request
from web.shown import LABELS
from web.sweeping import sweep

WAY = {"name": "Wanda", "upn": "wanda@contoso.com"}


async def _ask(desk: Desk, closure: str, who: str = "olga:Operator", **body: Any) -> Any:
    return await desk.call("rollback_closure", who=who, body=body or {"comment": "it was a mistake"}, closureId=closure)


async def _details(desk: Desk, closure: str, word: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in await desk.ledger.audit_lines(closure)]
    return [line["detail"] for line in lines if line["word"] == word]


async def _planned(desk: Desk, closure: str, serial: int = 2) -> str:
    """A rollback that has begun and is planned: one user back, one let in, one renewal, two lost; its digest."""
    user = {"id": "u1", "name": WAY["name"], "facts": {"upn": WAY["upn"]}}
    line, families = canonical(user) + b"\n", {}
    for family, _ in rollback.WAVES:
        count = int(family.startswith("users"))
        families[family] = {"count": count, "shards": [{"count": 1, "sha256": "0" * 64}] * count}
        if count:
            await desk.records.write_blob(names.shard_path(closure, serial, family, 0), line)
    lost = [
        rollback.impossible("users", rollback.Item("u9", "Gone <b>Gary</b>"), rollback.GONE),
        rollback.impossible("domains", rollback.Item("contoso.com", "contoso.com"), rollback.DOMAIN),
    ]
    await desk.records.write_blob(
        rollback.path(closure, serial, "impossible"), b"".join(canonical(entry) + b"\n" for entry in lost)
    )
    manifest = {
        "schema": 1,
        "closureId": closure,
        "tenantId": TARGET,
        "domain": "contoso.onmicrosoft.com",
        "serial": serial,
        "keeper": {"id": "k1", "upn": "last.admin@contoso.onmicrosoft.com"},
        "ownServicePrincipal": None,
        "families": families,
        "kept": [],
        "kind": rollback.KIND,
        "others": [
            {**rollback.UNDO_FREEZE},
            {"what": "start-renewal", "family": "subscriptions", "id": "s", "name": "E5"},
        ],
        "impossible": {"count": 2, "families": {"users": 1, "domains": 1}, "sha256": "0" * 64},
    }
    await desk.records.write_blob(names.manifest_path(closure, serial), json.dumps(manifest).encode())
    found = digest(manifest)

    def edit(row: dict[str, Any]) -> None:
        known = {"serial": 1, "digest": row["digest"], "families": {"users": 3}}
        row["rollback"] = {"serial": serial, "number": 1, "endsAs": "aborted", "plan": known}
        row.update(planSerial=serial, digest=found, control="run", phase="gate-rollback")

    await desk.ledger.change(closure, edit)
    return found


# -- a live closure ---------------------------------------------------------------------------------------------------
async def test_a_live_closure_turns_to_it(desk: Desk) -> None:
    """It is on record with its comment, everybody waiting is woken, and nothing else is changed at the door."""
    closure, _ = await desk.with_task()
    answer = await _ask(desk, closure)
    row = await desk.ledger.closure(closure)

    assert (202, "rollback") == (answer.status_code, read(answer)["control"])
    assert ("aborted", 1, None) == tuple(row["rollback"][name] for name in ("endsAs", "number", "serial"))
    assert PEOPLE["olga"] == row["rollback"]["askedBy"]["objectId"]
    assert [{"number": 1, "comment": "it was a mistake"}] == await _details(desk, closure, "rollback:requested")
    assert {(f"{closure}-e1", "wake"), (f"{closure}-e1:0002", "wake")} == set(desk.client.raised)
    assert (1, None) == (row["planSerial"], row["result"])


async def test_a_paused_closure_turns_to_it_too(desk: Desk) -> None:
    """Nobody has to let the deletion go on for a moment to ask for its opposite."""
    closure = await desk.filed()
    await desk.ledger.change(closure, lambda row: row.update(control="pause"))

    assert 202 == (await _ask(desk, closure)).status_code


async def test_an_abort_asks_for_no_rollback(desk: Desk) -> None:
    """Restoring is a decision of its own: aborting leaves no wish for it, and then it has to end first."""
    closure = await desk.filed()
    await desk.call("abort_closure", body={}, closureId=closure)

    assert None is (await desk.ledger.closure(closure)).get("rollback")
    refused(await _ask(desk, closure), 409, "wrong-state")


async def test_it_is_asked_for_once(desk: Desk) -> None:
    """Until it is over a second wish is a conflict: before it has begun, and after."""
    closure = await desk.filed()
    await _ask(desk, closure)
    refused(await _ask(desk, closure), 409, "rollback-live")
    await _planned(desk, closure)
    refused(await _ask(desk, closure), 409, "rollback-live")

    assert 1 == len(await _details(desk, closure, "rollback:requested"))


@pytest.mark.parametrize("door", ["pause", "unpause", "abort"])
async def test_until_it_has_begun_it_takes_no_other_order(desk: Desk, door: str) -> None:
    """The wish is not overwritten; once begun, a rollback is steered like any closure."""
    closure = await desk.filed()
    await _ask(desk, closure)
    refused(await desk.call(f"{door}_closure", body={}, closureId=closure), 409, "wrong-state")
    await desk.ledger.change(closure, lambda row: row.update(control="pause" if door == "unpause" else "run"))

    assert 202 == (await desk.call(f"{door}_closure", body={}, closureId=closure)).status_code


@pytest.mark.parametrize("who", ["ann:Approver", "eve:Auditor"])
async def test_only_operators_ask_for_it(desk: Desk, who: str) -> None:
    """It re-opens access: neither approvers nor auditors start it."""
    closure = await desk.filed()

    assert 403 == (await _ask(desk, closure, who)).status_code
    assert None is (await desk.ledger.closure(closure)).get("rollback")


async def test_only_a_comment_is_read(desk: Desk) -> None:
    """Unknown keys are refused before anything is changed."""
    closure = await desk.filed()

    refused(await _ask(desk, closure, reason="x"), 400, "invalid-request", "reason")
    assert "run" == (await desk.ledger.closure(closure))["control"]


# -- one that has ended -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("result", ["aborted", "vetoed", "expired", "failed", "kept"])
async def test_an_ended_closure_is_opened_again(desk: Desk, result: str) -> None:
    """It takes its lease again, runs under the next epoch, and will end as it had."""
    closure = await desk.filed()
    await desk.ledger.end(closure, result)
    answer = read(await _ask(desk, closure))
    row = await desk.ledger.closure(closure)

    assert (2, "rollback", "planning") == (answer["epoch"], answer["control"], answer["status"])
    assert (result, None, None) == (row["rollback"]["endsAs"], row["result"], row["endedAt"])
    assert {"schema": 1, "closureId": closure, "epoch": 2} == desk.client.started[-1][1]
    assert f"{closure}-e2" == row["instanceId"]
    refused(await desk.call("file_closure", body=request()), 409, "closure-live", "tenantId")


async def test_a_closed_tenant_does_not_come_back(desk: Desk) -> None:
    """The tenant is gone: 409, and the closure stays ended."""
    closure = await desk.filed()
    await desk.ledger.end(closure, "closed")

    refused(await _ask(desk, closure), 409, "tenant-gone")
    assert ("ended", []) == ((await desk.ledger.closure(closure))["status"], await desk.ledger.live())


@pytest.mark.parametrize("ended", [False, True])
async def test_after_the_hand_over_nobody_can(desk: Desk, ended: bool) -> None:
    """Our application is removed from the tenant; the answer says who still can."""
    closure = await desk.filed()
    await desk.ledger.set_mark(closure, names.HAND_OVER_BEGUN, 1, {})
    if ended:
        await desk.ledger.end(closure, "failed")

    refused(await _ask(desk, closure), 409, "handed-over")
    assert None is (await desk.ledger.closure(closure)).get("rollback")


async def test_the_tenant_has_one_live_closure(desk: Desk) -> None:
    """While a newer closure of the tenant runs, an old one is not rolled back under its feet."""
    old = await desk.filed()
    await desk.ledger.end(old, "aborted")
    new = await desk.filed()

    refused(await _ask(desk, old), 409, "closure-live", "tenantId")
    row = await desk.ledger.closure(old)
    assert ("ended", "aborted") == (row["status"], row["result"])
    assert [new] == await desk.ledger.live()
    assert [] == await _details(desk, old, "rollback:requested")


async def test_one_that_could_not_be_started_is_started_by_the_sweep(desk: Desk) -> None:
    """The engine is away: the wish stands on record and the sweep starts the run."""
    closure = await desk.filed()
    await desk.ledger.end(closure, "aborted")
    desk.client.deaf = True
    assert 202 == (await _ask(desk, closure)).status_code
    desk.client.deaf = False
    desk.clock.moment += timedelta(minutes=5)
    await sweep(desk.client, desk.parts)

    assert desk.client.started[-1][2].startswith(closure)
    assert 1 < desk.client.started[-1][1]["epoch"]


async def test_a_second_rollback_counts_on(desk: Desk) -> None:
    """Each is numbered, and what the closure removed stays the plan before the first."""
    closure = await desk.filed()
    await _planned(desk, closure)
    await desk.ledger.end(closure, "aborted")
    await _ask(desk, closure)
    known = (await desk.ledger.closure(closure))["rollback"]

    assert (2, None, 1) == (known["number"], known["serial"], known["plan"]["serial"])


# -- what people see --------------------------------------------------------------------------------------------------
async def test_whoever_asked_does_not_approve(desk: Desk) -> None:
    """An operator of the closure has no word at its gate; two others have."""
    closure = await desk.filed()
    await _ask(desk, closure, "ann:Operator,Approver")
    found = await _planned(desk, closure)
    await desk.open(closure, "rollback", found, serial=2)
    said = {"decision": "approve", "digest": found}
    order = {"body": said, "closureId": closure, "gate": "rollback"}

    refused(await desk.call("decide_at_gate", who="ann:Operator,Approver", **order), 403, "operator-decides")
    assert 202 == (await desk.call("decide_at_gate", who="bob:Approver", **order)).status_code


async def test_a_decision_is_about_this_plan(desk: Desk) -> None:
    """Another digest, that of the plan of the removal too, is refused at the gate `rollback`."""
    closure, removal = await desk.approved()
    found = await _planned(desk, closure)
    await desk.open(closure, "rollback", found, serial=2)
    order = {"closureId": closure, "gate": "rollback"}

    answer = await desk.call(
        "decide_at_gate", who="bob:Approver", body={"decision": "approve", "digest": removal}, **order
    )
    assert 409 == answer.status_code
    assert [] == [one for one in await desk.ledger.decisions(closure) if one["gate"] == "rollback"]


async def test_the_gate_page_says_what_is_brought_back(desk: Desk) -> None:
    """Headline and bars speak of bringing back, not of deleting; its form decides about that plan."""
    closure = await desk.filed()
    found = await _planned(desk, closure)
    await desk.open(closure, "rollback", found, serial=2)
    page = await desk.call("show_gate_page", who="ann:Approver", closureId=closure, gate="rollback")
    html = page.get_body().decode()
    form = {**hidden(page), "decision": "approve", "comment": ""}
    answer = await desk.call("answer_gate_page", who="ann:Approver", form=form, closureId=closure, gate="rollback")

    assert "Approve bringing back" in html
    assert "What the plan brings back" in html
    assert "What the plan removes" not in html
    assert re.search(r"let in</span> <span class=.amount.>1<", html)
    assert "Nobody is restored." in html
    assert (303, found) == (answer.status_code, form["digest"])


async def test_the_plan_page_names_what_can_and_what_cannot(desk: Desk) -> None:
    """Users to restore, those let in, what is done besides, and each loss with its reason, as text."""
    closure = await desk.filed()
    await _planned(desk, closure)
    html = (await desk.call("plan_page", who="ann:Approver", closureId=closure)).get_body().decode()
    let_in = await desk.call("plan_page", "?family=users-enabled", who="ann:Approver", closureId=closure)

    assert "brought back once people approve it" in html
    assert "will be removed" not in html
    assert WAY["upn"] in html
    assert WAY["upn"] in let_in.get_body().decode()
    assert "Gone &lt;b&gt;Gary&lt;/b&gt;" in html
    assert rollback.DOMAIN.partition(":")[0] in html
    assert "renews itself again" in html


async def test_the_api_plan_holds_the_impossible_too(desk: Desk) -> None:
    """The first entries with their reasons; another plan has no such member."""
    closure = await desk.filed()
    await desk.planned(closure)
    removal = read(await desk.call("show_plan", who="ann:Approver", closureId=closure))
    await _planned(desk, closure)
    found = read(await desk.call("show_plan", who="ann:Approver", closureId=closure))

    assert "impossible" not in removal
    assert [("u9", rollback.GONE), ("contoso.com", rollback.DOMAIN)] == [
        (e["id"], e["why"]) for e in found["impossible"]
    ]


async def test_the_closure_page_and_status_show_both_stories(desk: Desk) -> None:
    """Counts stay those of the removal; the phases are those that had begun, then the rollback's."""
    closure = await desk.filed()
    await desk.planned(closure, users=3)
    await desk.ledger.set_mark(closure, "started-survey", 1, {})
    await desk.ledger.set_mark(closure, "survey", 1, {})
    await _planned(desk, closure)
    status = read(await desk.call("show_closure", who="ann:Approver", closureId=closure))
    html = (await desk.call("closure_page", who="ann:Approver", closureId=closure)).get_body().decode()

    assert 3 == status["counts"]["users"]["planned"]
    phases = re.findall(r'<span class="label">([^<]+)</span>\n<span class="when">', html)
    assert [LABELS[p] for p in (Phase.SURVEY, Phase.GATE_ROLLBACK, Phase.ROLLBACK, Phase.REPORT)] == phases
