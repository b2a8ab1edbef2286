"""The door for Teams workflows: whom it believes, what it takes, what it never takes, and nothing twice."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import azure.functions as func
import pytest

from tenantclosure.ledger import iso
from tenantclosure.model.approval_policy import ApprovalPolicy, GateRule
from tenantclosure.names import Gate
from tests.web.rig import ELSEWHERE, FLOW, HOME, PEOPLE, Desk, person, principal, read, refused

TEAMS = ApprovalPolicy.model_validate({"gates": {"go-on": {"decideInTeams": True}}})
EVERYWHERE = ApprovalPolicy.model_construct(
    **{**dict(ApprovalPolicy()), "gates": {gate: GateRule.model_validate({"decideInTeams": True}) for gate in Gate}}
)
"""A policy that no file can hold: reading one refuses it already."""


def _body(desk: Desk, closure: str, plan: str, name: str = "ann", /, **changes: Any) -> dict[str, Any]:
    """What the workflow sends; a change to None removes the key."""
    who = person(name)
    document = {
        "closureId": closure,
        "gate": "go-on",
        "serial": 1,
        "digest": plan,
        "event": "reached",
        "person": {key: who[key] for key in ("tenantId", "objectId", "upn")},
        "nonce": f"nonce-{name}-0123456789",
        "sentAt": iso(desk.clock.now()),
        **changes,
    }
    return {key: value for key, value in document.items() if value is not None}


def _decision(desk: Desk, closure: str, digest: str, word: str = "approve", **changes: Any) -> dict[str, Any]:
    return _body(desk, closure, digest, **{"event": "decision", "decision": word, **changes})


async def _call(desk: Desk, body: Any, headers: dict[str, str] | None = None) -> func.HttpResponse:
    sent = desk.tickets.application() if headers is None else headers
    return await desk.call("approval_callback", who=None, body=body, headers=sent)


async def _notice(desk: Desk, closure: str, digest: str, name: str, gate: str = "go-on") -> str:
    notice_id = f"{gate}-001-ask-0-mail-{PEOPLE[name]}"
    notice = {"noticeId": notice_id, "kind": "ask", "channel": "mail", "gate": gate, "serial": 1, "digest": digest}
    await desk.ledger.add_notice(closure, {**notice, "to": person(name), "detail": {}})
    return notice_id


async def test_a_person_who_was_reached_is_noted(desk: Desk) -> None:
    """The person's messages of that gate get the time, with an audit line; others' and other gates' do not."""
    closure, digest = await desk.at_gate("go-on")
    mine, other = await _notice(desk, closure, digest, "ann"), await _notice(desk, closure, digest, "bob")
    earlier = await _notice(desk, closure, digest, "ann", "plan")
    answer = await _call(desk, _body(desk, closure, digest))
    reached = [await desk.ledger.notice(closure, notice_id) for notice_id in (mine, other, earlier)]
    line = json.loads((await desk.ledger.audit_lines(closure))[-1])

    assert 202 == answer.status_code
    assert ("reached", "open") == (read(answer)["event"], read(answer)["state"])
    assert [True, False, False] == [bool(notice and notice["reachedAt"]) for notice in reached]
    assert ("notice:reached", "ann@fabrikam.com", [mine]) == (
        line["word"],
        line["actor"]["upn"],
        line["detail"]["notices"],
    )
    assert [] == await desk.ledger.decisions(closure)


async def test_the_answer_counts_only_people_of_todays_policy(desk: Desk) -> None:
    """Bob has left the policy file since he approved: a seat is empty again, and the flow is told so."""
    closure, digest = await desk.at_gate("go-on")
    said = {"decision": "approve", "digest": digest, "comment": ""}
    for who in ("bob:Approver", "cyd:Approver"):
        await desk.call("decide_at_gate", who=who, body=said, closureId=closure, gate="go-on")
    desk.equip(policy=ApprovalPolicy(groups={"it": ["ann@fabrikam.com"], "owner": ["cyd@fabrikam.com"]}))
    answer = read(await _call(desk, _body(desk, closure, digest)))

    assert ("open", {"it": 1, "distinct": 1}) == (answer["state"], answer["missing"])


@pytest.mark.parametrize("word", ["approve", "veto"])
async def test_where_the_policy_allows_it_a_word_in_teams_counts(desk: Desk, word: str) -> None:
    """At go-on, and by the deployment's policy only, a workflow decides for a person of the gate."""
    desk.equip(policy=TEAMS)
    closure, digest = await desk.at_gate("go-on")
    answer = await _call(desk, _decision(desk, closure, digest, word, comment="from Teams"))
    (said,) = await desk.ledger.decisions(closure)

    assert 202 == answer.status_code
    assert (word, "teams", "from Teams", PEOPLE["ann"]) == (
        said["decision"],
        said["via"],
        said["comment"],
        said["person"]["objectId"],
    )
    assert (f"{closure}-e1:0001", "wake") in desk.client.raised


@pytest.mark.parametrize(
    ("gate", "word", "policy"),
    [
        ("go-on", "approve", ApprovalPolicy()),
        ("go-on", "revoke", TEAMS),
        ("plan", "approve", TEAMS),
        ("plan", "approve", EVERYWHERE),
        ("plan", "veto", EVERYWHERE),
        ("delete-tenant", "approve", EVERYWHERE),
        ("delete-tenant", "veto", EVERYWHERE),
    ],
)
async def test_teams_never_decides_where_it_may_not(desk: Desk, gate: str, word: str, policy: ApprovalPolicy) -> None:
    """Without the policy's word, at other gates, and for taking back: 403, recorded, nothing decided."""
    desk.equip(policy=policy)
    closure, digest = await desk.at_gate(gate)
    answer = await _call(desk, _decision(desk, closure, digest, word, gate=gate))

    refused(answer, 403, "teams-may-not-decide")
    assert [] == await desk.ledger.decisions(closure)
    assert [("teams-may-not-decide", f"application {FLOW}", gate)] == await desk.refusals(closure)


@pytest.mark.parametrize("event", ["reached", "decision"])
async def test_a_call_is_taken_once(desk: Desk, event: str) -> None:
    """The same nonce again is a replay, whatever else it says; another application's nonces are its own."""
    desk.equip(policy=TEAMS)
    closure, digest = await desk.at_gate("go-on")
    body = _body(desk, closure, digest, event=event, decision="approve" if event == "decision" else None)
    first = await _call(desk, body)
    again = await _call(desk, body)
    changed = await _call(desk, _decision(desk, closure, digest, "veto", nonce=body["nonce"]))

    assert 202 == first.status_code
    refused(again, 409, "replayed")
    refused(changed, 409, "replayed")
    assert ["approve"] * (event == "decision") == [d["decision"] for d in await desk.ledger.decisions(closure)]
    assert ["replayed", "replayed"] == [why for why, _, _ in await desk.refusals(closure)]


async def test_a_refused_call_does_not_use_its_nonce_up(desk: Desk) -> None:
    """The nonce is taken after all checks, so a call that was mistaken can be put right."""
    desk.equip(policy=TEAMS)
    closure, digest = await desk.at_gate("go-on")
    wrong = await _call(desk, _decision(desk, closure, "0" * 64))
    right = await _call(desk, _decision(desk, closure, digest))

    assert (409, 202) == (wrong.status_code, right.status_code)


@pytest.mark.parametrize("minutes", [-11, 11, -60 * 24 * 365])
async def test_an_old_or_early_call_is_refused(desk: Desk, minutes: int) -> None:
    """A recorded call is worth nothing ten minutes later, and none comes from the future."""
    closure, digest = await desk.at_gate("go-on")
    at = iso(desk.clock.now() + timedelta(minutes=minutes))

    refused(await _call(desk, _body(desk, closure, digest, sentAt=at)), 409, "too-old", "sentAt")


@pytest.mark.parametrize("minutes", [-9, 9])
async def test_clocks_may_differ_a_little(desk: Desk, minutes: int) -> None:
    """Within ten minutes either way a call is in time."""
    closure, digest = await desk.at_gate("go-on")
    at = iso(desk.clock.now() + timedelta(minutes=minutes))

    assert 202 == (await _call(desk, _body(desk, closure, digest, sentAt=at))).status_code


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"event": "approved"}, "event"),
        ({"event": None}, "event"),
        ({"nonce": "short"}, "nonce"),
        ({"nonce": "x" * 129}, "nonce"),
        ({"nonce": "with spaces 0123456789"}, "nonce"),
        ({"nonce": "ü" * 20}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"sentAt": "yesterday"}, "sentAt"),
        ({"sentAt": "2026-11-01T12:00:00"}, "sentAt"),
        ({"sentAt": 1793534400}, "sentAt"),
        ({"serial": None}, "serial"),
        ({"serial": "x"}, "serial"),
        ({"digest": "x"}, "digest"),
        ({"person": None}, "person"),
        ({"person": "ann@fabrikam.com"}, "person"),
        ({"person": {"tenantId": HOME, "objectId": PEOPLE["ann"]}}, "upn"),
        ({"person": {"tenantId": HOME, "objectId": "ann", "upn": "a@b"}}, "person.objectId"),
        ({"person": {"tenantId": HOME, "objectId": PEOPLE["ann"], "upn": "a@b", "name": "Ann"}}, "name"),
        ({"decision": "approve"}, "decision"),
        ({"comment": "hello"}, "comment"),
        ({"surprise": 1}, "surprise"),
        ({"domain": "contoso.onmicrosoft.com"}, "domain"),
        ({"closureId": 7}, "closureId"),
    ],
)
async def test_a_malformed_call_names_its_field(desk: Desk, change: dict[str, Any], field: str) -> None:
    """The body is strict to the last key; nothing is taken from half a call."""
    closure, digest = await desk.at_gate("go-on")

    refused(await _call(desk, _body(desk, closure, digest, **change)), 400, "invalid-request", field)


async def test_an_unsigned_call_is_recorded_on_the_days_chain(desk: Desk) -> None:
    """No token and a token that does not hold are a 401; the closure's chain has no line of it."""
    closure, digest = await desk.at_gate("go-on")
    desk.tickets.known["of-another-service"] = "audience"
    desk.tickets.known["of-another-tenant"] = "tenant"
    body = _body(desk, closure, digest)
    unsigned = await _call(desk, body, {})
    audience = await _call(desk, body, {"Authorization": "Bearer of-another-service"})
    tenant = await _call(desk, body, {"Authorization": "Bearer of-another-tenant"})

    refused(unsigned, 401, "not-signed-in")
    assert ("audience", "tenant") == tuple(
        refused(answer, 401, "token-refused")["reason"] for answer in (audience, tenant)
    )
    assert ["not-signed-in", "token-refused", "token-refused"] == [why for why, _, _ in await desk.refusals()]
    assert [] == await desk.refusals(closure)


async def test_only_listed_applications_may_call(desk: Desk) -> None:
    """Another application of the tenant, one of another tenant, and every person are refused."""
    closure, digest = await desk.at_gate("go-on")
    body = _body(desk, closure, digest)
    other = await _call(desk, body, desk.tickets.application("0b0a1c2d-0000-4000-8000-0000000f1011"))
    abroad = await _call(desk, body, desk.tickets.application(tid=ELSEWHERE))
    ann = await _call(desk, body, desk.tickets.person("ann:Approver,Operator"))
    delegated = await _call(desk, body, desk.tickets.person("ann:Approver", appid=FLOW))
    signed_in = await desk.call("approval_callback", who="ann:Approver", body=body)

    refused(other, 403, "application-not-listed")
    refused(abroad, 403, "wrong-tenant")
    for answer in (ann, delegated, signed_in):
        refused(answer, 403, "not-an-application")
    assert [] == await desk.ledger.decisions(closure)
    assert 5 == len(await desk.refusals())


@pytest.mark.parametrize(
    "claims",
    [
        {"idtyp": None},
        {"appid": None, "azp": FLOW},
        {"appid": FLOW.upper()},
    ],
    ids=["no kind, but no person either", "a v2 token", "large letters"],
)
async def test_an_applications_token_has_more_than_one_form(desk: Desk, claims: dict[str, Any]) -> None:
    """v1 and v2 tokens name the application differently."""
    closure, digest = await desk.at_gate("go-on")

    assert 202 == (await _call(desk, _body(desk, closure, digest), desk.tickets.application(**claims))).status_code


async def test_the_platform_may_hand_the_application_on(desk: Desk) -> None:
    """With App Service authentication in front the application comes in its header, under the same list."""
    closure, digest = await desk.at_gate("go-on")

    def header(app: str) -> dict[str, str]:
        claims = {"tid": HOME, "oid": PEOPLE["eve"], "appid": app, "idtyp": "app"}
        document = {"claims": [{"typ": typ, "val": val} for typ, val in claims.items()]}
        return {"X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps(document).encode()).decode()}

    refused(await _call(desk, _body(desk, closure, digest), header("another")), 403, "application-not-listed")
    assert 202 == (await _call(desk, _body(desk, closure, digest), header(FLOW))).status_code
    desk.set(WEBSITE_AUTH_ENABLED=False)
    refused(await _call(desk, _body(desk, closure, digest), header(FLOW)), 401, "not-signed-in")


@pytest.mark.parametrize("event", ["reached", "decision"])
async def test_a_workflow_gets_past_no_rule_of_the_gate(desk: Desk, event: str) -> None:
    """Strangers, the requester, another tenant's people, old plans and closed gates: as at every other door."""
    desk.equip(policy=TEAMS)
    closure, digest = await desk.at_gate("go-on")
    extra = {"event": event, "decision": "veto" if event == "decision" else None}
    abroad = {"tenantId": ELSEWHERE, "objectId": PEOPLE["ann"], "upn": "ann@fabrikam.com"}
    cases = {
        "not-an-approver": _body(desk, closure, digest, "eve", **extra),
        "requester-decides": _body(desk, closure, digest, "olga", **extra),
        "not-an-approver ": _body(desk, closure, digest, person=abroad, **extra),
        "digest-differs": _body(desk, closure, "0" * 64, **extra),
        "serial-differs": _body(desk, closure, digest, serial=2, **extra),
    }
    for why, body in cases.items():
        answer = await _call(desk, body)
        refused(answer, 403 if "-differs" not in why else 409, why.strip())
    await desk.close(closure, "go-on", "vetoed")
    refused(await _call(desk, _body(desk, closure, digest, **extra)), 409, "gate-not-open")
    refused(await _call(desk, _body(desk, "no-such", digest, **extra)), 404, "unknown-closure", "closureId")

    assert [] == await desk.ledger.decisions(closure)


async def test_a_workflow_may_not_speak_for_an_account_that_is_gone(desk: Desk) -> None:
    """The person it names is looked up like any other."""
    desk.equip(policy=TEAMS)
    closure, digest = await desk.at_gate("go-on")
    desk.people.accounts.pop("ann@fabrikam.com")

    refused(await _call(desk, _decision(desk, closure, digest)), 403, "approver-removed")


async def test_a_refused_call_is_recorded_with_application_and_person(desk: Desk) -> None:
    """The line names who called and for whom, but does not take the person's word for theirs."""
    closure, digest = await desk.at_gate("go-on")
    await _call(desk, _decision(desk, closure, digest))
    line = json.loads((await desk.ledger.audit_lines(closure))[-1])

    assert (f"application {FLOW}", "ann@fabrikam.com") == (line["actor"]["upn"], line["actor"]["person"]["upn"])
    assert "nonce" not in json.dumps(line)


async def test_a_sign_in_of_a_person_never_passes_for_an_application(desk: Desk) -> None:
    """A principal with a user name is a person even if it names an application that acts for it."""
    closure, digest = await desk.at_gate("go-on")
    headers = {"X-MS-CLIENT-PRINCIPAL": principal("ann:Approver")}

    refused(await _call(desk, _body(desk, closure, digest), headers), 403, "not-an-application")
