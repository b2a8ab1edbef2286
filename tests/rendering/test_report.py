"""The report: one file that tells everything, safe with hostile names."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from tenantclosure.names import Result
from tenantclosure.rendering.report import HEADLINES, MANY, NAMED, ROLLED_BACK, report_html, report_json
from tests.rendering.sample import NASTY, report


class _Balance(HTMLParser):
    """Fails on a tag that closes what was not open."""

    VOID = frozenset({"meta", "br", "rect", "img", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert tag == self.open.pop()


def test_the_certificate_holds_what_an_auditor_compares() -> None:
    """Digest, audit head, tenant, requester and the proof from outside are all there."""
    html = report_html(report())

    for told in ("d" * 64, "e" * 64, "0b0a", "olga@fabrikam.com", "The tenant is closed", "2 sightings", "t/o"):
        assert told in html


def test_the_page_is_one_well_formed_file_that_fetches_nothing() -> None:
    """Neither script nor anything that is loaded from elsewhere."""
    html = report_html(report())
    parser = _Balance()
    parser.feed(html)

    assert [] == parser.open
    assert not re.search(r"<script|<link|\ssrc=|\shref=|url\(|@import", html)


def test_hostile_names_stay_text() -> None:
    """Every text that comes from people or from the tenant is escaped."""
    person = {"tenantId": NASTY, "objectId": NASTY, "upn": NASTY, "name": NASTY}
    line = {
        "at": "2026-11-01T12:00:00Z",
        "word": "gate:decided",
        "actor": person,
        "detail": {NASTY: [NASTY, {NASTY: 1}]},
    }
    html = report_html(
        report(
            displayName=NASTY,
            domain=NASTY,
            reason=NASTY,
            why=NASTY,
            requester=person,
            timeline=[line],
            blockers=[{"what": NASTY}],
            subscriptions=[{"id": NASTY, "name": NASTY, "provider": NASTY, "stage": NASTY, "outcome": None}],
        )
    )

    assert "<script" not in html
    assert html.count("&lt;script&gt;") > 10


def test_outcomes_are_drawn_so_that_one_of_ten_thousand_is_seen() -> None:
    """The single refused user has a piece of the bar, and no bar is wider than its line."""
    html = report_html(report())

    assert "<title>1 refused</title>" in html
    widths = [
        float(w) for w in re.findall(r'height="16"><title>', html) and re.findall(r'width="([\d.]+)" height="16"', html)
    ]
    assert widths and max(widths) <= 640


def test_blockers_are_told_with_the_way_to_the_date() -> None:
    """What was still in the way, and the picture of what the closing date waited for; hostile names stay text."""
    lane = {"what": NASTY, "why": NASTY, "from": "2026-11-01T12:00:00+00:00", "to": "2027-11-01T12:00:00+00:00"}
    date = {"at": "2026-11-01T12:00:00Z", "earliest": lane["to"], "path": [], "more": 0, "undated": []}
    closing = {**date, "lanes": [{**lane, "critical": True, "soft": False}]}
    html = report_html(report(blockers=[{"what": "subscriptions", "who": "Microsoft Support"}], closing=closing))

    assert "could not be closed before 2027-11-01 12:00:00 UTC" in html
    assert 'aria-label="What the closing date waited for"' in html
    assert "what subscriptions, who Microsoft Support" in html and "<script" not in html
    assert "could not be closed before" not in report_html(report(closing=closing))


def test_a_closure_that_ended_before_its_plan_has_a_report_too() -> None:
    """No plan, no approvals, nothing gone: said in words instead of failing."""
    empty = report(
        result="vetoed",
        plan={"serial": 1, "digest": None, "families": {}},
        counts={},
        approvals=[],
        tasks=[],
        subscriptions=[],
        timeline=[],
        tenantGone=None,
        audit={"ok": False, "lines": 0, "head": "0" * 64},
        access={"mfa": None, "securityDefaults": None, "policies": None},
    )
    html = report_html(empty)

    assert "How people signed in" not in html
    for told in ("none was frozen", "not proven", "BROKEN", "Nobody decided", "vetoed"):
        assert told in html


@pytest.mark.parametrize(("defaults", "said"), [(True, "on"), (False, "off"), (None, "could not be read")])
def test_it_tells_what_was_recorded_of_signing_in(defaults: bool | None, said: str) -> None:
    """Per-user MFA in numbers, security defaults and Conditional Access as they were found, by name and harmless."""
    access = report()["access"]
    html = report_html(
        report(access={**access, "securityDefaults": defaults, "policies": [{"name": NASTY, "state": None}]})
    )

    assert "1 turned off, 0 still on, 2 unknown" in html
    assert f"<dt>Security defaults</dt><dd>{said}, recorded and not switched" in html
    assert "no state told" in html
    assert "<script" not in html


def test_a_long_story_keeps_its_turns_and_says_what_it_left_out() -> None:
    """Shards and writes give way first; the page names how many lines are only in the JSON."""
    turns = report()["timeline"]
    shards = [{"at": "2026-11-01T12:30:00Z", "word": "shard:done", "actor": None, "detail": {}}] * (MANY + 1)
    html = report_html(report(timeline=turns + shards))

    assert "closure:requested" in html
    assert f"{MANY + 1} more lines" in html


def _rollback(**changes: Any) -> dict[str, Any]:
    entry = {"family": "users", "id": "u1", "name": "Wanda", "outcome": "restored", "why": ""}
    told: dict[str, Any] = {
        "serial": 2,
        "number": 1,
        "askedBy": {"tenantId": "t", "objectId": "o", "upn": "olga@fabrikam.com", "name": "Olga"},
        "at": "2026-11-01T12:00:00Z",
        "state": "done",
        "planned": {"users": 2},
        "restored": [entry],
        "left": [{**entry, "id": "u2", "name": NASTY, "outcome": "refused", "why": "403 Denied"}],
        "impossible": [{"family": "domains", "id": "contoso.com", "name": "contoso.com", "why": "add it again"}],
        **changes,
    }
    return {"counts": {name: len(told[name]) for name in ("restored", "left", "impossible")}, **told}


def test_a_rollback_is_told_item_by_item() -> None:
    """Who asked, what came back, what did not and what can't, each with its reason; hostile names stay text."""
    html = report_html(report(rollbacks=[_rollback()]))

    for told in ("Rolled back", "Olga", "Wanda", "403 Denied", "contoso.com", "add it again", "1 restored, 1 not."):
        assert told in html
    assert "<script" not in html


@pytest.mark.parametrize("state", ["empty", "vetoed", "expired", "unapproved", "unfinished"])
def test_a_rollback_that_restored_nobody_says_why(state: str) -> None:
    """No end of a rollback is left without words."""
    html = report_html(report(rollbacks=[_rollback(state=state, restored=[], left=[])]))

    assert ROLLED_BACK[state] in html
    assert "Wanda" not in html


def test_a_long_rollback_names_the_first_and_counts_the_rest() -> None:
    """The page holds so many names, the JSON may hold more; all are in the CSV."""
    many = [
        {"family": "users", "id": f"u{n}", "name": f"U {n}", "outcome": "restored", "why": ""} for n in range(NAMED + 5)
    ]
    html = report_html(
        report(rollbacks=[_rollback(restored=many, counts={"restored": 5_000, "left": 1, "impossible": 0})])
    )

    assert "5000 restored, 1 not." in html
    assert f"{5_000 - NAMED} more are in the CSV report." in html
    assert (1, 0) == (html.count(f"U {NAMED - 1}<"), html.count(f"U {NAMED}<"))


@pytest.mark.parametrize("result", list(Result))
def test_every_result_has_a_headline(result: Result) -> None:
    """No end is left without words."""
    assert HEADLINES[result] in report_html(report(result=str(result)))


def test_the_json_is_the_report_itself() -> None:
    """Machines get every member, in an order that does not change."""
    made = report(displayName="Zoë")

    assert made == json.loads(report_json(made))
    assert report_json(made) == report_json(dict(reversed(made.items())))
    assert "Zoë".encode() in report_json(made)


def test_what_it_used_stands_in_a_table_with_both_prices() -> None:
    """Each phase and the total with their counts, and what they cost in both backends; nothing of it without counts."""
    html = report_html(report())
    rows = re.findall(r'<th scope="row">(survey|Total)</th>(.*?)</tr>', html)

    assert ["survey", "Total"] == [phase for phase, _ in rows]
    for _, cells in rows:
        told = ["11", "12", "13", "1601", "1701", "1801", "1901", "2001", "2101"]
        assert told == re.findall(r"(\d+)<", cells)
    for price in ("USD 1.50 with durable state in Azure Storage", "USD 0.7500 with the Durable Task", "USD 0.2500 of"):
        assert price in html
    unused = {**report()["usage"], "phases": {}}
    assert "What it used" not in report_html(report(usage=unused))
