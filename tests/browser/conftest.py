"""Debian's chromium, driven by Playwright; every page it opens must run without an error and within its policy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", e => violations.push(`${e.violatedDirective}: ${e.blockedURI}`));
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless browser for one file's tests; Playwright holds an event loop, so it must not outlive them."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.fail("Chromium is missing: `make test` installs it, or run `apt-get install chromium`.", pytrace=False)
    # Chromium's own sandbox can't be had as root, as in a container.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


class Faults:
    """What a page complained about. An answer that is no 2xx is for the test to judge, not for the console."""

    def __init__(self, context: BrowserContext) -> None:
        self.seen: list[str] = []
        context.on("console", self._console)
        context.on("weberror", lambda error: self.seen.append(str(error.error)))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.seen.append(f"{message.location['url']}: {message.text}")


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page of a new person's browser (keywords as of Playwright's `new_context`)."""
    opened: list[tuple[BrowserContext, Faults]] = []

    def make(**options: Any) -> Page:
        context = chromium.new_context(**options)
        context.set_default_timeout(15_000)
        context.add_init_script(WATCH)
        opened.append((context, Faults(context)))
        return context.new_page()

    yield make
    faults = []
    for context, said in opened:
        faults += said.seen
        for page in context.pages:
            faults += page.evaluate("window.violations || []")
        context.close()
    assert [] == faults
