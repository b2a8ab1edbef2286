"""The script that keeps an open page up to date: it disturbs nobody, says what happens, and rests when it should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Page, Route, expect

from web.pages import HERE

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(60)]
ADDRESS = "http://live.example/closures/c"
AGAIN_MS = 700
"""Longer than two rounds of a page that asks every fifth of a second."""


@dataclass
class Server:
    """What the page's address answers, and how often it was asked."""

    number: int = 0
    status: int = 200
    news: str = "Running: delete users"
    live: bool = True
    asked: int = field(default=0)

    def answer(self, route: Route) -> None:
        """The script itself, or the page as it is now."""
        if route.request.url.endswith(".js"):
            route.fulfill(path=HERE / "static" / "closure.js", content_type="text/javascript")
            return
        self.asked += 1
        html = f"""<!doctype html><html lang="en"><head><title>t{self.number}</title>
            <script src="/static/closure.js" defer></script></head><body><main {'data-live="0.2"' if self.live else ""}>
            <div id="head" data-live-part data-news="{self.news}"><h1>x</h1></div>
            <div id="first" data-live-part><p id="count">{self.number}</p><a href="/x">link</a>
            <details id="more"><summary>more</summary><p>one</p></details></div>
            <div id="second" data-live-part><form><input id="typed"></form><p id="other">{self.number}</p></div>
            </main><p id="news" role="status"></p><p id="reach" role="status"></p></body></html>"""
        route.fulfill(status=self.status, content_type="text/html", body=html)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def page(open_page: Callable[..., Page], server: Server) -> Page:
    """The page, shown once."""
    page = open_page()
    page.route("http://live.example/**", server.answer)
    page.goto(ADDRESS)
    return page


def hide(page: Page, *, hidden: bool) -> None:
    """Let the page believe that its tab was left, or come back to."""
    page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


def test_what_changed_is_put_in_and_nothing_else(page: Page, server: Server) -> None:
    """Count and title change; an opened list stays open, and the keyboard stays where it was."""
    page.click("summary")
    page.focus("a[href='/x']")
    server.number = 1
    expect(page.locator("#count")).to_have_text("1")

    assert "t1" == page.title()
    assert page.eval_on_selector("#more", "list => list.open")
    assert "/x" == page.evaluate("document.activeElement.getAttribute('href')")
    assert "" == page.inner_text("#news"), "a count is no news"


def test_who_types_or_marks_is_left_alone(page: Page, server: Server) -> None:
    """A part with typed words or marked text waits until it is let go."""
    page.focus("#typed")
    page.keyboard.type("hello")
    server.number = 1
    expect(page.locator("#count")).to_have_text("1")
    assert ("hello", "0") == (page.input_value("#typed"), page.inner_text("#other"))
    page.fill("#typed", "")
    page.focus("a[href='/x']")
    expect(page.locator("#other")).to_have_text("1")
    page.evaluate("getSelection().selectAllChildren(document.getElementById('count'))")
    server.number = 2
    page.wait_for_timeout(AGAIN_MS)
    assert "1" == page.inner_text("#count")
    page.evaluate("getSelection().removeAllRanges()")

    expect(page.locator("#count")).to_have_text("2")


def test_a_new_phase_is_announced(page: Page, server: Server) -> None:
    """The one line that screen readers read out says the new phase."""
    server.news = "Waiting for approval"

    expect(page.locator("#news")).to_have_text("Waiting for approval")


def test_trouble_is_said_and_asked_about_less_and_less(page: Page, server: Server) -> None:
    """Errors make it ask less often; once it works again the warning goes."""
    server.status = 500
    expect(page.locator("#reach")).to_contain_text("Not reachable")
    before = server.asked
    page.wait_for_timeout(2000)
    assert server.asked - before <= 4
    server.status, server.number = 200, 7

    expect(page.locator("#count")).to_have_text("7")
    expect(page.locator("#reach")).to_have_text("")


@pytest.mark.parametrize("status", [401, 403])
def test_signed_out(page: Page, server: Server, status: int) -> None:
    """Who is signed out is told so, and asked about nothing more."""
    server.status = status
    expect(page.locator("#reach")).to_contain_text("signed out")
    before = server.asked
    page.wait_for_timeout(AGAIN_MS)

    assert before == server.asked


def test_it_rests(page: Page, server: Server) -> None:
    """A tab that nobody looks at asks nothing, and after the closure's end nobody asks any more."""
    hide(page, hidden=True)
    page.wait_for_timeout(AGAIN_MS)
    before = server.asked
    page.wait_for_timeout(AGAIN_MS)
    assert before == server.asked
    hide(page, hidden=False)
    server.live, server.number = False, 9
    expect(page.locator("#count")).to_have_text("9")
    before = server.asked
    page.wait_for_timeout(AGAIN_MS)

    assert before == server.asked
