"""The published write quota: a burst of 3,000, then 20 a second, with nothing lost and hardly a 429."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rehearsals.stage import Stage, clean

pytestmark = [pytest.mark.slow, pytest.mark.timeout(170)]


def test_burst_then_twenty_a_second(tmp_path: Path) -> None:
    """3,300 users: the bucket's burst goes at once, the rest at no more than the sustained rate."""
    with Stage(tmp_path, "--users", "3300", "--profile", "large", "--seed", "5", "--quota", "3000/150") as stage:
        stage.start()
        assert stage.file().status_code == 202
        assert stage.ended(150)["result"] == "closed"

        score = stage.score()
        clean(score)
        per_second = [count for _, count in score["writesPerSecond"]]
        assert max(per_second) > 200, "the burst was not used"
        total, waited = 0, []
        for count in per_second:
            if total >= 2900:
                waited.append(count)
            total += count
        sustained = waited[1:11]
        assert sum(sustained) / len(sustained) <= 40, "the sustained rate was passed"
        assert score["throttled"] <= score["writes"] * 0.02
