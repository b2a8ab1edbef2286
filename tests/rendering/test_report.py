"""The report: one file that tells everything, safe with hostile names."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from tenantclosure.names import Result
from tenantclosure.rendering.report import HEADLINES, MANY, report_html, report_json
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
    )
    html = report_html(empty)

    for told in ("none was frozen", "not proven", "BROKEN", "Nobody decided", "vetoed"):
        assert told in html


def test_a_long_story_keeps_its_turns_and_says_what_it_left_out() -> None:
    """Shards and writes give way first; the page names how many lines are only in the JSON."""
    turns = report()["timeline"]
    shards = [{"at": "2026-11-01T12:30:00Z", "word": "shard:done", "actor": None, "detail": {}}] * (MANY + 1)
    html = report_html(report(timeline=turns + shards))

    assert "closure:requested" in html
    assert f"{MANY + 1} more lines" in html


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
