"""From a request to a closed tenant with the pages alone: message, sign-in, decision, end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.hands import approve, open_message, press_to, sign_in
from tests.rehearsals.stage import CHANNEL, Stage, clean

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(170)]
ANN, CYD = "ann@fabrikam.com", "cyd@fabrikam.com"


def reach(stage: Stage, gate: str) -> None:
    """Wait until this gate is open and its people are asked; nobody approves meanwhile."""
    before = len(stage.messages(ANN)) if gate == "plan" else 1
    stage.until(lambda document: (document["gate"] or {}).get("name") == gate, approve=False)
    stage.asked(ANN, CYD, more_than=before)


def test_people_close_a_tenant_in_the_browser(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """Ann decides from her mail, Cyd from the Teams card; at the end the tenant is gone and Teams knows."""
    with Stage(tmp_path, "--users", "60", "--seed", "61") as stage:
        stage.start()
        assert stage.file().status_code == 202
        ann, cyd = open_page(viewport={"width": 390, "height": 844}), open_page()
        for gate in ("plan", "delete-tenant"):
            last = gate == "delete-tenant"
            reach(stage, gate)

            open_message(ann, stage, ANN, "/approvals/")
            if not last:
                sign_in(ann, ANN)
            approve(ann, stage, last=last)
            if last:  # signed in already, so the link's own page took the decision
                expect(ann.get_by_role("heading", level=1)).to_have_text("Your decision is on record")
            else:
                expect(ann.locator("#decide")).to_contain_text("You approved this")

            open_message(cyd, stage, CHANNEL, f"/closures/{stage.closure}/gates/{gate}")
            if not last:
                sign_in(cyd, CYD)
            approve(cyd, stage, last=last)
            expect(cyd.locator("#decide")).to_contain_text("You approved this")

        document = stage.until(lambda document: document["status"] == "ended", approve=False)
        assert "closed" == document["result"]
        clean(stage.score())
        stage.told(CHANNEL, "is closed")
        cyd.goto(f"{stage.sim['url']}/_sim/inbox?to={CHANNEL}")
        expect(cyd.locator("body")).to_contain_text("closed")
        ann.goto(f"{stage.base}/closures/{stage.closure}")
        expect(ann.locator(".badge").first).to_have_text("Closed")


def test_keyboard_alone(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """Sign-in and approval need nothing but Tab, Space, Enter and letters; the focus can always be seen."""
    with Stage(tmp_path, "--users", "30", "--seed", "62") as stage:
        stage.start()
        assert stage.file().status_code == 202
        reach(stage, "plan")
        page = open_page()
        open_message(page, stage, ANN, "/approvals/")

        press_to(page, 'a[href^="/.auth/login/aad"]')
        page.keyboard.press("Enter")
        page.wait_for_url("**/.auth/login/aad*")
        press_to(page, "#name")
        page.keyboard.type(ANN)
        page.keyboard.press("Enter")
        page.wait_for_url("**/gates/plan")
        press_to(page, "#say-approve")
        page.keyboard.press("Space")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        press_to(page, "#comment")
        page.keyboard.type("as agreed")
        press_to(page, "#decide button[type=submit]")
        page.keyboard.press("Enter")

        expect(page.locator("#decide")).to_contain_text("You approved this")
        said = stage.status()["gate"]["decisions"]
        assert [("approve", ANN, "as agreed")] == [
            (one["decision"], one["person"]["upn"], one["comment"]) for one in said
        ]
