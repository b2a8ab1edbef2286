"""Pages: readable without script, safe with hostile data."""

from __future__ import annotations

import re

import pytest

from tenantclosure.names import Phase
from tests.web.rig import Desk
from web.pages import HERE, LABELS, span

NASTY = '"><script>alert(1)</script><img src=x onerror=y>'


async def _page(desk: Desk, name: str, **path: str) -> str:
    answer = await desk.call(name, who="ann:Auditor", **path)
    assert (200, "text/html") == (answer.status_code, answer.mimetype)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "style-src 'self'" in policy and "script" not in policy
    assert ("nosniff", "DENY", "no-store") == tuple(
        answer.headers[name] for name in ("X-Content-Type-Options", "X-Frame-Options", "Cache-Control")
    )
    return answer.get_body().decode()


async def test_the_page_of_a_waiting_closure_says_who_is_missing(desk: Desk) -> None:
    """An open gate shows its groups, its date and the digest, and refreshes by itself."""
    closure, digest = await desk.at_gate()
    html = await _page(desk, "closure_page", closureId=closure)

    assert "cyd@fabrikam.com" in html
    assert digest in html
    assert 'http-equiv="refresh"' in html


async def test_the_page_shows_progress_tasks_and_blockers(desk: Desk) -> None:
    """Counts, pace, exact steps and remedies are on one page."""
    closure, _ = await desk.with_task()
    await desk.planned(closure, users=100)
    await desk.ledger.change(closure, lambda row: row.update(phase=Phase.USERS, status="running"))
    await desk.ledger.change(
        closure, lambda row: row["blockers"].append({"what": "sync", "why": "on", "remedy": "off!"})
    )
    await desk.ledger.set_mark(closure, f"started-{Phase.USERS}", 1, {})
    await desk.clock.sleep(10)
    await desk.ledger.note_shard(closure, 1, "users", "delete", 0, {"removed": 20})
    html = re.sub(r"\s+", " ", await _page(desk, "closure_page", closureId=closure))

    assert "20 of 100 · 2.0 a second · about 40 s left" in html
    assert "Open the admin centre." in html
    assert "Choose &lt;Cancel&gt;." in html
    assert "off!" in html


async def test_an_ended_closure_links_its_report_and_rests(desk: Desk) -> None:
    """Nothing refreshes any more; the report is one click away."""
    closure = await desk.filed()
    await desk.ledger.end(closure, "closed")
    html = await _page(desk, "closure_page", closureId=closure)

    assert "refresh" not in html
    assert f"/api/closures/{closure}/report?format=html" in html


async def test_nothing_from_outside_becomes_markup(desk: Desk) -> None:
    """Request, tasks, blockers and queue messages are shown as text, and links only lead to web addresses."""
    closure = await desk.filed(reason=NASTY)
    task = {"taskId": "t", "kind": "x", "target": "x", "title": NASTY, "steps": [NASTY], "link": "javascript:alert(1)"}
    await desk.ledger.open_task(closure, task)
    await desk.ledger.change(
        closure, lambda row: row["blockers"].append({"what": NASTY, "why": NASTY, "remedy": NASTY})
    )
    await desk.records.enqueue("closure-requests-poison", {"x": NASTY})
    pages = [await _page(desk, "closure_page", closureId=closure), await _page(desk, "closures_page")]

    for html in pages:
        assert "<script" not in html
        assert "<img src=x" not in html
        assert "javascript:" not in html


async def test_a_missing_closure_is_a_page_too(desk: Desk) -> None:
    """People get the problem in words, not JSON."""
    answer = await desk.call("closure_page", closureId="<b>none</b>")

    assert (404, "text/html") == (answer.status_code, answer.mimetype)
    assert b"<b>none" not in answer.get_body()


async def test_pages_carry_no_inline_style_or_script(desk: Desk) -> None:
    """The content policy forbids them, so a page that needed them would be broken."""
    closure, _ = await desk.at_gate()
    for html in (await _page(desk, "closure_page", closureId=closure), await _page(desk, "closures_page")):
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", html)


async def test_only_the_known_static_files_are_handed_out(desk: Desk) -> None:
    """A name from outside never becomes a path."""
    css = await desk.call("static_file", who=None, file="closure.css")
    climb = await desk.call("static_file", who=None, file="../pages.py")

    assert (200, "text/css", 404) == (css.status_code, css.mimetype, climb.status_code)
    assert (HERE / "static" / "closure.css").read_bytes() == css.get_body()


def test_every_phase_has_words() -> None:
    """No phase shows up without a label."""
    assert set(Phase) == set(LABELS)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (3700, "1 h 1 min"), (90061, "1 d 1 h"), (-3, "0 s")]
)
def test_time_left_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    """Nobody needs the seconds of a day."""
    assert text == span(seconds)
