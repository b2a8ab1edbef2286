"""Taking an approval back, and pausing, while users are being deleted: no batch begins after it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsals.stage import APPROVERS, Stage, clean

pytestmark = [pytest.mark.slow, pytest.mark.timeout(170)]
BATCH, LANES = 20, 2
PACED = {"CLOSURE_WRITE_LIMIT": "40/20", "CLOSURE_LANES": str(LANES)}
SETTLE_SECONDS = 1.5


def deleting(stage: Stage) -> dict[str, Any]:
    """File, approve the plan, and wait until users go; returns the approved gate."""
    stage.start()
    assert stage.file().status_code == 202
    gate: dict[str, Any] = stage.until(lambda document: document["gate"] is not None, approve=False)["gate"]
    for who in APPROVERS:
        assert stage.decide(gate, who).status_code == 202
    stage.until(lambda _: stage.score()["usersDeleted"] >= BATCH, approve=False)
    return gate


def still(stage: Stage, deletes: int) -> None:
    """At most the batches in flight are finished, and then nothing is deleted for a while."""
    time.sleep(SETTLE_SECONDS)
    held = stage.score()["deletes"]
    assert deletes <= held <= deletes + LANES * BATCH
    time.sleep(SETTLE_SECONDS)

    assert held == stage.score()["deletes"], "a batch began afterwards"
    assert stage.score()["usersKept"] > 100, "too little was left for this to show anything"


def test_revoked_approval_stops_within_a_batch(tmp_path: Path) -> None:
    """An approver takes the approval back: the batch in flight ends, people are asked again, and then it goes on."""
    with Stage(tmp_path, "--users", "260", "--seed", "51", settings=PACED) as stage:
        gate = deleting(stage)
        assert stage.decide(gate, "ann@fabrikam.com", "revoke").status_code == 202
        still(stage, stage.score()["deletes"])
        asked = stage.until(lambda document: document["status"] == "waiting-approval", 20, approve=False)["gate"]

        assert ("plan", gate["digest"], "open") == (asked["name"], asked["digest"], asked["state"])
        assert {"it": 1} == {group: n for group, n in asked["missing"].items() if group != "distinct" and n}
        assert stage.decide(asked, "ann@fabrikam.com").status_code == 202
        assert "closed" == stage.ended()["result"]
        clean(stage.score())
        assert "gate:reopened" in stage.web.get(f"{stage.base}/api/closures/{stage.closure}/audit").text


def test_veto_during_the_work_ends_it(tmp_path: Path) -> None:
    """A veto of a gate in force stops within a batch and ends the closure; nothing more is deleted."""
    with Stage(tmp_path, "--users", "260", "--seed", "52", settings=PACED) as stage:
        gate = deleting(stage)
        assert stage.decide(gate, "cyd@fabrikam.com", "veto").status_code == 202
        still(stage, stage.score()["deletes"])
        document = stage.until(lambda document: document["status"] == "ended", 30, approve=False)

        assert "vetoed" == document["result"]
        assert not stage.score()["tenantGone"]


def test_pause_stops_within_a_batch(tmp_path: Path) -> None:
    """A pause lets only the batch in flight end; unpaused, the closure ends closed with nothing deleted twice."""
    with Stage(tmp_path, "--users", "260", "--seed", "53", settings=PACED) as stage:
        deleting(stage)
        one = f"{stage.base}/api/closures/{stage.closure}"
        assert stage.web.post(f"{one}/pause", json={"comment": "lunch"}).status_code == 202
        still(stage, stage.score()["deletes"])
        stage.until(lambda document: document["status"] == "paused", 20, approve=False)
        assert stage.web.post(f"{one}/unpause", json={"comment": "back"}).status_code == 202

        assert "closed" == stage.ended()["result"]
        clean(stage.score())
