"""External tenants: Azure deletes them and nobody is asked; what Azure does not do, the keeper does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsals.stage import Stage, clean

pytestmark = [pytest.mark.slow, pytest.mark.timeout(170)]


def staged(folder: Path, profile: str = "external") -> Stage:
    """A small external tenant."""
    return Stage(folder, "--users", "40", "--seed", "7", "--profile", profile)


def deletes(stage: Stage) -> int:
    """How many DELETEs of the tenant's Azure resource the simulator has seen."""
    call = f"DELETE {stage.sim['externalDirectory']}"
    return sum(count for name, count in stage.score()["writeCalls"].items() if name.lower() == call.lower())


def asked(stage: Stage) -> dict[str, dict[str, Any]]:
    """The tasks about the tenant's end, by kind."""
    tasks = stage.web.get(f"{stage.base}/api/closures/{stage.closure}/tasks").json()["items"]
    return {task["kind"]: task for task in tasks if task["kind"] in ("delete-tenant", "ask-support")}


def play(stage: Stage, what: str, body: Any) -> None:
    """Something the simulator is to do."""
    stage.web.post(f"{stage.sim['url']}/_sim/{what}", json=body).raise_for_status()


@pytest.mark.parametrize("profile", ["external", "external-b2c"])
def test_azure_deletes_it_and_nobody_is_asked(tmp_path: Path, profile: str) -> None:
    """Both kinds end closed with one DELETE at Azure; no keeper deletes a tenant in a portal."""
    with staged(tmp_path, profile) as stage:
        stage.start()
        assert stage.file().status_code == 202
        document = stage.ended()

        assert "closed" == document["result"], stage.log()
        clean(stage.score())
        assert 1 == deletes(stage)
        assert {} == asked(stage)
        assert stage.report()["audit"]["ok"]


def test_a_request_without_the_resource_is_refused(tmp_path: Path) -> None:
    """At the door, with the field; a resource of nobody is refused as well."""
    with staged(tmp_path) as stage:
        stage.start()
        without = stage.file(externalDirectory=None)
        wrong = stage.file(externalDirectory=stage.sim["externalDirectory"] + "x")

        assert [(400, "externalDirectory")] * 2 == [
            (answer.status_code, answer.json()["field"]) for answer in (without, wrong)
        ]
        assert without.json()["detail"] != wrong.json()["detail"]
        assert {} == stage.score()["writeCalls"]


def test_what_azure_refuses_the_keeper_does(tmp_path: Path) -> None:
    """409 with a reason: the reason is in the checklist, our own part is out of the way, and the keeper deletes it."""
    with staged(tmp_path) as stage:
        fault = {"do": "status", "status": 409, "code": "TenantNotEmpty", "times": None}
        play(stage, "faults", {**fault, "match": {"method": "DELETE", "pathRegex": "(?i)/ciamDirectories/"}})
        stage.start()
        stage.file()
        document = stage.ended()

        assert "closed" == document["result"], stage.log()
        clean(stage.score())
        assert {"delete-tenant"} == set(asked(stage))
        assert "TenantNotEmpty" in asked(stage)["delete-tenant"]["why"]


def test_a_right_that_is_missing_is_named(tmp_path: Path) -> None:
    """Taken away after the plan was approved: the checklist says which right it is, and the keeper deletes it."""
    with staged(tmp_path) as stage:
        stage.start()
        stage.file()
        stage.until(lambda document: document["phase"] == "delete-users")
        play(stage, "consent", {"resourceRole": False})
        document = stage.ended()

        assert "closed" == document["result"], stage.log()
        assert 0 == deletes(stage)
        assert "Contributor" in asked(stage)["delete-tenant"]["why"]


def test_an_operation_that_never_ends_is_the_keepers_after_a_day(tmp_path: Path) -> None:
    """Azure says 202 and never ends: not longer than a day (here ten seconds), and not sent a second time."""
    with staged(tmp_path) as stage:
        play(stage, "settings", {"lro": "never"})
        stage.start()
        stage.file()
        document = stage.ended(150)

        assert "closed" == document["result"], stage.log()
        assert 1 == deletes(stage)
        assert "not through with the deletion within a day" in asked(stage)["delete-tenant"]["why"]


@pytest.mark.parametrize("answer", ["delay", "dropAnswer"])
def test_killed_around_the_delete(tmp_path: Path, answer: str) -> None:
    """The host dies while the DELETE is on its way, or after its answer was lost: the same end, with one DELETE."""
    with staged(tmp_path) as stage:
        match = {"method": "DELETE", "pathRegex": "(?i)/ciamDirectories/"}
        play(stage, "faults", {"do": answer, "seconds": 3, "times": 1, "match": match})
        stage.start()
        stage.file()
        stage.until(lambda document: document["phase"] == "delete-tenant")
        end = time.monotonic() + 30
        while not deletes(stage):
            assert time.monotonic() < end, stage.log()
            time.sleep(0.05)
        stage.kill()
        stage.start()
        document = stage.ended()

        assert "closed" == document["result"], stage.log()
        clean(stage.score())
        assert 1 == deletes(stage)
        assert {} == asked(stage)
        assert 0 == stage.report()["resent"]
