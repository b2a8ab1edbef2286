"""What people do with a browser: open a message, sign in, decide; by mouse or by keyboard alone."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.rehearsals.stage import Stage
from tests.rehearsals.visitor import links


def open_message(page: Page, stage: Stage, to: str, path: str) -> None:
    """Look into an inbox and click the link of the newest message that leads to such a path."""
    own = [link for message in stage.messages(to) for link in links(message) if path in link]
    page.goto(f"{stage.sim['url']}/_sim/inbox?to={to}")
    page.locator(f'a[href="{own[-1]}"]').first.click()
    page.wait_for_url(f"**{path}*")


def sign_in(page: Page, who: str) -> None:
    """Go from a page that asks for it through the sign-in page to the gate's own page."""
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.get_by_role("button", name=who).click()
    page.wait_for_url("**/gates/*")


def approve(page: Page, stage: Stage, *, last: bool) -> None:
    """Fill in the decision form and send it; at the last gate with the domain's name."""
    page.get_by_role("radio", name="Approve").check()
    if last:
        page.get_by_label("type the domain").fill(stage.sim["domain"])
    page.get_by_label("Comment").fill("as agreed")
    page.get_by_role("button", name="Send my decision").click()


def press_to(page: Page, target: str, most: int = 60) -> None:
    """Press Tab until the element that this selector finds has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", target):
            return
    raise AssertionError(f"{target} can't be reached with the Tab key")
