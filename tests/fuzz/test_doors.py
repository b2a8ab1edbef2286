"""Every HTTP door, whatever is said at it: a described answer, a sentence, no secret, and nothing done when refused."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tenantclosure.ledger import iso
from tenantclosure.model.approval_policy import ApprovalPolicy
from tests.fuzz.office import Office
from tests.fuzz.rig import BODIES, TEXTS, Body, encoded, fuzz, spoiled
from tests.web.rig import ADDRESS, HOME, PEOPLE, hidden, person, principal, read, request, rows
from web.routes import ROUTES

pytestmark = pytest.mark.slow

WORDS = TEXTS.filter(lambda text: "\ud800" not in text)
"""What a host hands on of a path or a query: whole characters."""
MEDIA = st.sampled_from(
    ["application/json"] * 6 + ["", "text/plain", "application/JSON; charset=utf-16", "\u00e9", "a/b"]
)
LENGTHS = st.sampled_from([""] * 6 + ["0", "-1", "\u00b2", "9" * 5000, "65537", "x"])


@fuzz(50)
@example(body=Body(encoded(request(**{"x" * 50_000: 1}))), media="application/json", length="")
@example(body=Body(encoded(request(**{f"x{n}": 1 for n in range(3000)}))), media="application/json", length="")
@example(body=b"{}", media="application/json", length="\u00b2")
@given(BODIES | spoiled(request()).map(encoded), MEDIA, LENGTHS)
def test_a_request_is_filed_or_refused_with_what_is_wrong(doors: Office, body: bytes, media: str, length: str) -> None:
    """Filed only as the schema has it; the refusal names the field and says what to do."""
    doors.fresh()
    doors.run(doors.desk.ledger.end(doors.closure, "aborted"))
    answer = doors.ask("file_closure", raw=body, headers={"Content-Type": media, "Content-Length": length})
    filed = [row for row in doors.run(rows(doors.desk.ledger)) if row["closureId"] != doors.closure]

    assert (202 == answer.status_code) == (1 == len(filed) == len(doors.desk.client.started) - 1)
    if 202 == answer.status_code:
        assert filed[0]["request"]["tenantId"] == json.loads(body)["tenantId"].strip().lower()
    elif 400 == answer.status_code:
        assert read(answer)["field"]


@fuzz(40)
@given(st.data(), st.sampled_from(["go-on", "plan", "", "x" * 300, "GO-ON"]))
def test_a_decision_counts_only_as_it_was_meant(doors: Office, data: st.DataObject, gate: str) -> None:
    """One decision on record for one 202, over the very digest and serial of the gate."""
    doors.fresh()
    said = {"decision": "approve", "digest": doors.digest, "comment": "c", "domain": "contoso.com", "serial": 1}
    body = data.draw(spoiled(said, most=1).map(encoded) | BODIES)
    path = {"closureId": doors.closure, "gate": gate}
    answer = doors.ask("decide_at_gate", who="ann:Approver", raw=body, **path)
    decided = doors.run(doors.desk.ledger.decisions(doors.closure))

    assert (202 == answer.status_code) == (1 == len(decided))
    if decided:
        assert ("go-on", doors.digest) == (gate, json.loads(body)["digest"].strip())
        assert json.loads(body).get("serial") in (None, 1, "1")


@fuzz(50)
@given(st.data(), st.sampled_from(["reached", "decision"]))
def test_a_callback_is_taken_whole_and_once(doors: Office, data: st.DataObject, event: str) -> None:
    """Whatever a workflow sends: taken with a nonce of its own and in time, or refused; the second time always."""
    desk = doors.fresh()
    desk.equip(policy=ApprovalPolicy.model_validate({"gates": {"go-on": {"decideInTeams": True}}}))
    who = person("ann")
    said = {
        "closureId": doors.closure,
        "gate": "go-on",
        "serial": 1,
        "digest": doors.digest,
        "event": event,
        "person": {key: who[key] for key in ("tenantId", "objectId", "upn")},
        "nonce": "s3cret-nonce-0123456789",
        "sentAt": iso(desk.clock.now()),
        **({"decision": "approve", "comment": "from Teams"} if event == "decision" else {}),
    }
    body = data.draw(spoiled(said, most=1).map(encoded) | BODIES)
    for attempt in range(2):
        answer = doors.ask("approval_callback", who=None, raw=body, headers=desk.tickets.application())
        assert not attempt or 400 <= answer.status_code
    decided = doors.run(desk.ledger.decisions(doors.closure))

    assert len(decided) <= 1
    assert not decided or PEOPLE["ann"] == decided[0]["person"]["objectId"]


CLAIMS = {
    "tid": HOME,
    "oid": PEOPLE["olga"],
    "preferred_username": "olga@fabrikam.com",
    "name": "Olga",
    "roles": ["Operator"],
    "scp": "user_impersonation",
}
NAMES = {
    "tid": "http://schemas.microsoft.com/identity/claims/tenantid",
    "oid": "http://schemas.microsoft.com/identity/claims/objectidentifier",
}
PRINCIPAL = {
    "auth_typ": "aad",
    "claims": [
        {"typ": NAMES.get(name, name), "val": one}
        for name, value in CLAIMS.items()
        for one in (value if isinstance(value, list) else [value])
    ],
    "name_typ": "name",
    "role_typ": "roles",
}


def _somebody(doors: Office, answer: Any, oid: object, tid: object) -> None:
    """Whoever came through is olga of the hosting tenant: nothing else was an operator before it was spoiled."""
    if 202 == answer.status_code:
        (row,) = (row for row in doors.run(rows(doors.desk.ledger)) if row["closureId"] != doors.closure)
        assert row["requester"]["tenantId"] == HOME
        assert {row["requester"]["objectId"]} <= {str(oid).strip("{}").lower(), PEOPLE["olga"]}


@fuzz(50)
@example(document=Body(base64.b64encode(b"[" * 11_000)))
@given(spoiled(PRINCIPAL).map(lambda found: base64.b64encode(encoded(found))) | BODIES)
def test_a_principal_that_is_not_read_whole_is_nobody(doors: Office, document: bytes) -> None:
    """The platform's header in any form: a person with a role, or 401 and 403."""
    doors.fresh()
    doors.run(doors.desk.ledger.end(doors.closure, "aborted"))
    header = {"X-MS-CLIENT-PRINCIPAL": document.decode("latin-1"), "X-Secret": "s3cret-"}
    answer = doors.ask("file_closure", who=None, body=request(), headers=header)

    assert answer.status_code in (202, 401, 403)
    _somebody(doors, answer, PEOPLE["olga"], HOME)


@fuzz(50)
@given(spoiled(CLAIMS), st.sampled_from(["Bearer ", "bearer  ", "Basic ", "", "Bearer"]))
def test_claims_that_are_not_read_whole_are_nobody(doors: Office, claims: Any, scheme: str) -> None:
    """Claims of a valid token in any form: a person of the hosting tenant with a role, or 401 and 403."""
    desk = doors.fresh()
    desk.set(WEBSITE_AUTH_ENABLED=False)
    doors.run(desk.ledger.end(doors.closure, "aborted"))
    desk.tickets.known["s3cret-token"] = claims if isinstance(claims, dict) else {}
    header = {"Authorization": f"{scheme}s3cret-token"}
    answer = doors.ask("file_closure", who=None, body=request(), headers=header)

    assert answer.status_code in (202, 401, 403)
    if isinstance(claims, dict):
        _somebody(doors, answer, claims.get("oid"), claims.get("tid"))


FORM = st.dictionaries(st.sampled_from(["csrf", "decision", "digest", "serial", "comment", "domain"]) | WORDS, WORDS)


@fuzz(40)
@given(
    st.sampled_from(["link", "gate"]),
    FORM,
    BODIES,
    st.integers(0, 3),
    st.sampled_from(["", ADDRESS, "null", "http://x"]),
)
def test_a_form_decides_only_as_our_page_made_it(
    doors: Office, which: str, changes: dict[str, str], body: bytes, how: int, origin: str
) -> None:
    """Any fields, any cookie, any origin: a decision needs the page's own hidden field and the plan's digest."""
    desk = doors.fresh()
    page, send, path, who = (
        ("show_approval_page", "answer_approval_page", {"token": doors.link}, None)
        if which == "link"
        else ("show_gate_page", "answer_gate_page", {"closureId": doors.closure, "gate": "go-on"}, "ann:Approver")
    )
    fields = hidden(doors.ask(page, who=who, **path))
    good = {**fields, "decision": "approve", "comment": ""}
    form = {**good, **changes} if how else good
    if how == 2:
        desk.cookies["closure-csrf"] = "s3cret-cookie"
    raw = body if how == 3 else urlencode(form).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin}
    answer = doors.ask(send, who=who, raw=raw, headers=headers, **path)
    decided = doors.run(desk.ledger.decisions(doors.closure))

    assert (answer.status_code in (200, 303)) == (1 == len(decided))
    if decided:
        assert origin in ("", ADDRESS) and how < 2
        assert (fields["csrf"], doors.digest) == (form["csrf"], form["digest"].strip())


@fuzz(30)
@given(WORDS | st.text(max_size=50), st.sampled_from(["show_approval_page", "answer_approval_page"]))
def test_a_made_up_token_opens_nothing(doors: Office, token: str, name: str) -> None:
    """Whatever stands for a token: the same refusal as for one that was never made."""
    doors.fresh()
    answer = doors.ask(name, who=None, raw=b"", token=token)

    assert 404 == answer.status_code


READS = [route for route in ROUTES if route.method == "GET" and not route.link]
NAMES_OF = ("after", "top", "serial", "family", "shard", "q", "format", "verify", "v")
QUERIES = st.dictionaries(
    st.sampled_from(NAMES_OF), WORDS | st.sampled_from(["1", "0", "users", "csv", "true"]), max_size=4
)


@fuzz(74)
@given(st.sampled_from(READS), QUERIES, WORDS, st.booleans())
def test_any_query_and_path_is_answered(
    doors: Office, route: Any, query: dict[str, str], place: str, known: bool
) -> None:
    """Pages and documents with any closure, gate, day, file and query: shown, or refused with a sentence."""
    doors.fresh()
    path = {name: place for name in ("closureId", "tenantId", "gate", "day", "file") if f"{{{name}}}" in route.path}
    if known and "closureId" in path:
        path["closureId"] = doors.closure
    who = "olga:Operator,Auditor,Approver"
    answer = doors.ask(route.name, f"?{urlencode(query)}", who=who, **path)

    assert answer.status_code in (200, 400, 404)


STEERS = [route for route in ROUTES if route.body == "Comment"]


@fuzz(30)
@given(st.sampled_from(STEERS), BODIES | spoiled({"comment": "because"}).map(encoded), WORDS | st.just(""), WORDS)
def test_an_order_is_taken_or_refused(doors: Office, route: Any, body: bytes, place: str, task: str) -> None:
    """Pause, unpause, resume, abort, roll back and report with any comment, of any closure and any task."""
    doors.fresh()
    path = {"closureId": place or doors.closure, **({"taskId": task} if "{taskId}" in route.path else {})}
    answer = doors.ask(route.name, raw=body, **path)

    if 202 == answer.status_code:
        assert isinstance(json.loads(body).get("comment", ""), str)
        assert not place and "{taskId}" not in route.path


def test_the_good_ones_are_good(doors: Office) -> None:
    """What is spoiled above opens the doors as it is."""
    desk = doors.fresh()
    doors.run(desk.ledger.end(doors.closure, "aborted"))
    header = {"X-MS-CLIENT-PRINCIPAL": base64.b64encode(encoded(PRINCIPAL)).decode()}

    assert 202 == doors.ask("file_closure", who=None, body=request(), headers=header).status_code
    assert principal("olga:Operator")
    assert 404 == doors.ask("show_closure", closureId=quote("x")).status_code
