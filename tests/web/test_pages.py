"""Pages: readable with and without script, safe with hostile data."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tenantclosure import names, wiring
from tenantclosure.ledger import iso
from tenantclosure.model.approval_policy import ApprovalPolicy
from tenantclosure.model.people import Person
from tenantclosure.names import Phase
from tests.web.approval import ANN, NASTY, asked, plainly
from tests.web.rig import HOME, PEOPLE, Desk
from web.pages import FILES, HERE, asset, problem_page, render
from web.shown import LABELS, amounts, bar, left, plain, short, span

pytestmark = pytest.mark.usefixtures("desk")  # time left is told by the clock of the parts in force

TURNED = "invoice\u202egnp.exe"


class Outline(HTMLParser):
    """What a page holds: headings in order, links, fields and the ids that labels name."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.tags: list[str] = []
        self.fields: set[str] = set()
        self.labelled: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what we look for."""
        found = dict(attrs)
        self.tags.append(tag)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag in ("input", "textarea", "select") and found.get("type") != "hidden":
            self.fields.add(found.get("id") or "without an id")
        if tag == "label":
            self.labelled.add(found.get("for") or "")


async def _page(desk: Desk, name: str, query: str = "", **path: str) -> str:
    answer = await desk.call(name, query, who="ann:Auditor", **path)
    assert (200, "text/html") == (answer.status_code, answer.mimetype)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert ("nosniff", "DENY", "no-store") == tuple(
        answer.headers[name] for name in ("X-Content-Type-Options", "X-Frame-Options", "Cache-Control")
    )
    return answer.get_body().decode()


async def test_the_page_of_a_waiting_closure_says_who_is_missing(desk: Desk) -> None:
    """An open gate shows its people, its date and the digest, and where to decide."""
    closure, digest = await desk.at_gate()
    html = await _page(desk, "closure_page", closureId=closure)

    assert "cyd@fabrikam.com" in html
    assert digest in html
    assert "1 still missing" in html
    assert f'href="/closures/{closure}/gates/plan"' in html


async def test_a_live_page_looks_for_news_with_and_without_script(desk: Desk) -> None:
    """Our one script file keeps it fresh; where scripts are off the page loads itself again."""
    closure, _ = await desk.at_gate()
    html = await _page(desk, "closure_page", closureId=closure)

    assert 'data-live="5"' in html
    assert [asset("closure.js")] == re.findall(r'<script src="([^"]+)" defer></script>', html)
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in html
    assert 'data-news="Waiting for approval: Approve the plan"' in html


async def test_the_page_shows_progress_tasks_and_blockers(desk: Desk) -> None:
    """Counts, pace, exact steps and remedies are on one page."""
    closure, _ = await desk.with_task()
    await desk.planned(closure, users=1000)
    await desk.ledger.change(closure, lambda row: row.update(phase=Phase.USERS, status="running"))
    await desk.ledger.change(
        closure, lambda row: row["blockers"].append({"what": "sync", "why": "on", "remedy": "off!", "items": ["this"]})
    )
    await desk.ledger.set_mark(closure, f"started-{Phase.USERS}", 1, {})
    await desk.clock.sleep(100)
    await desk.ledger.note_shard(closure, 1, "users", "delete", 0, {"removed": 200})
    html = await _page(desk, "closure_page", closureId=closure)
    words = plainly(html)

    assert "200 of 1,000 2.0 a second · about 6 min 40 s left" in words
    assert "Open the admin centre." in words
    assert "Choose &lt;Cancel&gt;." in words
    assert "Billing administrator" in words
    assert '<a class="button second" href="https://admin.microsoft.com"' in html
    assert "off!" in words and "this" in words
    assert 'aria-label="200 of 1,000 gone"' in html


async def test_what_was_said_and_taken_back_is_told(desk: Desk) -> None:
    """Decisions stand with their comments and doors, a gate that opened again with its reason."""
    closure, digest = await desk.at_gate()
    word = {
        "gate": "plan",
        "serial": 1,
        "digest": digest,
        "decision": "approve",
        "comment": "fine\nby me",
        "via": "link",
    }
    await desk.ledger.decide(closure, word, ANN)
    again = {"at": iso(desk.clock.now()), "why": "ann@fabrikam.com took the approval back."}
    await desk.ledger.change_gate(closure, "plan", 1, lambda gate: gate["reopened"].append(again))
    words = plainly(await _page(desk, "closure_page", closureId=closure))

    assert "Ann Adler ann@fabrikam.com approved" in words
    assert "from a message fine by me" in words
    assert "Opened again: ann@fabrikam.com took the approval back." in words


async def test_an_approval_in_force_can_be_found_and_taken_back(desk: Desk) -> None:
    """While work runs the page leads to the gate that allowed it."""
    closure, _ = await desk.at_gate()
    doc, etag = await desk.ledger.tagged_gate(closure, "plan", 1) or ({}, "")
    await desk.ledger.close_gate(closure, doc, etag, "approved", [ANN.key], desk.clock.now())
    await desk.ledger.change(closure, lambda row: row.update(gate=None, status="running", phase=Phase.USERS))
    html = await _page(desk, "closure_page", closureId=closure)

    assert "is in force" in html
    assert f'href="/closures/{closure}/gates/plan">Look at it or take it back' in html


async def test_a_message_that_did_not_arrive_is_a_warning(desk: Desk) -> None:
    """Whoever looks sees whom nothing reached, and why."""
    closure, digest = await desk.at_gate()
    to = {"upn": "eve@fabrikam.com", "name": "Eve"}
    notice = {"noticeId": "n", "kind": "ask", "channel": "mail", "gate": "plan", "serial": 1, "digest": digest}
    await desk.ledger.add_notice(closure, {**notice, "to": to, "detail": {}})
    await desk.ledger.change_notice(closure, "n", lambda doc: doc.update(state="failed", why="no such mailbox"))
    words = plainly(await _page(desk, "closure_page", closureId=closure))

    assert "Messages that could not be delivered" in words
    assert "Eve eve@fabrikam.com by mail for “Approve the plan”: no such mailbox" in words


async def test_a_closed_deletion_window_says_when_it_opens(desk: Desk) -> None:
    """A closure that waits for its window names the hour; the rig's clock stands on a Sunday at noon."""
    closure = await desk.filed()
    hours = {"days": ["mon", "wed", "fri"], "from": "08:00", "to": "18:00", "timeZone": "UTC"}
    wiring.use(replace(desk.parts, policy=ApprovalPolicy.model_validate({"window": hours})))
    await desk.ledger.change(closure, lambda row: row.update(phase=Phase.USERS, status="waiting"))
    waits = plainly(await _page(desk, "closure_page", closureId=closure))
    await desk.ledger.change(closure, lambda row: row.update(status="running"))
    runs = plainly(await _page(desk, "closure_page", closureId=closure))

    assert "The deletion window is closed. It opens 2026-11-02 08:00 UTC" in waits
    assert "deletion window" not in runs


async def test_an_ended_closure_links_its_report_and_rests(desk: Desk) -> None:
    """Nothing refreshes any more; the report is one click away."""
    closure = await desk.filed()
    await desk.ledger.end(closure, "closed")
    html = await _page(desk, "closure_page", closureId=closure)

    assert "refresh" not in html and "<script" not in html and "data-live=" not in html
    assert f'href="/closures/{closure}/report"' in html


async def test_the_list_tells_of_gates_progress_and_refusals(desk: Desk) -> None:
    """Each closure in one card, then what the queues hold that nobody could use."""
    closure, _ = await desk.at_gate()
    problem = {"detail": "The message to eve could not be delivered: no.", "remedy": "Call her."}
    message = {"schema": 1, "closureId": closure, "noticeId": "n"}
    entry = {"message": json.dumps(message), "problem": problem, "at": iso(desk.clock.now())}
    await desk.records.enqueue(names.NOTICE_POISON_QUEUE, entry)
    await desk.records.enqueue(names.POISON_QUEUE, {"message": "{", "problem": {"detail": "No JSON."}, "at": None})
    html = await _page(desk, "closures_page")
    words = plainly(html)

    assert "Waits at “Approve the plan”, 7 d left" in words
    assert "Call her." in words and "No JSON." in words
    assert 2 == html.count(f'href="/closures/{closure}"')


async def test_nothing_from_outside_becomes_markup(desk: Desk) -> None:
    """Names, request, tasks, blockers, comments and queue messages are text; links only lead to web addresses."""
    closure, digest = await desk.at_gate()
    task = {"taskId": "t", "kind": "x", "target": "x", "title": NASTY, "steps": [NASTY], "link": "javascript:alert(1)"}
    await desk.ledger.open_task(closure, {**task, "instance": "i", "who": NASTY, "why": NASTY, "warning": NASTY})
    blocker = {"what": NASTY, "why": NASTY, "remedy": NASTY, "items": [NASTY], "who": NASTY, "earliest": NASTY}
    await desk.ledger.change(closure, lambda row: row["blockers"].append(blocker))
    await desk.ledger.change(closure, lambda row: row.update(displayName=NASTY))
    await desk.ledger.change(closure, lambda row: row["request"].update(reason=NASTY))
    word = {"gate": "plan", "serial": 1, "digest": digest, "decision": "approve", "comment": NASTY, "via": "api"}
    await desk.ledger.decide(closure, word, Person(HOME, PEOPLE["ann"], NASTY, NASTY))
    await desk.records.enqueue(names.POISON_QUEUE, {"x": NASTY})
    pages = [
        await _page(desk, "closure_page", closureId=closure),
        await _page(desk, "closures_page"),
        render("approval.html", **asked(problem=NASTY, comment=NASTY, reason=NASTY, mine=None)),
    ]

    for html in pages:
        assert "<script>alert" not in html and "<img src=x" not in html
        assert "javascript:" not in html
        assert "&lt;script&gt;" in html


async def test_names_that_turn_the_line_around_are_fenced_in(desk: Desk) -> None:
    """A direction override stays within its own element; titles and labels lose it."""
    closure = await desk.filed()
    await desk.ledger.change(closure, lambda row: row.update(displayName=TURNED))
    html = await _page(desk, "closure_page", closureId=closure)

    assert f"<h1><bdi>{TURNED}</bdi></h1>" in html
    assert "\u202e" not in re.sub(r"<bdi>.*?</bdi>", "", html, flags=re.DOTALL)
    assert "invoice gnp.exe" in html


async def test_endless_names_are_cut(desk: Desk) -> None:
    """Ten thousand characters become two hundred."""
    closure = await desk.filed()
    await desk.ledger.change(closure, lambda row: row.update(displayName="x" * 10_000))
    html = await _page(desk, "closure_page", closureId=closure)

    assert "x" * 199 + "…" in html
    assert "x" * 200 not in html


async def test_the_report_page_hands_out_the_stored_report(desk: Desk) -> None:
    """Before the end it says when there will be one; afterwards it is the report, in its sandbox."""
    closure = await desk.filed()
    early = await desk.call("report_page", who="ann:Auditor", closureId=closure)
    await desk.records.write_blob(names.report_path(closure, "html"), b"<h1>done</h1>")
    late = await desk.call("report_page", who="ann:Auditor", closureId=closure)

    assert (404, True) == (early.status_code, b"no report yet" in early.get_body())
    assert (200, b"<h1>done</h1>") == (late.status_code, late.get_body())
    assert "sandbox" in late.headers["Content-Security-Policy"]


async def test_a_missing_closure_is_a_page_too(desk: Desk) -> None:
    """People get the problem in words, not JSON."""
    for name in ("closure_page", "report_page", "plan_page"):
        answer = await desk.call(name, closureId="<b>none</b>")

        assert (404, "text/html") == (answer.status_code, answer.mimetype)
        assert b"<b>none" not in answer.get_body()


def test_a_sign_in_leads_back_to_where_one_was() -> None:
    """Whoever is not signed in finds the way in on the problem's page."""
    document = {"type": "x", "title": "Not signed in", "status": 401, "detail": "Nobody is.", "remedy": "Sign in."}
    link = "/.auth/login/aad?post_login_redirect_uri="

    html = problem_page({**document, "signIn": f"{link}%2Fclosures%2Fc-1"}).get_body().decode()
    assert f'href="{link}%2Fclosures%2Fc-1"' in html
    assert f'href="{link}/closures"' in problem_page(document).get_body().decode()


async def test_pages_read_well_for_everyone(desk: Desk) -> None:
    """One h1, no heading level left out, landmarks, every field with a label, no inline style or script."""
    closure, _ = await desk.at_gate()
    await desk.planned(closure, users=3)
    await desk.records.write_blob(names.shard_path(closure, 1, "users", 0), b'{"id":"1","name":"a"}\n')
    document = {"title": "No", "status": 404, "detail": "None.", "remedy": "Look."}
    pages = [
        await _page(desk, "closure_page", closureId=closure),
        await _page(desk, "closures_page"),
        await _page(desk, "plan_page", closureId=closure),
        render("approval.html", **asked(needs_domain=True)),
        problem_page(document).get_body().decode(),
    ]
    for html in pages:
        found = Outline(html)

        assert 1 == found.headings.count(1) and found.headings[0] == 1, found.headings
        assert all(b - a <= 1 for a, b in zip(found.headings, found.headings[1:], strict=False)), found.headings
        assert {"header", "main", "footer"} <= set(found.tags)
        assert found.fields == found.labelled & found.fields
        assert not re.search(r"<style|\sstyle=|\son\w+=", html)
        assert not re.search(r"<script(?! src=\"/static/closure\.js\?v=\w{8}\" defer></script>)", html)


async def test_only_the_known_static_files_are_handed_out(desk: Desk) -> None:
    """A name from outside never becomes a path."""
    for name, media in FILES.items():
        given = await desk.call("static_file", who=None, file=name)

        assert (200, media) == (given.status_code, given.mimetype)
        assert (HERE / "static" / name).read_bytes() == given.get_body()
    climb = await desk.call("static_file", who=None, file="../pages.py")
    assert 404 == climb.status_code


def test_every_phase_has_words() -> None:
    """No phase shows up without a label."""
    assert set(Phase) == set(LABELS)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (3700, "1 h 1 min"), (90061, "1 d 1 h"), (-3, "0 s")]
)
def test_time_left_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    """Nobody needs the seconds of a day."""
    assert text == span(seconds)


def test_a_date_that_has_passed_says_so(desk: Desk) -> None:
    """Nobody is told that nothing is left of the time."""
    assert "the time is up" == left("2026-10-31T12:00:00.000Z", desk.clock.now())


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({}, "nothing"),
        ({"users": 1}, "1 user"),
        ({"users": 2000, "domains": 0, "applications": 1}, "2,000 users and 1 app registration"),
        ({"users": 2, "domains": 3, "subscriptions": 4}, "2 users, 3 domains and 4 subscriptions"),
    ],
)
def test_a_plan_is_told_in_one_breath(counts: dict[str, int], text: str) -> None:
    """Numbers with their family, joined as people speak."""
    assert text == amounts({"family": family, "count": count} for family, count in counts.items())


def test_texts_are_cut_and_cleaned() -> None:
    """Cutting says so; titles hold no controls, direction marks or halves of characters."""
    assert ("abc", "ab…") == (short("abc", 3), short("abcd", 3))
    assert "a b c" == plain("a\u202eb\n\ud800c\x00")


def test_text_that_utf8_can_not_hold_does_not_break_a_page() -> None:
    """A lone surrogate in a name is shown as a question mark."""
    given = asked()
    given["view"]["displayName"] = "half \ud800"

    assert "half ?" in render("approval.html", **given)


def test_a_bar_shows_even_the_smallest_part() -> None:
    """One failure in ten thousand can be seen, and no bar is longer than its place."""
    empty = dict.fromkeys(("planned", "removed", "absent", "kept", "refused", "failed"), 0)
    small = bar("users", {**empty, "planned": 10_000, "removed": 9_999, "failed": 1})

    assert (297.0, 3.0) == (small["gone"], small["stuck"])
    assert (0.0, 0.0) == (bar("users", empty)["gone"], bar("users", empty)["stuck"])
