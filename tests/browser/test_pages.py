"""Every page on a phone, and on a desk light and dark: nothing to scroll sideways, no serious accessibility fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.hands import open_message, sign_in
from tests.rehearsals.stage import CHANNEL, Stage

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(170)]
ANN = "ann@fabrikam.com"
SIZES = {"phone": {"width": 390, "height": 844}, "desk": {"width": 1280, "height": 900}}
SERIOUS = ("serious", "critical")
everywhere = pytest.mark.parametrize(("size", "scheme"), [("phone", "light"), ("desk", "light"), ("desk", "dark")])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A closure at its first gate; the tests of its end come last in this file."""
    with Stage(tmp_path_factory.mktemp("pages"), "--users", "60", "--seed", "63", "--profile", "hostile") as stage:
        stage.start()
        assert stage.file().status_code == 202
        stage.until(lambda document: document["gate"] is not None, approve=False)
        stage.asked(ANN, CHANNEL)
        yield stage


class Looker:
    """Looks at one page after the other and writes down what is wrong with each."""

    def __init__(self, page: Page, stage: Stage, folder: Path) -> None:
        self.page, self.stage, self.folder = page, stage, folder
        self.faults: list[str] = []

    def at(self, path: str, status: int = 200) -> None:
        """Open a page by its path, and look."""
        answer = self.page.goto(self.stage.base + path)
        assert answer is not None
        if answer.status != status:
            self.faults.append(f"{path}: {answer.status} instead of {status}")
        self.look(path.strip("/.").replace("/", "-").replace("?", "-").replace(self.stage.closure, "one"))

    def at_sandboxed(self, path: str) -> None:
        """Look at a page whose policy lets no script run, not even the checker's: at a copy of it."""
        answer = self.page.request.get(self.stage.base + path)
        if (answer.status, "sandbox" in answer.headers["content-security-policy"]) != (200, True):
            self.faults.append(f"{path}: {answer.status}, {answer.headers['content-security-policy']}")
        self.page.goto("about:blank")
        self.page.set_content(answer.text())
        self.look("report")

    def look(self, name: str) -> None:
        """Judge the page as it is now; a picture of it stays with the test's files."""
        self.page.screenshot(path=self.folder / f"{name}.png", full_page=True)
        wide, screen = self.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        if wide > screen:
            self.faults.append(f"{name}: {wide} px wide on a screen of {screen}")
        for found in Axe().run(self.page).response["violations"]:
            if found["impact"] in SERIOUS:
                nodes = "; ".join(
                    node["html"][:200] + " " + node["failureSummary"][:300] for node in found["nodes"][:3]
                )
                self.faults.append(f"{name}: {found['impact']} {found['id']}: {nodes}")


@everywhere
def test_pages_while_people_decide(
    stage: Stage, open_page: Callable[..., Page], tmp_path: Path, size: str, scheme: str
) -> None:
    """Sign-in, list, closure, gate, personal link, plan, blockers, missing report, problem page, signed in and not."""
    page = open_page(viewport=SIZES[size], color_scheme=scheme)
    looker = Looker(page, stage, tmp_path)
    one = f"/closures/{stage.closure}"

    looker.at("/closures", 401)
    looker.at("/.auth/login/aad?post_login_redirect_uri=/closures")
    page.get_by_label("User name").fill("nobody")
    page.locator("form").evaluate("form => { form.noValidate = true; form.requestSubmit(); }")
    expect(page.get_by_role("alert")).to_be_visible()
    looker.look("sign-in-again")
    open_message(page, stage, ANN, "/approvals/")
    looker.look("link")
    sign_in(page, ANN)
    looker.look("gate")
    open_message(page, stage, ANN, "/approvals/")
    looker.look("link-signed-in")
    for path in ("/closures", one, f"{one}/plan", f"{one}/plan?family=users&q=a", f"{one}/blockers"):
        looker.at(path)
    looker.at(f"{one}/report", 404)
    looker.at("/closures/nothing", 404)

    assert [] == looker.faults


@everywhere
def test_inbox_can_be_read(
    stage: Stage, open_page: Callable[..., Page], tmp_path: Path, size: str, scheme: str
) -> None:
    """The simulated inbox, which people of a rehearsal see first, shows mails and cards whole."""
    page = open_page(viewport=SIZES[size], color_scheme=scheme)
    looker = Looker(page, stage, tmp_path)
    for to in (ANN, CHANNEL):
        page.goto(f"{stage.sim['url']}/_sim/inbox?to={to}")
        looker.look(to.partition("@")[0].replace(":", "-"))

    assert [] == looker.faults


@pytest.fixture(scope="module")
def ended(stage: Stage) -> Stage:
    """The same closure, aborted: its report is written, and its pages say so."""
    stage.web.post(
        f"{stage.base}/api/closures/{stage.closure}/abort", json={"comment": "seen enough"}
    ).raise_for_status()
    stage.until(lambda document: document["status"] == "ended", 60, approve=False)
    return stage


@everywhere
def test_pages_after_the_end(
    ended: Stage, open_page: Callable[..., Page], tmp_path: Path, size: str, scheme: str
) -> None:
    """Closure, report, and the link of a gate that is no more."""
    page = open_page(viewport=SIZES[size], color_scheme=scheme)
    looker = Looker(page, ended, tmp_path)
    one = f"/closures/{ended.closure}"
    looker.at(f"/.auth/login/aad?post_login_redirect_uri={one}")
    page.get_by_role("button", name=ANN).click()
    page.wait_for_url(f"**{one}")
    looker.look("ended")
    looker.at(one)
    looker.at_sandboxed(f"{one}/report")

    assert [] == looker.faults
