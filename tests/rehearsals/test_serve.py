"""`closure serve` against a simulator that was started apart, with given tokens, driven by HTTP alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rehearsals.stage import OPERATOR, Stage, clean

pytestmark = [pytest.mark.slow, pytest.mark.timeout(170)]


def test_serve_closes_a_tenant_over_http(tmp_path: Path) -> None:
    """From POST to report, with pause and unpause on the way, nothing but HTTP is needed."""
    with Stage(tmp_path, "--users", "400", "--seed", "21", "--latency-ms", "60") as stage:
        stage.command = ("-m", "cli", "serve")
        stage.extra = {
            "CLOSURE_CREDENTIAL": "static",
            "CLOSURE_STATIC_TOKEN": stage.sim["token"],
            "CLOSURE_PARTNER_STATIC_TOKEN": stage.sim["partnerToken"],
            "CLOSURE_HOME_STATIC_TOKEN": stage.sim["homeToken"],
            "CLOSURE_LOGIN_URL": stage.sim["url"],
        }
        stage.start()
        assert stage.file().status_code == 202
        stage.until(lambda _: stage.score()["usersDeleted"] > 0)
        one = f"{stage.base}/api/closures/{stage.closure}"
        assert stage.web.post(f"{one}/pause", json={"comment": "lunch"}).status_code == 202
        stage.until(lambda document: document["status"] == "paused", 30)
        held = stage.score()["usersDeleted"]
        assert stage.web.get(f"{one}/report").status_code == 404
        assert stage.score()["usersDeleted"] == held
        assert stage.web.post(f"{one}/unpause", json={"comment": "back"}).status_code == 202

        assert stage.ended()["result"] == "closed"
        clean(stage.score())
        assert stage.web.get(f"{one}/audit?verify=1", headers=OPERATOR).json()["ok"] is True


def test_abort_puts_the_freeze_back(tmp_path: Path) -> None:
    """An aborted closure ends aborted, deletes nothing more, and gives the sign-up policy back."""
    with Stage(tmp_path, "--users", "400", "--seed", "22", "--latency-ms", "100") as stage:
        stage.start()
        stage.file()
        before = stage.web.get(f"{stage.sim['url']}/_sim/state").json()["organization"]["authorizationPolicy"]
        stage.until(lambda _: stage.score()["usersDeleted"] > 0)
        one = f"{stage.base}/api/closures/{stage.closure}"
        assert stage.web.post(f"{one}/abort", json={"comment": "wrong tenant"}).status_code == 202

        assert stage.ended()["result"] == "aborted"
        after = stage.web.get(f"{stage.sim['url']}/_sim/state").json()["organization"]["authorizationPolicy"]
        assert after == before
        assert stage.score()["usersDeleted"] < 399
        assert stage.file().status_code == 202, "the lease was given back"


def test_growth_is_asked_about(tmp_path: Path) -> None:
    """Users who appear after the approval stop the phase; a new plan with a new digest is approved, then all go."""
    with Stage(tmp_path, "--users", "60", "--seed", "23") as stage:
        stage.start()
        stage.file()
        first = stage.until(lambda document: document["gate"] is not None, approve=False)
        stage.web.post(f"{stage.sim['url']}/_sim/settings", json={"lag_ms": 0}).raise_for_status()
        stage.web.post(f"{stage.sim['url']}/_sim/users", json={"count": 5}).raise_for_status()
        assert stage.ended()["result"] == "closed"

        report = stage.report()
        assert report["plan"]["serial"] == 2
        assert report["plan"]["digest"] != first["gate"]["digest"]
        assert sorted((d["gate"], d["serial"]) for d in report["approvals"]) == [
            ("delete-tenant", 2), ("delete-tenant", 2), ("plan", 1), ("plan", 1), ("plan", 2), ("plan", 2),
        ]  # fmt: skip
        score = stage.score()
        assert (score["doubleDeletes"], score["keeperTouched"], score["tenantGone"]) == (0, 0, True)
