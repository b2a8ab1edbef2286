"""Three seeds of the harness in every test run; `make chaos` carries out two hundred."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.chaos.schedule import KINDS, STRUCK, draw
from tests.chaos.seeds import Told, carry_out, failure
from tests.chaos.trouble import ORDER
from tests.rehearsals.stage import ROOT

SEEDS = (10, 13, 26)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_three_seeds_end_well() -> None:
    """Under kills, cuts and faults three closures end closed, with nothing lost, nothing extra, and a whole audit."""
    with ThreadPoolExecutor(2) as pool:
        all_told = list(pool.map(carry_out, SEEDS))

    assert "" == "\n".join(failure(told) for told in all_told if told.faults)
    assert ["closed"] * len(SEEDS) == [told.result for told in all_told]
    assert sum(told.hits["kill"] for told in all_told) >= len(SEEDS) / 2


def test_a_seed_is_its_schedule() -> None:
    """The same seed draws the same schedule, another one another; it is told in full."""
    assert draw(5) == draw(5)
    assert 50 == len({str(draw(seed)) for seed in range(50)})
    for stroke in draw(5).strokes:
        assert str(stroke) in str(draw(5))


def test_two_hundred_seeds_hold_every_kind_at_every_phase() -> None:
    """No kind of trouble and no phase is drawn so rarely that a whole run could miss it."""
    strokes = [stroke for seed in range(1, 201) for stroke in draw(seed).strokes]
    drawn = Counter(stroke.do for stroke in strokes)

    assert set(map(str, STRUCK)) == {stroke.phase for stroke in strokes} <= set(ORDER)
    assert {"kill", "cut", "fault", "tokens", "away", "spoil", "clock"} == drawn.keys()
    assert min(drawn.values()) >= 20
    assert len(KINDS) == 14


def test_a_failure_tells_how_to_replay_it() -> None:
    """A failing seed prints its schedule, what was wrong, and the command that does it again."""
    told = failure(Told(5, "closed", ["doubleDeletes is 1"]))

    assert told.startswith(f"FAILED {draw(5)}")
    assert "-> doubleDeletes is 1" in told
    assert told.endswith("make chaos SEED=5")


def test_a_failing_seed_fails_the_command(tmp_path: Path) -> None:
    """The command ends with 1 when a seed broke off, and says so in its last lines."""
    command = [sys.executable, "-m", "tests.chaos", "--seed", "5", "--keep", str(tmp_path / "missing")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert (1, "") == (done.returncode, done.stderr)
    assert "replay: make chaos SEED=5" in done.stdout
    assert "failed  1 (5)" in done.stdout
