"""The task hub is emptied while the host lives: the sweep goes on from Records, ends right, and asks nobody anew."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsals.stage import APPROVERS, CHANNEL, ROOT, Stage, clean

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
HELD = ("cancel-subscription", "delete-tenant")
"""Tasks nobody does at first, so that the closure waits."""


class Forgetful(Stage):
    """A stage whose host forgets all its orchestrations at a word."""

    command = ("-m", "tests.rehearsals.emptying", "--app-dir", str(ROOT))

    def empty(self) -> None:
        """Empty the hub, and wait until the sweep has put another run in place."""
        epoch = self.epochs()
        assert self.host is not None
        self.host.send_signal(signal.SIGUSR1)
        self.until(lambda _: self.epochs() > epoch, 10, approve=False)

    def epochs(self) -> int:
        """How many runs have begun."""
        return len(self.audited("closure:started"))

    def audited(self, word: str) -> list[dict[str, Any]]:
        """Details of the audit lines of one word."""
        lines = self.web.get(f"{self.base}/api/closures/{self.closure}/audit").text.splitlines()
        return [line["detail"] for line in map(json.loads, lines) if line["word"] == word]


def test_emptied_wherever_it_waits_and_works(tmp_path: Path) -> None:
    """With one of two approvals given, while users go, while subscriptions and while a person are waited for."""
    paced = {"CLOSURE_WRITE_LIMIT": "60/40"}
    with Forgetful(tmp_path, "--users", "160", "--seed", "61", settings=paced) as stage:
        stage.skip = HELD
        stage.start()
        assert stage.file().status_code == 202
        gate = stage.until(lambda document: document["gate"] is not None, approve=False)["gate"]
        stage.asked(CHANNEL, *APPROVERS)  # who has decided before is not asked any more
        assert stage.decide(gate, APPROVERS[0]).status_code == 202
        stage.empty()
        assert stage.decide(gate, APPROVERS[1]).status_code == 202

        stage.until(lambda _: stage.score()["usersDeleted"] >= 40, approve=False)
        stage.empty()
        assert stage.score()["usersKept"] > 20, "it was emptied too late to show anything"

        stage.until(lambda document: document["phase"] == "readiness" and document["tasks"]["open"], approve=False)
        stage.empty()
        stage.skip = HELD[1:]
        stage.robot()

        stage.until(lambda document: document["phase"] == "delete-tenant" and document["tasks"]["open"])
        stage.empty()
        stage.skip = ()
        stage.robot()
        document = stage.ended()

        assert "closed" == document["result"]
        clean(stage.score())
        report = stage.report()
        assert ["delete-tenant"] * 2 + ["plan"] * 2 == sorted(one["gate"] for one in report["approvals"])
        users = report["counts"]["users"]
        assert 159 == users["planned"] == users["removed"] + users["absent"]
        assert (True, 5) == (report["audit"]["ok"], stage.epochs())
        assert ["plan", "delete-tenant"] == [one["gate"] for one in stage.audited("gate:opened")]
        assert [] == stage.audited("gate:reopened")
        asked = Counter((one["gate"], one["to"]) for one in stage.audited("notice:sent") if one["kind"] == "ask")
        assert {("plan", who) for who in (None, *APPROVERS)} < set(asked)
        assert {1} == set(asked.values()), "somebody was asked again"
