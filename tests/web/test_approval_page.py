"""The approver's page and the one after it: what is asked, what can be said, who may say it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.web.approval import asked, plainly
from web.pages import render

pytestmark = pytest.mark.usefixtures("desk")  # time left is told by the clock of the parts in force


def test_the_approver_reads_what_is_asked_in_one_sentence() -> None:
    """Counts by family, the tenant's name, its id and the date; families without items are left out."""
    words = plainly(render("approval.html", **asked()))
    last = asked()
    last["gate"]["name"] = "delete-tenant"

    assert "Approve deleting 2,000 users and 1 domain of Contoso" in words
    assert "contoso.com 0b0a" in words
    assert "Answer by 2026-11-08 12:00 UTC" in words
    assert "A deleted tenant does not come back." in words
    assert "Approve deleting the tenant Contoso itself, for good" in plainly(render("approval.html", **last))


def test_the_approver_sees_who_has_decided_and_what_it_binds_to() -> None:
    """Quorum, comments, digest and audit head are on the page; so is the picture in words."""
    html = render("approval.html", **asked())
    words = plainly(html)

    assert "it 2 of 2 must agree 1 still missing" in words
    assert "Ann Adler ann@fabrikam.com approved 2026-11-08 12:00 UTC Checked with HR." in words
    assert "d" * 64 in words and "e" * 64 in words
    assert 'aria-label="Users: 2,000"' in html
    assert 'href="/closures/c-1/plan?serial=2"' in html


def test_the_form_asks_for_one_of_two_words_and_sends_what_it_showed() -> None:
    """Approve or veto, nothing chosen beforehand; serial, digest and the hidden field go along."""
    html = render("approval.html", **asked())

    assert ["approve", "veto"] == re.findall(r'type="radio"[^>]* value="(\w+)"', html)
    assert "checked" not in html
    sent = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', html))
    assert {"csrf": "secret", "serial": "2", "digest": "d" * 64} == sent
    assert '<form method="post" action="/approvals/t">' in html
    assert 'maxlength="2000"' in html
    assert 'name="domain"' not in html


def test_an_approval_of_mine_can_be_taken_back() -> None:
    """Whoever approved is offered to revoke or to veto, not to approve again."""
    mine = {"decision": "approve", "at": "2026-11-02T12:00:00.000Z", "comment": "mine"}
    html = render("approval.html", **asked(mine=mine, needs_domain=True))

    assert ["revoke", "veto"] == re.findall(r'type="radio"[^>]* value="(\w+)"', html)
    assert "You approved this, 2026-11-02 12:00 UTC." in plainly(html)
    assert 'name="domain"' not in html


def test_the_last_gate_asks_for_the_domain_by_name() -> None:
    """The exact name is shown; browsers neither fill it in nor change it."""
    html = render("approval.html", **asked(needs_domain=True))

    assert "To approve, type the domain contoso.com" in plainly(html)
    assert re.search(r'<input id="domain" name="domain" type="text" autocomplete="off"[^>]* value="">', html)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"signed_in": False, "may_decide": False, "why_not": "Sign in, please."}, "Sign in, please."),
        ({"must_sign_in": False, "may_decide": False, "why_not": "You filed this request."}, "You filed this request."),
    ],
)
def test_who_may_not_decide_gets_no_form(changes: dict[str, Any], words: str) -> None:
    """The reason stands in the form's place, with the way to sign in where that helps."""
    html = render("approval.html", **asked(**changes))

    assert "<form" not in html
    assert words in html
    assert changes.get("signed_in", True) == ("Sign in to decide" not in html)


def test_a_problem_is_told_at_once_and_the_comment_is_kept() -> None:
    """What has to be put right stands above the form as an alert."""
    html = render("approval.html", **asked(problem="The comment is too long.", comment="my words"))
    alert = html.index('role="alert"')

    assert alert < html.index("The comment is too long.") < html.index("<form")
    assert ">my words</textarea>" in html


def test_a_plan_that_grew_shows_what_is_new() -> None:
    """Added items by name and family, gone ones by number."""
    item = {"id": "1", "name": "New Hire", "upn": "new.hire@contoso.com"}
    change = {"added": 1, "gone": 12, "removed": 1200, "items": [item]}
    none = {"added": 0, "gone": 0, "removed": 0, "items": []}
    difference = {"from": 1, "to": 2, "families": {"users": change, "domains": none}}
    words = plainly(render("approval.html", **asked(difference=difference)))

    assert "Users: 1 new, 12 gone by themselves, 1,200 removed by us" in words
    assert "New Hire new.hire@contoso.com" in words
    assert "Domains:" not in words


@pytest.mark.parametrize(
    ("state", "missing", "words"),
    [
        ("open", {"it": 1, "distinct": 1}, "Nothing happens until these have agreed as well: 1 of it 1 more different"),
        ("approved", {}, "The closure goes on."),
        ("vetoed", {}, "A veto ends the closure."),
    ],
)
def test_after_deciding_the_page_says_what_comes_next(state: str, missing: dict[str, int], words: str) -> None:
    """What was recorded, who is still missing, and how to take it back."""
    given = asked()
    decision = {"decision": "veto" if state == "vetoed" else "approve", "at": "2026-11-02T12:00:00Z", "comment": ""}
    html = render(
        "decided.html",
        **{key: given[key] for key in ("view", "gate", "person")},
        decision=decision,
        state=state,
        missing=missing,
        signed_in=False,
    )

    assert words in plainly(html)
    assert (state != "vetoed") == ("Take my approval back" in html)


@pytest.mark.parametrize(("told", "expected"), [(True, False), (False, True)])
def test_where_nobody_is_told_the_page_says_so(told: bool, expected: bool) -> None:
    """Without mail and Teams somebody has to reach the approvers by hand."""
    context = asked()
    context["gate"]["told"] = told

    assert expected == ("have to be told by hand" in plainly(render("approval.html", **context)))
