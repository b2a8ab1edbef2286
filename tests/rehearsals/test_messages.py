"""Messages that don't arrive and people who don't answer: who hears of it, and who is asked in their place."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsals.stage import APPROVERS, CHANNEL, GATES, Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def inbox(stage: Stage, who: str) -> list[dict[str, Any]]:
    """What this address has received so far."""
    found: list[dict[str, Any]] = stage.web.get(f"{stage.sim['url']}/_sim/inbox.json", params={"to": who}).json()[
        "messages"
    ]
    return found


def eventually(stage: Stage, seen: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until it is seen."""
    end = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < end, stage.log()
        time.sleep(0.2)


def test_refused_mail_is_shown_and_a_deputy_asked(tmp_path: Path) -> None:
    """Bob's mailbox refuses for good: the page says so, the requester and the channel hear of it, Dan may decide."""
    with Stage(tmp_path, "--users", "40", "--seed", "61") as stage:
        refusal = {"to": "bob@fabrikam.com", "status": 400, "code": "ErrorInvalidRecipients"}
        stage.web.post(f"{stage.sim['url']}/_sim/inbox/refuse", json=refusal).raise_for_status()
        stage.start()
        assert stage.file().status_code == 202
        eventually(stage, lambda: bool(inbox(stage, "dan@fabrikam.com")))
        told = "could not be delivered"
        eventually(stage, lambda: any(told in m["text"] for m in inbox(stage, "olga@fabrikam.com")))
        eventually(stage, lambda: any("bob@fabrikam.com" in m["text"] for m in inbox(stage, CHANNEL)))
        page = stage.web.get(f"{stage.base}/closures/{stage.closure}").text
        gate = stage.status()["gate"]
        assert "bob@fabrikam.com" in page
        assert "ErrorInvalidRecipients" in page
        assert [] == inbox(stage, "bob@fabrikam.com")
        for who in ("dan@fabrikam.com", "cyd@fabrikam.com"):
            assert 202 == stage.decide(gate, who).status_code

        assert "closed" == stage.ended()["result"]


def test_passing_trouble_is_tried_again(tmp_path: Path) -> None:
    """Two 503s delay a mail; it comes once, and nobody is told that it failed."""
    with Stage(tmp_path, "--users", "40", "--seed", "62") as stage:
        trouble = {"to": "ann@fabrikam.com", "status": 503, "times": 1}
        stage.web.post(f"{stage.sim['url']}/_sim/inbox/refuse", json=trouble).raise_for_status()
        stage.start()
        assert stage.file().status_code == 202
        eventually(stage, lambda: bool(inbox(stage, "ann@fabrikam.com")))
        time.sleep(1)

        assert 1 == len(inbox(stage, "ann@fabrikam.com"))
        assert [] == inbox(stage, "olga@fabrikam.com")
        assert [] == inbox(stage, "dan@fabrikam.com")


def test_silence_is_reminded_of_and_then_escalated(tmp_path: Path) -> None:
    """Ann answers, the others don't: only they are reminded, then the deputy of what is missing is asked as well."""
    with Stage(tmp_path, "--users", "40", "--seed", "63") as stage:
        rule = {"groups": {"it": 1, "owner": 1}, "distinct": 2, "remindAfterDays": [60.0], "escalateAfterDays": 120.0}
        stage.policy = {
            **stage.policy,
            "deputies": {"owner": ["dan@fabrikam.com"]},
            "gates": dict.fromkeys(GATES, rule),
        }
        stage.start()
        assert stage.file().status_code == 202
        gate = stage.until(lambda document: document["gate"] is not None, approve=False)["gate"]
        assert 202 == stage.decide(gate, APPROVERS[0]).status_code
        reminder = "Reminder"
        eventually(stage, lambda: any(reminder in m["subject"] for m in inbox(stage, "cyd@fabrikam.com")))
        eventually(stage, lambda: bool(inbox(stage, "dan@fabrikam.com")))

        assert not any(reminder in m["subject"] for m in inbox(stage, "ann@fabrikam.com"))
        assert 202 == stage.decide(gate, "dan@fabrikam.com").status_code
        assert "delete-users" == stage.until(lambda d: d["phase"] == "delete-users", approve=False)["phase"]
