"""A service in trouble for a while: the closure waits, says why and until when, and loses nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.rehearsals.stage import Stage, clean

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def fault(stage: Stage, **rule: Any) -> None:
    stage.web.post(f"{stage.sim['url']}/_sim/faults", json=rule).raise_for_status()


def blocker(document: dict[str, Any], what: str) -> dict[str, Any] | None:
    return next((one for one in document["blockers"] if one["what"] == what), None)


def test_a_page_that_fails_and_a_service_that_takes_nothing(tmp_path: Path) -> None:
    """A listing that breaks off, then nothing but 429: each shows with its reason, and nobody is lost."""
    with Stage(tmp_path, "--users", "120", "--seed", "71", "--quota", "3000/150") as stage:
        stage.start()
        fault(stage, match={"method": "GET", "pathRegex": "/users$"}, do="status", status=500, times=3)
        assert stage.file().status_code == 202
        broken = blocker(stage.until(lambda document: blocker(document, "listing") is not None), "listing")
        assert broken is not None
        assert "nothing goes on until it is whole" in broken["remedy"]

        stage.until(lambda document: document["gate"] is not None, approve=False)
        fault(stage, match={"pathRegex": r"/v1.0/\$batch$"}, do="status", status=429, retryAfter="0.5", times=1000)
        slowed = blocker(stage.until(lambda document: blocker(document, "users-slowed") is not None), "users-slowed")
        stage.web.delete(f"{stage.sim['url']}/_sim/faults").raise_for_status()
        assert slowed is not None
        assert "429" in slowed["why"]
        assert slowed["earliest"] is not None

        assert stage.ended(150)["result"] == "closed"
        clean(stage.score())
        assert stage.score()["usersKept"] == 1
