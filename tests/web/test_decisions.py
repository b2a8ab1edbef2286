"""A person's word at a gate: who may, over what, until when, and in which order it is kept and announced."""

from __future__ import annotations

from typing import Any

import azure.functions as func
import pytest

from tests.web.rig import TARGET, Desk, principal, read, refused


async def _say(desk: Desk, closure: str, digest: str, /, who: str = "ann:Approver", **body: Any) -> func.HttpResponse:
    gate = body.pop("gate", "plan")
    said = {"decision": "approve", "digest": digest, "comment": "fine", **body}
    return await desk.call("decide_at_gate", who=who, body=said, closureId=closure, gate=gate)


async def test_an_approval_is_on_record_before_anything_wakes(desk: Desk) -> None:
    """The decision is stored even if no instance hears of it; the answer names who is missing."""
    closure, digest = await desk.at_gate()
    desk.client.deaf = True
    answer = await _say(desk, closure, digest)

    assert 202 == answer.status_code
    assert {"owner": 1, "distinct": 1} == read(answer)["missing"]
    assert ["approve"] == [d["decision"] for d in await desk.ledger.decisions(closure)]


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
    closure, digest = await desk.at_gate()
    said = {"decision": "approve", "digest": digest, "comment": ""}
    elsewhere = principal("eve:Approver", upn="olga@fabrikam.com")
    twin = await desk.call(
        "decide_at_gate",
        who=None,
        headers={"X-MS-CLIENT-PRINCIPAL": elsewhere},
        body=said,
        closureId=closure,
        gate="plan",
    )

    renamed = await desk.call(
        "decide_at_gate",
        who=None,
        headers={"X-MS-CLIENT-PRINCIPAL": principal("olga:Approver", upn="ann@fabrikam.com")},
        body=said,
        closureId=closure,
        gate="plan",
    )

    refused(await _say(desk, closure, digest, who="olga:Operator,Approver"), 403, "requester-decides")
    refused(twin, 403, "requester-decides")
    refused(renamed, 403, "requester-decides")
    assert [] == await desk.ledger.decisions(closure)


async def test_strangers_and_people_of_the_target_do_not_decide(desk: Desk) -> None:
    """A role is not enough: the gate names its people, and none of them lives in the tenant that dies."""
    closure, digest = await desk.at_gate()
    inside = principal("ann:Approver", tenant=TARGET)
    said = {"decision": "veto", "digest": digest, "comment": ""}
    answer = await desk.call(
        "decide_at_gate", who=None, headers={"X-MS-CLIENT-PRINCIPAL": inside}, body=said, closureId=closure, gate="plan"
    )

    refused(answer, 403, "approver-in-target")
    refused(await _say(desk, closure, digest, who="eve:Approver"), 403, "not-an-approver")
    namesake = principal("ann:Approver", tenant="0b0a1c2d-0000-4000-8000-0000000000ee")
    answer = await desk.call(
        "decide_at_gate",
        who=None,
        headers={"X-MS-CLIENT-PRINCIPAL": namesake},
        body=said,
        closureId=closure,
        gate="plan",
    )
    refused(answer, 403, "not-an-approver")


async def test_another_digest_is_refused_with_the_right_one(desk: Desk) -> None:
    """An approval of a plan that is not the current one is no approval."""
    closure, digest = await desk.at_gate()
    problem = refused(await _say(desk, closure, "0" * 64), 409, "digest-differs", "digest")

    assert digest == problem["digest"]


async def test_only_the_open_gate_takes_decisions(desk: Desk) -> None:
    """Unknown gates are 404; known ones that are not open are 409."""
    closure, digest = await desk.at_gate()

    refused(await _say(desk, closure, digest, gate="sesame"), 404, "unknown-gate", "gate")
    problem = refused(await _say(desk, closure, digest, gate="delete-tenant", domain="x.y"), 409, "gate-not-open")
    assert "plan" == problem["openGate"]
    await desk.ledger.close_gate(closure, "plan", 1, "vetoed", [])
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
        ({"comment": "x" * 2001}, "comment"),
        ({"person": "ann@fabrikam.com"}, "person"),
    ],
)
async def test_a_malformed_decision_names_its_field(desk: Desk, change: dict, field: str) -> None:
    """Unknown keys, wrong types and long comments are refused; who decides is never taken from the body."""
    closure, digest = await desk.at_gate()

    refused(await _say(desk, closure, digest, **change), 400, "invalid-request", field)
    assert [] == await desk.ledger.decisions(closure)
