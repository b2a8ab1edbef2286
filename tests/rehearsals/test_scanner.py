"""Mail scanners and link previews: whoever only fetches decides nothing, and uses nothing up."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.rehearsals.stage import APPROVERS, CHANNEL, OPERATOR, Stage, clean
from tests.rehearsals.visitor import Page, Visitor, links

pytestmark = [pytest.mark.slow, pytest.mark.timeout(170)]
MANNERS = (
    {},
    {"Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender"},
    {"X-Moz": "prefetch"},
    {"User-Agent": "Microsoft Office/16.0 SafeLinks", "Range": "bytes=0-2047"},
)


def fetch(visitor: Visitor, address: str, method: str = "GET", **manner: str) -> set[str]:
    """Fetch one address, following redirects; returns the addresses that the page names, sign-in left out."""
    answer = visitor.request(method, address, headers=manner, follow_redirects=True)
    assert answer.status_code < 500, f"{method} {address}: {answer.text}"
    assert answer.status_code != 429, "a scanner that is only put off shows nothing"
    if "html" not in answer.headers.get("content-type", ""):
        return set()
    named = {urljoin(str(answer.url), one) for one in Page(answer.text).addresses}
    return {one for one in named if one.startswith(str(visitor.base_url)) and "/.auth/" not in one}


def scan(stage: Stage, who: str | None) -> None:
    """Fetch every link of every message in every manner, and what the pages behind them name."""
    with Visitor(stage.base) as visitor:
        if who:
            visitor.sign_in(who)
        own = {link for message in stage.messages() for link in links(message) if link.startswith(stage.base)}
        assert len(own) >= 4, "three mails and a card hold links"
        named = {
            one
            for link in own
            for method in ("HEAD", "GET")
            for manner in MANNERS
            for one in fetch(visitor, link, method, **manner)
        }
        for address in named - own:
            fetch(visitor, address)


def decided(stage: Stage) -> int:
    """How many decisions the audit chain holds."""
    text = stage.web.get(f"{stage.base}/api/closures/{stage.closure}/audit", headers=OPERATOR).text
    return text.count('"gate:decided"')


def approve_with_link(stage: Stage, who: str, gate: str) -> None:
    """Sign in, open the link of the newest mail, send the form."""
    mine = [link for link in links(stage.messages(who)[-1]) if "/approvals/" in link]
    with Visitor(stage.base) as visitor:
        visitor.sign_in(who)
        typed = {"domain": stage.sim["domain"]} if gate == "delete-tenant" else {}
        answer = visitor.decide(mine[0], **typed)
    assert answer.status_code == 200, answer.text


def test_fetching_decides_nothing(tmp_path: Path) -> None:
    """At every gate all links are fetched by nobody and by signed-in approvers; then the same links approve."""
    with Stage(tmp_path, "--users", "60", "--seed", "41") as stage:
        stage.start()
        assert stage.file(quietDays=1).status_code == 202
        so_far = 0
        for name in ("plan", "go-on", "delete-tenant"):
            gate = stage.until(
                lambda document, name=name: document["gate"] is not None and document["gate"]["name"] == name,
                approve=False,
            )["gate"]
            sent = so_far // 2
            stage.asked("ann@fabrikam.com", "bob@fabrikam.com", "cyd@fabrikam.com", more_than=sent)
            stage.told(CHANNEL, f"/gates/{name}")
            for who in (None, *APPROVERS):
                scan(stage, who)

            after = stage.status()["gate"]
            assert (gate["name"], gate["digest"], "open", []) == (
                after["name"],
                after["digest"],
                after["state"],
                after["decisions"],
            )
            assert so_far == decided(stage)
            for who in APPROVERS:
                approve_with_link(stage, who, name)
            so_far += 2

        assert "closed" == stage.until(lambda document: document["status"] == "ended", approve=False)["result"]
        assert so_far == decided(stage)
        clean(stage.score())
