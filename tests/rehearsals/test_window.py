"""An approved closure outside its deletion window: it waits, writes nothing, and says when the window opens."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.rehearsals.stage import APPROVERS, Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def test_nothing_is_written_outside_the_window(tmp_path: Path) -> None:
    """The window opens the day after tomorrow: the approval holds until its end, and an operator can still abort."""
    opening = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=2)
    with Stage(tmp_path, "--users", "40", "--seed", "81") as stage:
        gates = {gate: {**rule, "executeByDays": 8.0} for gate, rule in stage.policy["gates"].items()}
        window = {"days": [DAYS[opening.weekday()]], "from": "12:00", "to": "18:00", "timeZone": "UTC"}
        stage.policy = {**stage.policy, "gates": gates, "window": window}
        stage.start()
        assert stage.file().status_code == 202
        gate = stage.until(lambda document: document["gate"] is not None, approve=False)["gate"]
        for who in APPROVERS:
            assert 202 == stage.decide(gate, who).status_code
        held = stage.until(lambda d: (d["phase"], d["status"]) == ("freeze", "waiting"), approve=False)
        time.sleep(2)

        assert 0 == stage.score()["writes"]
        assert opening + timedelta(hours=6) == datetime.fromisoformat(held["inForce"][0]["executeBy"])
        page = stage.web.get(f"{stage.base}/closures/{stage.closure}").text
        assert f"{opening:%Y-%m-%d %H:%M} UTC" in page
        stop = stage.web.post(f"{stage.base}/api/closures/{stage.closure}/abort", json={"comment": "another day"})
        assert 202 == stop.status_code
        assert "aborted" == stage.ended()["result"]
        assert 0 == stage.score()["writes"]
