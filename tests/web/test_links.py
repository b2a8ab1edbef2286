"""Links in messages and the gate's page: who sees what, who decides, once, and every kind of bad link."""

from __future__ import annotations

import hashlib
import html
import json
from datetime import timedelta
from typing import Any

import azure.functions as func
import pytest

from tenantclosure import names
from tenantclosure.ledger import iso
from tenantclosure.model.approval_policy import ApprovalPolicy
from tests.web.rig import ADDRESS, ELSEWHERE, HOME, PEOPLE, TARGET, Desk, hidden, principal

NASTY = '"><script>alert(1)</script><img src=x onerror=y>'


async def _open(desk: Desk, token: str, who: str | None = None, **headers: str) -> func.HttpResponse:
    return await desk.call("show_approval_page", who=who, headers=headers, token=token)


async def _send(
    desk: Desk, token: str, form: dict[str, str], who: str | None = None, **headers: str
) -> func.HttpResponse:
    return await desk.call("answer_approval_page", who=who, form=form, headers=headers, token=token)


async def _answer(
    desk: Desk, token: str, word: str = "approve", who: str | None = None, **more: str
) -> func.HttpResponse:
    """Open the link and send its form, as a browser does."""
    page = await _open(desk, token, who)
    assert 200 == page.status_code, page.get_body()
    form = {**hidden(page), "decision": word, "comment": "", **more}
    return await _send(desk, token, form, who)


async def _blind(desk: Desk, token: str, who: str | None = None) -> func.HttpResponse:
    """Send a form without having seen one; only the page's own rules can answer then."""
    return await _send(desk, token, {"decision": "approve", "csrf": "0" * 64}, who)


def _says(answer: func.HttpResponse) -> str:
    return " ".join(html.unescape(answer.get_body().decode()).split())


async def test_the_addressee_sees_a_summary_without_signing_in(desk: Desk) -> None:
    """Domain, digest, counts and date are there; no names out of the tenant, no comments, no way to the full list."""
    closure, digest = await desk.at_gate()
    await desk.call(
        "decide_at_gate",
        who="cyd:Approver",
        body={"decision": "approve", "digest": digest, "comment": "between us"},
        closureId=closure,
        gate="plan",
    )
    item = {"id": "u9", "name": "Grace Newcomer", "upn": "grace@contoso.com"}
    told = {"from": 0, "to": 1, "families": {"users": {"added": 1, "gone": 0, "items": [item]}}}
    await desk.records.write_blob(names.difference_path(closure, 1), json.dumps(told).encode())
    page = await _open(desk, await desk.link(closure, digest))
    signed_in = await _open(desk, await desk.link(closure, digest), "ann:Approver")

    assert (200, "text/html") == (page.status_code, page.mimetype)
    assert "contoso.onmicrosoft.com" in _says(page) and digest in _says(page)
    for secret in ("Grace Newcomer", "between us", f"/closures/{closure}/plan"):
        assert secret not in _says(page)
        assert secret in _says(signed_in)


@pytest.mark.parametrize("gate", ["plan", "delete-tenant"])
async def test_where_much_is_at_stake_a_link_alone_decides_nothing(desk: Desk, gate: str) -> None:
    """The page has no form but a way to sign in, which carries no token along; a form sent anyway is refused."""
    closure, digest = await desk.at_gate(gate)
    token = await desk.link(closure, digest, gate=gate)
    page = await _open(desk, token)
    signed_in = hidden(await _open(desk, token, "ann:Approver"))
    form = {**signed_in, "decision": "approve", "comment": "", "domain": "contoso.onmicrosoft.com"}
    answer = await _send(desk, token, form)

    assert "<form" not in _says(page)
    assert f"post_login_redirect_uri=%2Fclosures%2F{closure}%2Fgates%2F{gate}" in _says(page)
    assert token not in _says(page).partition("/.auth/login")[2][:300]
    assert (403, []) == (answer.status_code, await desk.ledger.decisions(closure))
    assert [("sign-in-needed", "ann", gate)] == await desk.refusals(closure)


async def test_the_addressee_decides_after_signing_in(desk: Desk) -> None:
    """One decision with the person's own word, bound to serial and digest; the page says what was decided."""
    closure, digest = await desk.at_gate()
    answer = await _answer(desk, await desk.link(closure, digest), who="ann:Approver", comment="agreed")
    (said,) = await desk.ledger.decisions(closure)

    assert 200 == answer.status_code
    assert ("approve", "agreed", "link", 1, digest) == tuple(
        said[key] for key in ("decision", "comment", "via", "serial", "digest")
    )
    assert PEOPLE["ann"] == said["person"]["objectId"]
    assert "on record" in _says(answer)
    assert (f"{closure}-e1:0001", "wake") in desk.client.raised


async def test_at_go_on_the_link_suffices(desk: Desk) -> None:
    """What was approved already goes on by the word of whoever holds the link."""
    closure, digest = await desk.at_gate("go-on")
    answer = await _answer(desk, await desk.link(closure, digest, gate="go-on"), "veto")
    (said,) = await desk.ledger.decisions(closure)

    assert 200 == answer.status_code
    assert ("veto", "link", PEOPLE["ann"]) == (said["decision"], said["via"], said["person"]["objectId"])


async def test_somebody_never_looked_up_has_to_sign_in_everywhere(desk: Desk) -> None:
    """Without an account behind the name a link is nobody's word, not even at go-on."""
    desk.equip(people=None)
    named = {"tenantId": HOME, "objectId": "", "upn": "ann@fabrikam.com", "name": "", "mail": ""}
    groups = {"it": {"quorum": 1, "people": [named], "deputies": []}}
    closure, digest = await desk.at_gate("go-on", groups=groups, distinct=1)
    token = await desk.link(closure, digest, gate="go-on", person=named)

    assert "<form" not in _says(await _open(desk, token))
    assert 200 == (await _answer(desk, token, who="ann:Approver")).status_code


async def test_the_last_gate_asks_for_the_domain(desk: Desk) -> None:
    """A mistyped domain shows the page again with fault and comment; the link is still good for the right one."""
    closure, digest = await desk.at_gate("delete-tenant")
    token = await desk.link(closure, digest, gate="delete-tenant")
    wrong = await _answer(desk, token, who="ann:Approver", domain="contoso.com", comment="now & here")
    right = await _answer(desk, token, who="ann:Approver", domain="contoso.onmicrosoft.com")

    assert (400, 200) == (wrong.status_code, right.status_code)
    assert "typed domain" in _says(wrong) and "now & here" in _says(wrong)
    assert [("domain-differs", "ann", "delete-tenant")] == await desk.refusals(closure)
    assert 1 == len(await desk.ledger.decisions(closure))


async def test_a_long_comment_is_a_clear_page_and_decides_nothing(desk: Desk) -> None:
    """Ten thousand characters are refused above the form; the link stays unused."""
    closure, digest = await desk.at_gate()
    token = await desk.link(closure, digest)
    answer = await _answer(desk, token, who="ann:Approver", comment="x" * 10000)
    link = await desk.ledger.link(hashlib.sha256(token.encode()).hexdigest())

    assert (400, "text/html") == (answer.status_code, answer.mimetype)
    assert "longer than 2000 characters" in _says(answer)
    assert link is not None and link["usedAt"] is None
    assert [("invalid-request", "ann", "plan")] == await desk.refusals(closure)


@pytest.mark.parametrize("token", ["x" * 43, "", "short", "../../etc/passwd", "ä" * 43, "\x00", "x" * 5000])
async def test_a_forged_or_malformed_link_is_unknown(desk: Desk, token: str) -> None:
    """Both look the same; trying to decide with one is recorded where it begins no chain of its own, without it."""
    await desk.at_gate()
    writes = list(desk.records.writes)
    shown = await _open(desk, token)
    unwritten = writes == desk.records.writes
    sent = await _blind(desk, token)
    never_made = await _open(desk, "y" * 43)
    day = b"".join(await desk.ledger.audit_lines(f"doors-{desk.clock.moment:%Y-%m-%d}"))

    assert unwritten
    assert (404, 404) == (shown.status_code, sent.status_code)
    assert never_made.get_body() == shown.get_body()
    assert [("unknown-link", "", "")] == await desk.refusals()
    assert not token or token.encode() not in day


async def test_an_expired_link_says_where_to_go(desk: Desk) -> None:
    """410 on look and on word, with the gate's own page as the way."""
    closure, digest = await desk.at_gate("go-on")
    token = await desk.link(closure, digest, gate="go-on", expiresAt=iso(desk.clock.now() + timedelta(hours=1)))
    form = {**hidden(await _open(desk, token)), "decision": "approve"}
    await desk.clock.sleep(3601)
    shown, sent = await _open(desk, token), await _send(desk, token, form)

    assert (410, 410) == (shown.status_code, sent.status_code)
    assert f"/closures/{closure}/gates/go-on" in _says(shown)
    assert ([], [("link-expired", "ann", "go-on")]) == (
        await desk.ledger.decisions(closure),
        await desk.refusals(closure),
    )


async def test_a_used_link_says_what_was_decided_and_decides_no_more(desk: Desk) -> None:
    """Looking again is fine; a second word is refused, and the way to change one's mind is named."""
    closure, digest = await desk.at_gate("go-on")
    token = await desk.link(closure, digest, gate="go-on")
    form = {**hidden(await _open(desk, token)), "decision": "approve"}
    await _send(desk, token, form)
    again = await _send(desk, token, {**form, "decision": "veto"})
    await desk.close(closure, "go-on", "approved")
    later = await _send(desk, token, {**form, "decision": "veto"})
    shown = await _open(desk, token)

    assert (200, 409, 409) == (shown.status_code, again.status_code, later.status_code)
    assert "approved" in _says(shown) and f"/closures/{closure}/gates/go-on" in _says(shown)
    assert f"/closures/{closure}/gates/go-on" in _says(again)
    assert ["approve"] == [d["decision"] for d in await desk.ledger.decisions(closure)]
    assert [("link-used", "ann", "go-on")] * 2 == await desk.refusals(closure)


async def test_of_two_words_at_once_one_wins(desk: Desk) -> None:
    """The link is used up exactly once, after all checks; the other gets the page of a used link."""
    closure, digest = await desk.at_gate("go-on")
    token = await desk.link(closure, digest, gate="go-on")
    form = {**hidden(await _open(desk, token)), "decision": "approve"}
    use_link, other = desk.ledger.use_link, []

    async def overtaken(*arguments: Any) -> bool:
        if not other:
            other.append(None)
            other.append(await _send(desk, token, {**form, "decision": "veto"}))
        return await use_link(*arguments)

    desk.ledger.use_link = overtaken  # type: ignore[method-assign]
    answer = await _send(desk, token, form)

    assert (409, 200) == (answer.status_code, other[1].status_code)
    assert ["veto"] == [d["decision"] for d in await desk.ledger.decisions(closure)]


async def test_a_link_that_was_used_without_a_word_does_not_claim_one(desk: Desk) -> None:
    """After a crash between the two writes the page tells the truth: nothing was decided."""
    closure, digest = await desk.at_gate("go-on")
    token = await desk.link(closure, digest, gate="go-on")
    await desk.ledger.use_link(hashlib.sha256(token.encode()).hexdigest(), "approve")
    page = await _open(desk, token)

    assert 409 == page.status_code
    assert "no decision of yours is on record" in _says(page)


async def test_a_link_over_an_older_plan_says_that_there_is_a_newer_one(desk: Desk) -> None:
    """What was asked about the old plan is no answer to the new one."""
    closure, digest = await desk.at_gate("go-on")
    token = await desk.link(closure, digest, gate="go-on")
    form = {**hidden(await _open(desk, token)), "decision": "approve"}
    await desk.ledger.change(closure, lambda row: row.update(planSerial=2, digest="e" * 64, gate=None))
    await desk.open(closure, "go-on", "e" * 64, serial=2)
    shown, sent = await _open(desk, token), await _send(desk, token, form)

    assert (409, 409) == (shown.status_code, sent.status_code)
    assert "the plan has changed" in _says(shown)
    assert [("newer-plan", "ann", "go-on")] == await desk.refusals(closure)
    assert [] == await desk.ledger.decisions(closure)


@pytest.mark.parametrize(("state", "status"), [("approved", 409), ("vetoed", 410), ("expired", 410)])
async def test_a_link_to_a_closed_gate_says_what_it_came_to(desk: Desk, state: str, status: int) -> None:
    """The others have decided meanwhile; the page says so and takes no word."""
    closure, digest = await desk.at_gate("go-on")
    token = await desk.link(closure, digest, gate="go-on")
    form = {**hidden(await _open(desk, token)), "decision": "approve"}
    await desk.close(closure, "go-on", state)
    shown, sent = await _open(desk, token), await _send(desk, token, form)

    assert (status, status) == (shown.status_code, sent.status_code)
    assert state in _says(shown)
    assert [] == await desk.ledger.decisions(closure)


async def test_a_link_to_an_ended_closure_says_how_it_ended(desk: Desk) -> None:
    """Nothing is left to decide."""
    closure, digest = await desk.at_gate("go-on")
    token = await desk.link(closure, digest, gate="go-on")
    await desk.ledger.end(closure, "aborted")
    page = await _open(desk, token)

    assert 410 == page.status_code
    assert "ended (aborted)" in _says(page)


async def test_a_link_of_another_closure_decides_nothing_here(desk: Desk) -> None:
    """The form of one closure's page, sent to another's link, is not that page's form; its digest is another's too."""
    first, digest = await desk.at_gate("go-on")
    one = await desk.link(first, digest, gate="go-on")
    form = {**hidden(await _open(desk, one)), "decision": "approve"}
    await desk.ledger.end(first, "aborted")
    second, other = await desk.at_gate("go-on")
    two = await desk.link(second, other, gate="go-on")
    foreign = await _send(desk, two, form)
    mixed = await _send(desk, two, {**hidden(await _open(desk, two)), "digest": digest, "decision": "approve"})

    assert (403, 409) == (foreign.status_code, mixed.status_code)
    assert ([], []) == (await desk.ledger.decisions(first), await desk.ledger.decisions(second))
    assert [("stale-form", "ann", "go-on"), ("digest-differs", "ann", "go-on")] == await desk.refusals(second)


@pytest.mark.parametrize("gate", ["plan", "go-on"])
async def test_another_persons_link_decides_nothing(desk: Desk, gate: str) -> None:
    """Bob, signed in, sees whose page it is; his form is refused in his name and the link stays good for ann."""
    closure, digest = await desk.at_gate(gate)
    token = await desk.link(closure, digest, gate=gate)
    page = await _open(desk, token, "bob:Approver")
    form = {**hidden(await _open(desk, token, "ann:Approver")), "decision": "approve"}
    answer = await _send(desk, token, form, "bob:Approver")

    assert "<form" not in _says(page)
    assert (403, []) == (answer.status_code, await desk.ledger.decisions(closure))
    assert [("other-person", "bob", gate)] == await desk.refusals(closure)
    assert 200 == (await _answer(desk, token, who="ann:Approver")).status_code


async def test_the_same_name_in_another_tenant_is_another_person(desk: Desk) -> None:
    """Tenant and object id make the addressee, not the address."""
    closure, digest = await desk.at_gate()
    token = await desk.link(closure, digest)
    form = {**hidden(await _open(desk, token, "ann:Approver")), "decision": "approve"}
    for header in (principal("ann:Approver", tenant=ELSEWHERE), principal("eve:Approver", upn="ann@fabrikam.com")):
        answer = await _send(desk, token, form, **{"X-MS-CLIENT-PRINCIPAL": header})
        assert 403 == answer.status_code

    assert ["other-person", "other-person"] == [why for why, _, _ in await desk.refusals(closure)]
    assert [] == await desk.ledger.decisions(closure)


async def test_the_addressee_needs_the_role_as_well(desk: Desk) -> None:
    """A link makes nobody an approver whom the administrator has not made one."""
    closure, digest = await desk.at_gate()
    token = await desk.link(closure, digest)
    page = await _open(desk, token, "ann:Auditor")
    form = {**hidden(await _open(desk, token, "ann:Approver")), "decision": "approve"}

    assert "<form" not in _says(page)
    assert 403 == (await _send(desk, token, form, "ann:Auditor")).status_code
    assert [("role-missing", "ann", "plan")] == await desk.refusals(closure)


async def test_a_link_gets_past_no_rule_of_the_gate(desk: Desk) -> None:
    """Removed from the policy, account disabled, operator of the closure: refused, and the link is not used up."""
    closure, digest = await desk.at_gate("go-on")
    token = await desk.link(closure, digest, gate="go-on")
    form = {**hidden(await _open(desk, token)), "decision": "approve"}
    policy, known = desk.parts.policy, desk.people.accounts.pop("ann@fabrikam.com")
    gone = await _send(desk, token, form)
    desk.people.accounts["ann@fabrikam.com"] = known
    desk.equip(policy=ApprovalPolicy(groups={"it": ["bob@fabrikam.com"], "owner": ["cyd@fabrikam.com"]}))
    removed = await _send(desk, token, form)
    desk.equip(policy=policy)
    await desk.call("pause_closure", who="ann:Operator", body={}, closureId=closure)
    steered = await _send(desk, token, form)
    page = await _open(desk, token)

    assert (403, 403, 403) == (gone.status_code, removed.status_code, steered.status_code)
    assert ["approver-removed", "approver-removed", "operator-decides"] == [
        w for w, _, _ in await desk.refusals(closure)
    ]
    assert "You steered this closure" in _says(page) and "<form" not in _says(page)
    link = await desk.ledger.link(hashlib.sha256(token.encode()).hexdigest())
    assert link is not None and link["usedAt"] is None


async def test_looking_writes_nothing(desk: Desk) -> None:
    """GET of every page an approver can open leaves Records as they were, also when a scanner says it prefetches."""
    closure, digest = await desk.at_gate()
    tokens = [await desk.link(closure, digest, name) for name in ("ann", "bob", "cyd")]
    tokens.append(await desk.link(closure, digest, gate="plan", expiresAt=iso(desk.clock.now())))
    writes, documents = list(desk.records.writes), dict(desk.records.documents)
    for token in (*tokens, "z" * 43):
        for who in (None, "ann:Approver", "eve:Auditor"):
            for headers in ({}, {"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}):
                await _open(desk, token, who, **headers)
    await desk.call("show_gate_page", who="ann:Approver", closureId=closure, gate="plan")
    await desk.call("show_gate_page", who="eve:Auditor", closureId=closure, gate="plan")

    assert (writes, documents) == (desk.records.writes, desk.records.documents)
    assert [] == await desk.ledger.decisions(closure)


async def test_a_crawler_that_posts_what_it_finds_decides_nothing_at_the_plan(desk: Desk) -> None:
    """Fetching, following and even submitting forms without the person's session brings no decision."""
    closure, digest = await desk.at_gate()
    token = await desk.link(closure, digest)
    page = await _open(desk, token)
    for form in (hidden(page), {**hidden(page), "decision": "approve"}, {"decision": "approve", "digest": digest}):
        assert 403 == (await _send(desk, token, form, **{"Sec-Fetch-Site": "none"})).status_code

    assert [] == await desk.ledger.decisions(closure)


async def test_a_wrong_sign_in_opens_no_link(desk: Desk) -> None:
    """A token that does not hold is told so instead of being taken for nobody."""
    closure, digest = await desk.at_gate("go-on")
    token = await desk.link(closure, digest, gate="go-on")

    assert 401 == (await _open(desk, token, Authorization="Bearer forged")).status_code


async def test_the_gates_page_shows_my_last_word_and_takes_another(desk: Desk) -> None:
    """Approved on the page, taken back on the page while the approval is in force."""
    closure, _ = await desk.approved()
    page = await desk.call("show_gate_page", who="ann:Approver", closureId=closure, gate="plan")
    form = {**hidden(page), "decision": "revoke", "comment": "second thoughts"}
    answer = await desk.call("answer_gate_page", who="ann:Approver", form=form, closureId=closure, gate="plan")
    gate = await desk.ledger.gate(closure, "plan", 1)

    assert "You approved" in _says(page)
    assert 303 == answer.status_code
    assert gate is not None and gate["state"] == "open"


async def test_a_mistyped_answer_on_the_gates_page_is_shown_again(desk: Desk) -> None:
    """The fault stands above the form, and the attempt in the record."""
    closure, _ = await desk.at_gate("delete-tenant")
    gate = {"closureId": closure, "gate": "delete-tenant"}
    form = {**hidden(await desk.call("show_gate_page", who="ann:Approver", **gate)), "decision": "approve"}
    answer = await desk.call("answer_gate_page", who="ann:Approver", form=form, **gate)

    assert 400 == answer.status_code
    assert "typed domain" in _says(answer)
    assert [("domain-differs", "ann", "delete-tenant")] == await desk.refusals(closure)


@pytest.mark.parametrize(
    ("who", "says"),
    [("eve:Approver", "not among the approvers"), ("olga:Approver", "You filed this request")],
)
async def test_who_may_not_decide_sees_why_and_no_form(desk: Desk, who: str, says: str) -> None:
    """An approver of other gates may look at this one."""
    closure, _ = await desk.at_gate()
    page = await desk.call("show_gate_page", who=who, closureId=closure, gate="plan")

    assert 200 == page.status_code
    assert says in _says(page) and "<form" not in _says(page)


async def test_a_gate_that_never_opened_has_no_page(desk: Desk) -> None:
    """404 for the gate ahead, for no gate at all and for no closure."""
    closure, _ = await desk.at_gate()
    answers = [
        await desk.call("show_gate_page", who="ann:Approver", closureId=where, gate=gate)
        for where, gate in ((closure, "go-on"), (closure, "sesame"), (f"{TARGET}-9", "plan"))
    ]

    assert [404, 404, 404] == [answer.status_code for answer in answers]


async def test_a_closed_gate_is_shown_without_a_form(desk: Desk) -> None:
    """What was vetoed can be read and not be changed."""
    closure, _ = await desk.at_gate()
    await desk.close(closure, "plan", "vetoed")
    page = await desk.call("show_gate_page", who="ann:Approver", closureId=closure, gate="plan")

    assert 200 == page.status_code
    assert "<form" not in _says(page)


async def test_nothing_from_outside_becomes_markup(desk: Desk) -> None:
    """Names of tenant, people, groups, items, comments and reasons are shown as text, wherever they stand."""
    named = {"tenantId": "", "objectId": PEOPLE["bob"], "upn": NASTY, "name": NASTY, "mail": NASTY}
    ann = {**named, "tenantId": HOME, "objectId": PEOPLE["ann"]}
    groups = {NASTY: {"quorum": 1, "people": [ann, named], "deputies": []}}
    closure, digest = await desk.at_gate("go-on", groups=groups, distinct=1, limits=[NASTY])
    told = {"from": 0, "to": 1, "families": {"users": {"added": 1, "gone": 0, "items": [_item()]}}}
    await desk.records.write_blob(names.difference_path(closure, 1), json.dumps(told).encode())
    await desk.ledger.change(
        closure,
        lambda row: row.update(
            displayName=NASTY, initialDomain=NASTY, keeper=NASTY, requester={"upn": NASTY + "2", "name": NASTY}
        ),
    )
    await desk.ledger.change(closure, lambda row: row["request"].update(reason=NASTY))
    desk.equip(people=None)
    token = await desk.link(closure, digest, gate="go-on", person=ann)
    pages = [
        await _open(desk, token),
        await _open(desk, token, "ann:Approver"),
        await _open(desk, token, "bob:Approver"),
        await _answer(desk, token, comment=NASTY * 60),
        await _answer(desk, token, comment=NASTY),
        await _open(desk, token),
        await desk.call("show_gate_page", who="ann:Approver", closureId=closure, gate="go-on"),
        await desk.call("show_gate_page", who="ann:Approver", closureId=NASTY, gate=NASTY),
        await _open(desk, NASTY),
    ]

    assert [200, 200, 200, 400, 200, 200, 200, 404, 404] == [page.status_code for page in pages]
    for page in pages:
        body = page.get_body().decode()
        assert "<script>" not in body and "<img src=x" not in body


def _item() -> dict[str, str]:
    return {"id": NASTY, "name": NASTY, "upn": NASTY}


async def test_the_token_stands_nowhere_but_on_the_addressees_page(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """Records, audit, queues and logs hold neither the token nor, but for the link itself, its hash."""
    caplog.set_level("DEBUG")
    closure, digest = await desk.at_gate("go-on")
    token = await desk.link(closure, digest, gate="go-on")
    token_hash = hashlib.sha256(token.encode()).hexdigest()
    await _blind(desk, token)
    await _answer(desk, token)
    await _blind(desk, token)
    await _blind(desk, token[:-1] + "y")
    kept = [text for (partition, _), (text, _) in desk.records.documents.items() if partition != "link"]
    everything = " ".join([*kept, *(blob.decode() for blob in desk.records.blobs.values()), caplog.text])

    assert token not in everything
    assert token_hash not in everything


async def test_pages_of_links_are_kept_and_framed_by_nobody(desk: Desk) -> None:
    """No cache keeps them, no other site learns their address or frames them."""
    closure, digest = await desk.at_gate()
    page = await _open(desk, await desk.link(closure, digest))

    assert ("no-store", "DENY", "same-origin", "nosniff") == tuple(
        page.headers[name] for name in ("Cache-Control", "X-Frame-Options", "Referrer-Policy", "X-Content-Type-Options")
    )
    assert ADDRESS not in _says(page)
