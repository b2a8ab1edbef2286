"""A person's word at a gate: who may, over what, until when, in which order it is kept and announced."""

from __future__ import annotations

import json
from typing import Any

import azure.functions as func
import pytest

from tenantclosure import names
from tenantclosure.model.approval_policy import ApprovalPolicy
from tests.web.rig import ELSEWHERE, HOME, PEOPLE, TARGET, Desk, account, person, principal, read, refused
from web import refusals


async def _say(desk: Desk, closure: str, digest: str, /, who: str = "ann:Approver", **body: Any) -> func.HttpResponse:
    gate = body.pop("gate", "plan")
    said = {"decision": "approve", "digest": digest, "comment": "fine", **body}
    return await desk.call("decide_at_gate", who=who, body=said, closureId=closure, gate=gate)


async def _say_as(desk: Desk, closure: str, digest: str, header: str) -> func.HttpResponse:
    said = {"decision": "veto", "digest": digest, "comment": ""}
    headers = {"X-MS-CLIENT-PRINCIPAL": header}
    return await desk.call("decide_at_gate", who=None, headers=headers, body=said, closureId=closure, gate="plan")


async def test_an_approval_is_on_record_before_anything_wakes(desk: Desk) -> None:
    """The decision is stored even if no instance hears of it; the answer names who is missing."""
    closure, digest = await desk.at_gate()
    desk.client.deaf = True
    answer = await _say(desk, closure, digest)

    assert 202 == answer.status_code
    assert {"owner": 1, "distinct": 1} == read(answer)["missing"]
    assert [("approve", "api")] == [(d["decision"], d["via"]) for d in await desk.ledger.decisions(closure)]


async def test_a_decision_wakes_the_gate_that_waits(desk: Desk) -> None:
    """The instance named at the gate gets the event, after the record is written."""
    closure, digest = await desk.at_gate()
    await _say(desk, closure, digest)

    assert (f"{closure}-e1:0001", "wake") in desk.client.raised


async def test_quorum_is_reached_by_different_people(desk: Desk) -> None:
    """One person saying it twice counts once; the second group's person completes it."""
    closure, digest = await desk.at_gate()
    await _say(desk, closure, digest)
    twice = read(await _say(desk, closure, digest))
    done = read(await _say(desk, closure, digest, who="cyd:Approver"))

    assert {"owner": 1, "distinct": 1} == twice["missing"]
    assert ("approved", {}) == (done["state"], done["missing"])


async def test_the_requester_never_decides(desk: Desk) -> None:
    """Neither the same account under another name nor the same name elsewhere may approve what it asked for."""
    closure, digest = await desk.at_gate(groups={"it": {"quorum": 1, "people": [person("olga")], "deputies": []}})
    twin = principal("eve:Approver", upn="olga@fabrikam.com")
    renamed = principal("olga:Approver", upn="ann@fabrikam.com")

    refused(await _say(desk, closure, digest, who="olga:Operator,Approver"), 403, "requester-decides")
    refused(await _say_as(desk, closure, digest, twin), 403, "requester-decides")
    refused(await _say_as(desk, closure, digest, renamed), 403, "requester-decides")
    assert [] == await desk.ledger.decisions(closure)


async def test_strangers_and_people_of_the_target_do_not_decide(desk: Desk) -> None:
    """A role is not enough: the gate names its people, by account, and none of them lives in the tenant that dies."""
    closure, digest = await desk.at_gate()

    refused(await _say(desk, closure, digest, who="eve:Approver"), 403, "not-an-approver")
    refused(await _say_as(desk, closure, digest, principal("ann:Approver", tenant=ELSEWHERE)), 403, "wrong-tenant")
    refused(await _say_as(desk, closure, digest, principal("ann:Approver", tenant=TARGET)), 403, "wrong-tenant")
    assert {"not-an-approver", "wrong-tenant"} == {why for why, _, _ in await desk.refusals(closure)}


async def test_where_no_hosting_tenant_is_named_the_target_still_does_not_decide(desk: Desk) -> None:
    """In a rehearsal, too, an account that dies with the tenant has no word about it."""
    inside = {"it": {"quorum": 1, "people": [{**person("ann"), "tenantId": TARGET}], "deputies": []}}
    closure, digest = await desk.at_gate(groups=inside)
    urls = {f"CLOSURE_{name}_URL": "http://127.0.0.1:9" for name in ("GRAPH", "LOGIN", "ARM", "PARTNER")}
    await desk.records.remove("deployment", "records")
    desk.set(CLOSURE_HOME_TENANT_ID="", CLOSURE_CLOUD="custom", CLOSURE_BASE_URL="http://127.0.0.1:8", **urls)

    refused(await _say_as(desk, closure, digest, principal("ann:Approver", tenant=TARGET)), 403, "approver-in-target")


async def test_an_approver_whom_the_policy_no_longer_lists_is_refused(desk: Desk) -> None:
    """The policy file of today counts, not the one of the day the gate opened."""
    closure, digest = await desk.at_gate()
    desk.equip(policy=ApprovalPolicy(groups={"it": ["bob@fabrikam.com"], "owner": ["cyd@fabrikam.com"]}))

    refused(await _say(desk, closure, digest), 403, "approver-removed")
    assert 202 == (await _say(desk, closure, digest, who="bob:Approver")).status_code
    assert [("approver-removed", "ann", "plan")] == await desk.refusals(closure)


@pytest.mark.parametrize(
    "found",
    [None, account("ann", enabled=False), account("ann", object_id=PEOPLE["eve"])],
    ids=["deleted", "disabled", "the name is somebody else's now"],
)
async def test_an_approver_whose_account_is_gone_is_refused(desk: Desk, found: Any) -> None:
    """A session can outlive the account it belongs to."""
    closure, digest = await desk.at_gate()
    desk.people.accounts["ann@fabrikam.com"] = found

    refused(await _say(desk, closure, digest), 403, "approver-removed")
    assert [] == await desk.ledger.decisions(closure)


async def test_an_approver_who_was_renamed_is_still_the_same_person(desk: Desk) -> None:
    """The account is found under the name of the sign-in when the old one is gone."""
    closure, digest = await desk.at_gate()
    desk.people.accounts["ann@fabrikam.com"] = None  # type: ignore[assignment]
    desk.people.accounts["ann.smith@fabrikam.com"] = account("ann", upn="ann.smith@fabrikam.com")
    answer = await _say_as(desk, closure, digest, principal("ann:Approver", upn="Ann.Smith@fabrikam.com"))

    assert 202 == answer.status_code


async def test_while_accounts_cannot_be_looked_up_nobody_decides(desk: Desk) -> None:
    """Trouble with the directory is a 503; nothing is written."""
    closure, digest = await desk.at_gate()
    desk.people.away = True

    refused(await _say(desk, closure, digest), 503, "service-trouble")
    assert [] == await desk.ledger.decisions(closure)


async def test_another_digest_is_refused_with_the_right_one(desk: Desk) -> None:
    """An approval of a plan that is not the current one is no approval."""
    closure, digest = await desk.at_gate()
    problem = refused(await _say(desk, closure, "0" * 64), 409, "digest-differs", "digest")

    assert digest == problem["digest"]
    assert [("digest-differs", "ann", "plan")] == await desk.refusals(closure)


async def test_a_decision_over_an_old_gate_is_refused(desk: Desk) -> None:
    """When the plan grew, a word that names the old serial or only the old digest changes nothing."""
    closure, old = await desk.at_gate()
    new = "e" * 64
    await desk.ledger.change(closure, lambda row: row.update(planSerial=2, digest=new, gate=None))
    between = await _say(desk, closure, old)
    await desk.open(closure, "plan", new, serial=2)

    refused(between, 409, "gate-not-open")
    problem = refused(await _say(desk, closure, old, serial=1), 409, "serial-differs", "serial")
    assert 2 == problem["serial"]
    refused(await _say(desk, closure, new, serial=1), 409, "serial-differs", "serial")
    refused(await _say(desk, closure, old), 409, "digest-differs", "digest")
    assert [] == await desk.ledger.decisions(closure)
    assert 202 == (await _say(desk, closure, new, serial=2)).status_code


async def test_only_the_open_gate_takes_decisions(desk: Desk) -> None:
    """Unknown gates are 404; known ones that are not open are 409."""
    closure, digest = await desk.at_gate()

    refused(await _say(desk, closure, digest, gate="sesame"), 404, "unknown-gate", "gate")
    problem = refused(await _say(desk, closure, digest, gate="delete-tenant", domain="x.y"), 409, "gate-not-open")
    assert "plan" == problem["openGate"]
    await desk.close(closure, "plan", "vetoed")
    refused(await _say(desk, closure, digest), 409, "gate-not-open")


async def test_after_the_answer_by_date_it_is_too_late(desk: Desk) -> None:
    """Silence was a no; nobody turns it into a yes afterwards."""
    closure, digest = await desk.at_gate()
    await desk.clock.sleep(8 * 86400)

    refused(await _say(desk, closure, digest), 409, "too-late")


async def test_the_end_of_the_tenant_is_approved_by_typing_its_domain(desk: Desk) -> None:
    """At the gate delete-tenant an approval without the right domain is refused; a veto needs none."""
    closure, digest = await desk.at_gate("delete-tenant")
    gate = "delete-tenant"

    refused(await _say(desk, closure, digest, gate=gate), 400, "domain-differs", "domain")
    refused(await _say(desk, closure, digest, gate=gate, domain="contoso.com"), 400, "domain-differs", "domain")
    typed = await _say(desk, closure, digest, gate=gate, domain=" Contoso.onmicrosoft.com ")
    veto = await _say(desk, closure, digest, who="cyd:Approver", gate=gate, decision="veto")
    assert (202, 202) == (typed.status_code, veto.status_code)
    assert "vetoed" == read(veto)["state"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"decision": "maybe"}, "decision"),
        ({"decision": None}, "decision"),
        ({"digest": 7}, "digest"),
        ({"digest": "x" * 65}, "digest"),
        ({"digest": "X" * 64}, "digest"),
        ({"comment": "x" * 2001}, "comment"),
        ({"comment": "x" * 10000}, "comment"),
        ({"serial": 0}, "serial"),
        ({"serial": True}, "serial"),
        ({"serial": 1.5}, "serial"),
        ({"serial": "one"}, "serial"),
        ({"person": "ann@fabrikam.com"}, "person"),
    ],
)
async def test_a_malformed_decision_names_its_field(desk: Desk, change: dict, field: str) -> None:
    """Unknown keys, wrong types and long comments are refused; who decides is never taken from the body."""
    closure, digest = await desk.at_gate()

    refused(await _say(desk, closure, digest, **change), 400, "invalid-request", field)
    assert [] == await desk.ledger.decisions(closure)
    assert [("invalid-request", "ann", "plan")] == await desk.refusals(closure)


async def test_a_comment_of_two_thousand_characters_is_kept(desk: Desk) -> None:
    """Up to the bound every character stays, in any script."""
    closure, digest = await desk.at_gate()
    answer = await _say(desk, closure, digest, comment="ж" * 2000)

    assert 202 == answer.status_code
    assert ["ж" * 2000] == [d["comment"] for d in await desk.ledger.decisions(closure)]


@pytest.mark.parametrize(("word", "state"), [("revoke", "open"), ("veto", "vetoed")])
async def test_an_approval_in_force_can_fall_away(desk: Desk, word: str, state: str) -> None:
    """Revoking or vetoing opens the gate again, shows it, and wakes everything of the closure."""
    closure, digest = await desk.approved()
    answer = read(await _say(desk, closure, digest, decision=word, serial=1))
    row, gate = await desk.ledger.closure(closure), await desk.ledger.gate(closure, "plan", 1)

    assert state == answer["state"]
    assert gate is not None
    assert ("open", None) == (gate["state"], gate["executeBy"])
    assert ("plan", 1, "waiting-approval") == (row["gate"]["name"], row["gate"]["serial"], row["status"])
    assert (f"{closure}-e1", "wake") in desk.client.raised
    assert ["ann@fabrikam.com"] == [entry["why"].partition(" ")[0] for entry in gate["reopened"]]


async def test_what_was_taken_back_can_be_given_again(desk: Desk) -> None:
    """After a revocation the same person approves the same plan anew."""
    closure, digest = await desk.approved()
    await _say(desk, closure, digest, decision="revoke")
    answer = read(await _say(desk, closure, digest))

    assert "approved" == answer["state"]


async def test_a_revocation_that_leaves_a_quorum_opens_nothing(desk: Desk) -> None:
    """While enough others have agreed the approval stands, and its execute-by date with it."""
    closure, digest = await desk.approved("plan", "ann", "bob", "cyd")
    before = await desk.ledger.gate(closure, "plan", 1)
    answer = read(await _say(desk, closure, digest, decision="revoke"))
    after = await desk.ledger.gate(closure, "plan", 1)

    assert before is not None and after is not None
    assert ("approved", before["executeBy"]) == (after["state"], after["executeBy"])
    assert ("approved", []) == (answer["state"], after["reopened"])


async def test_a_veto_that_comes_while_the_gate_is_closed_is_not_lost(desk: Desk) -> None:
    """The gate is read again after the word is on record, so a closure in between is opened again."""
    closure, digest = await desk.at_gate()
    await _say(desk, closure, digest)
    decide = desk.ledger.decide

    async def overtaken(*arguments: Any) -> Any:
        await desk.close(closure, "plan", "approved")
        return await decide(*arguments)

    desk.ledger.decide = overtaken  # type: ignore[method-assign]
    answer = read(await _say(desk, closure, digest, who="cyd:Approver", decision="veto"))
    gate = await desk.ledger.gate(closure, "plan", 1)

    assert gate is not None
    assert ("vetoed", "open") == (answer["state"], gate["state"])


async def test_a_gate_that_waits_elsewhere_stays_on_the_row(desk: Desk) -> None:
    """Taking the plan's approval back while the last gate is asked does not hide who waits there."""
    closure, digest = await desk.approved()
    await desk.open(closure, "delete-tenant", digest)
    await _say(desk, closure, digest, decision="revoke")

    assert "delete-tenant" == (await desk.ledger.closure(closure))["gate"]["name"]
    assert (f"{closure}-e1:0001", "wake") in desk.client.raised


async def test_a_pause_stays_to_be_seen(desk: Desk) -> None:
    """A revocation does not hide that the closure is paused."""
    closure, digest = await desk.approved()
    await desk.ledger.change(closure, lambda row: row.update(status="paused", control="pause"))
    await _say(desk, closure, digest, decision="revoke")

    assert "paused" == (await desk.ledger.closure(closure))["status"]


async def test_what_has_been_carried_out_can_not_be_taken_back(desk: Desk) -> None:
    """From the hand-over on, and once the closure has ended, no word is taken."""
    closure, digest = await desk.approved()
    await desk.ledger.set_mark(closure, names.HAND_OVER_BEGUN, 1, {})
    handed_over = await _say(desk, closure, digest, decision="revoke")
    await desk.ledger.end(closure, "closed")
    ended = await _say(desk, closure, digest, decision="veto")

    refused(handed_over, 409, "carried-out")
    refused(ended, 409, "closure-ended")
    assert 2 == len(await desk.ledger.decisions(closure))


async def test_nothing_is_written_when_the_last_check_fails(desk: Desk) -> None:
    """A word that is refused for its domain leaves gate and decisions as they were."""
    closure, digest = await desk.at_gate("delete-tenant")
    before = await desk.ledger.tagged_gate(closure, "delete-tenant", 1)
    await _say(desk, closure, digest, gate="delete-tenant", domain="wrong.example")

    assert before == await desk.ledger.tagged_gate(closure, "delete-tenant", 1)
    assert [] == await desk.ledger.decisions(closure)


async def test_refusals_of_unknown_callers_lie_on_the_days_chain(desk: Desk) -> None:
    """No token, a bad one, a closure that is not there: recorded where no made-up id can begin a chain."""
    closure, digest = await desk.at_gate()
    body = {"decision": "approve", "digest": digest}
    desk.tickets.known["secret-token"] = "audience"
    bad = {"Authorization": "Bearer secret-token"}
    for headers in ({}, bad):
        await desk.call("decide_at_gate", who=None, headers=headers, body=body, closureId=closure, gate="plan")
    await _say(desk, "no-such-closure", digest)
    day = f"doors-{desk.clock.moment:%Y-%m-%d}"
    lines = b"".join(await desk.ledger.audit_lines(day))

    expected = [("not-signed-in", "", "plan"), ("token-refused", "", "plan"), ("unknown-closure", "ann", "plan")]
    assert expected == await desk.refusals()
    assert [] == await desk.refusals(closure)
    assert [] == await desk.ledger.audit_lines("no-such-closure")
    assert b"secret-token" not in lines


async def test_the_days_chain_is_read_and_checked(desk: Desk) -> None:
    """An auditor reads it like a closure's audit; another day, or what is no day, has none."""
    closure, digest = await desk.at_gate()
    body = {"decision": "approve", "digest": digest}
    await desk.call("decide_at_gate", who=None, body=body, closureId=closure, gate="plan")
    day = f"{desk.clock.moment:%Y-%m-%d}"
    lines = await desk.call("show_refusals", who="eve:Auditor", day=day)
    verdict = read(await desk.call("show_refusals", "?verify=1", who="eve:Auditor", day=day))

    assert b"not-signed-in" in lines.get_body()
    assert (True, 1) == (verdict["ok"], verdict["lines"])
    for other in ("2001-01-01", "../x", closure):
        refused(await desk.call("show_refusals", who="eve:Auditor", day=other), 404, "no-refusals", "day")


async def test_a_known_caller_without_the_role_is_recorded_with_the_closure(desk: Desk) -> None:
    """Somebody signed in who may not decide at all is named there; the caller of an unknown gate, too."""
    closure, digest = await desk.at_gate()
    await _say(desk, closure, digest, who="eve:Auditor")
    await _say(desk, closure, digest, gate="sesame")

    assert [("role-missing", "eve", "plan"), ("unknown-gate", "ann", "")] == await desk.refusals(closure)


async def test_a_flood_of_refusals_does_not_grow_the_record(desk: Desk) -> None:
    """Above thirty a minute on each kind of chain they are only logged; one kind does not crowd out the other."""
    closure, _ = await desk.at_gate()
    for _ in range(refusals.MOST + 5):
        await _say(desk, closure, "0" * 64)
        await desk.call("decide_at_gate", who=None, body={}, closureId=closure, gate="plan")

    assert (refusals.MOST, refusals.MOST) == (len(await desk.refusals(closure)), len(await desk.refusals()))


async def test_room_for_refusals_comes_back_after_a_minute(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is per minute, not for ever."""
    closure, _ = await desk.at_gate()
    now = [1000.0]
    monkeypatch.setattr(refusals, "_seconds", lambda: now[0])
    for _ in range(refusals.MOST + 1):
        await _say(desk, closure, "0" * 64)
    now[0] += refusals.SECONDS
    await _say(desk, closure, "0" * 64)

    assert refusals.MOST + 1 == len(await desk.refusals(closure))


async def test_a_refusal_stands_even_if_it_can_not_be_recorded(desk: Desk) -> None:
    """Trouble with the record changes no answer."""
    closure, _ = await desk.at_gate()

    async def broken(*_: object) -> None:
        raise ConnectionError("storage is away")

    desk.ledger.audit = broken  # type: ignore[method-assign]

    refused(await _say(desk, closure, "0" * 64), 409, "digest-differs")


async def test_the_chain_with_refusals_is_sound(desk: Desk) -> None:
    """Refused words are links of the same chain as everything else."""
    closure, _ = await desk.at_gate()
    await _say(desk, closure, "0" * 64)
    verdict = read(await desk.call("show_audit", "?verify=1", closureId=closure))
    (line,) = [json.loads(x) for x in await desk.ledger.audit_lines(closure) if b"decision:refused" in x]

    assert verdict["ok"]
    assert {"why": "digest-differs", "gate": "plan", "via": "api"} == line["detail"]
    assert f"{HOME}/{PEOPLE['ann']}" == f"{line['actor']['tenantId']}/{line['actor']['objectId']}"
