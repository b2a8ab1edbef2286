"""The plan of runs: who, in which order, side by side or alone, and what it takes on paper."""

from __future__ import annotations

import pytest

from benchmarks import runs
from benchmarks.known import settings
from benchmarks.runs import Run, estimate, in_stages, quick, series, startable, whole
from benchmarks.scenarios import SCENARIOS

ALL = settings()


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan is made for the machine; the tests for one of two processors."""
    monkeypatch.setattr(runs, "CORES", 2.0)


def test_runs_are_interleaved() -> None:
    """Ours, d, e, ours, d, e: what the machine does meanwhile meets all of them."""
    assert ["ours", "serial_batch", "ours", "serial_batch"] == [
        run.contender for run in series(("ours", "serial_batch"), 10, "free", 2, {})
    ]


def test_every_run_has_a_name_of_its_own() -> None:
    """A bench that goes on tells by it what is done."""
    for plan in (whole(5, ALL), quick(ALL)):
        assert len(plan) == len({run.key for run in plan})


def test_the_whole_plan_has_what_must_be_shown() -> None:
    """Three programs five times at 10,000, with quota and without; ours at 100,000 and a million; every peer."""
    plan = whole(5, ALL)
    for scenario in ("free", "quota"):
        for name in ("ours", "serial_batch", "bare_loop"):
            assert 5 == sum((name, 10_000, scenario) == (r.contender, r.users, r.scenario) for r in plan)
    assert {100_000, 1_000_000} <= {run.users for run in plan if run.contender == "ours"}
    assert set(SCENARIOS) == {run.scenario for run in plan}
    assert {(name, setting) for name, own in ALL.items() for setting in own} <= {(r.contender, r.setting) for r in plan}


def test_fast_runs_have_the_machine_for_themselves() -> None:
    """Without a quota everything else would be measured with it; what waits for tokens can wait side by side."""
    alone, shared, last = in_stages(whole(5, ALL))

    assert {"free"} == {run.scenario for run in alone}
    assert {"m365", "sdk_loop"} == {run.contender for run in shared if run.scenario == "free"}
    assert {1_000_000} == {run.users for run in last if run.scenario == "free"}


def test_no_more_is_started_than_the_machine_carries() -> None:
    """A run is started when its part of the processor is free, and a later one that fits goes before it."""
    quota, fast = Run("ours", 10_000, "quota"), Run("ours", 10_000, "free")

    assert quota == startable([fast, quota], [Run("m365", 10, "free")])
    assert startable([fast], [quota]) is None
    assert fast == startable([fast], [])
    assert startable([quota], [quota] * runs.SIDE_BY_SIDE) is None


def test_the_estimate_adds_and_overlaps() -> None:
    """Two alone take the sum; two side by side take the longer one and the time between their starts."""
    fast, slow = Run("bare_loop", 1_000, "free"), Run("bare_loop", 10_000, "quota")

    assert 2 * fast.seconds == estimate([fast, fast])
    assert slow.seconds + runs.STAGGER_SECONDS == estimate([slow, slow])


def test_an_estimate_knows_the_quota() -> None:
    """What the bucket does not hold at once takes its time, and a neighbour takes part of it."""
    free, quota = Run("bare_loop", 5_000, "free"), Run("bare_loop", 5_000, "quota")

    assert 100.0 + runs.LITTLE == quota.seconds
    assert 200.0 + runs.LITTLE == Run("bare_loop", 5_000, "neighbour").seconds
    assert free.seconds < quota.seconds


def test_a_run_crosses_to_its_process_and_back() -> None:
    """What is written for the process of a run is the run again."""
    run = Run("sdk_gather", 100, "spent", 2, "60 at once")

    assert run == Run.from_dict(run.to_dict())
    assert "sdk_gather (60 at once) 100 spent #2" == run.key
