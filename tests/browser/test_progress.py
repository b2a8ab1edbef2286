"""The closure's page follows the work by itself: counts change while the page stays the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.rehearsals.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(120)]
PACED = {"CLOSURE_WRITE_LIMIT": "20/20", "CLOSURE_LANES": "1"}


def test_counts_change_without_reloading(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """Three different counts are seen in one page: what was set in it by hand is still there, focus and all."""
    with Stage(tmp_path, "--users", "400", "--seed", "64", settings=PACED) as stage:
        stage.start()
        assert stage.file().status_code == 202
        stage.until(lambda _: stage.score()["usersDeleted"] >= 20)
        page = open_page()
        one = f"/closures/{stage.closure}"
        page.goto(f"{stage.base}/.auth/login/aad?post_login_redirect_uri={one}")
        page.get_by_role("button", name="ann@fabrikam.com").click()
        expect(page.locator("#live-progress progress")).to_be_visible()
        page.evaluate("window.marker = 1")
        page.get_by_role("link", name="The plan").focus()

        seen, end = set(), time.monotonic() + 30
        while len(seen) < 3 and time.monotonic() < end:
            seen.add(page.locator("#live-progress progress").get_attribute("value"))
            page.wait_for_timeout(250)

        assert 3 == len(seen), seen
        assert 1 == page.evaluate("window.marker")
        assert "The plan" == page.evaluate("document.activeElement.textContent")
