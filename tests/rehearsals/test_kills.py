"""kill -9 of the host anywhere, start again: the same end, nothing sent twice, nobody asked again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rehearsals.stage import Stage, clean

pytestmark = [pytest.mark.slow, pytest.mark.timeout(170)]


def in_phase(*phases: str) -> Callable[[Stage], bool]:
    """True once the closure is in one of these phases."""
    return lambda stage: stage.status()["phase"] in phases


def users_gone(count: int) -> Callable[[Stage], bool]:
    """True once the simulator has seen so many users deleted."""
    return lambda stage: stage.score()["usersDeleted"] >= count


MOMENTS = (
    in_phase("survey", "gate-plan"),
    users_gone(250),
    in_phase("cancel-subscriptions", "delete-subscriptions"),
    in_phase("applications", "readiness", "gate-delete-tenant"),
    in_phase("delete-tenant"),
)


def test_kill_and_go_on(tmp_path: Path) -> None:
    """Killed in each part of its story, a closure goes on by itself after each start and ends as if nothing was."""
    with Stage(tmp_path, "--users", "800", "--seed", "11", "--latency-ms", "60") as stage:
        stage.start()
        assert stage.file().status_code == 202
        for moment in MOMENTS:
            stage.until(lambda _, moment=moment: moment(stage))
            stage.kill()
            stage.start()
        document = stage.ended()

        assert document["result"] == "closed"
        clean(stage.score())
        report = stage.report()
        assert sorted(d["gate"] for d in report["approvals"]) == ["delete-tenant"] * 2 + ["plan"] * 2
        assert report["audit"]["ok"]
        users = report["counts"]["users"]
        assert users["removed"] + users["absent"] == users["planned"] == 799


def test_many_kills(tmp_path: Path) -> None:
    """Killed every second or so, a closure still ends closed and no user is deleted twice."""
    with Stage(tmp_path, "--users", "600", "--seed", "12", "--latency-ms", "60") as stage:
        stage.start()
        assert stage.file().status_code == 202
        for _ in range(4):
            until = time.monotonic() + 1.5
            stage.until(lambda _, until=until: time.monotonic() > until)
            stage.kill()
            stage.start()

        assert stage.ended()["result"] == "closed"
        clean(stage.score())
