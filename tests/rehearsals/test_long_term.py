"""A term of 365 days with a window that is shut: a normal run, whatever happens to the host in between."""

from __future__ import annotations

import itertools
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.rehearsals.stage import Stage, clean

RESTARTS = 20


@pytest.mark.slow
@pytest.mark.timeout(400)  # 485 days of a quarter of a second, and twenty starts
def test_a_year_s_term_survives_twenty_restarts(tmp_path: Path) -> None:
    """Renewal is turned off once, the term is waited for through twenty kill -9, and the tenant ends closed."""
    with Stage(tmp_path, "--users", "8", "--profile", "long", "--seed", "7", day=0.25) as stage:
        stage.start()
        stage.file()
        waiting = stage.until(lambda d: d["phase"] == "readiness" and bool(d["earliest"]), 60)
        earliest = datetime.fromisoformat(waiting["earliest"])
        lives = itertools.count(1)
        for _ in range(RESTARTS):
            time.sleep(1.0)
            stage.kill()
            stage.start()
            next(lives)
        assert next(lives) == RESTARTS + 1
        document = stage.ended(300)
        calls = {call: count for call, count in stage.score()["writeCalls"].items() if "billingSubscriptions" in call}

        assert document["result"] == "closed"
        assert list(calls.values()) == [1], calls
        assert datetime.fromisoformat(document["endedAt"]) >= earliest
        clean(stage.score())
