"""What a program's report is worth, and how near to the quota it went."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.judging import Verdict, figures, judge, optimum, share_of_optimum
from benchmarks.scenarios import SCENARIOS

SEEN = {
    "deleted": 9_999,
    "left": 0,
    "firstDelete": 1_000.0,
    "lastDelete": 1_357.0,
    "provenAt": 1_360.0,
    "requests": 600,
    "writes": 9_999,
    "throttled": 1,
    "tokensAtFirstDelete": 3_000.0,
    "neighbourRate": 0.0,
    "peakBytes": 150_000_000,
}


def seen(**changes: Any) -> dict[str, Any]:
    return {**SEEN, **changes}


def test_a_true_report_is_neither_wrong_nor_lossy() -> None:
    """Deleted and gone are gone, who is left is named as failed."""
    assert Verdict(0, 0) == judge({"a": "deleted", "b": "gone", "c": "failed"}, ["a", "b"], 1)


@pytest.mark.parametrize(
    ("reported", "deleted", "left", "expected"),
    [
        ({"a": "deleted", "b": "deleted"}, ["a"], 1, Verdict(1, 1)),
        ({"a": "deleted", "b": "gone"}, ["a"], 1, Verdict(1, 1)),
        ({"a": "failed"}, ["a"], 0, Verdict(1, 0)),
        ({}, ["a", "b"], 0, Verdict(2, 0)),
        ({"a": "deleted"}, ["a"], 3, Verdict(0, 3)),
        ({"a": "failed", "b": "failed"}, ["b"], 1, Verdict(1, 0)),
    ],
    ids=["told gone but there", "told absent but there", "told failed but gone", "not told", "left unnamed", "mixed"],
)
def test_each_way_to_be_wrong_counts(
    reported: dict[str, str], deleted: list[str], left: int, expected: Verdict
) -> None:
    """A word that the tenant belies is wrong; who is left without being named as left is lost."""
    assert expected == judge(reported, deleted, left)


def test_the_optimum_is_the_burst_and_then_the_rate() -> None:
    """Tokens that are there cost no time; a bucket fuller than the work makes it nothing."""
    assert 349.95 == optimum(9_999, 3_000, 20)
    assert 0.0 == optimum(100, 3_000, 20)


def test_the_share_is_measured_from_first_to_last_deletion() -> None:
    """9,999 writes from a full bucket take 349.95 s at best; 357 s are 98 percent of that."""
    share = share_of_optimum(SCENARIOS["quota"], SEEN)

    assert share is not None
    assert 0.9803 == round(share, 4)


@pytest.mark.parametrize(
    ("scenario", "changes"),
    [
        ("free", {}),
        ("quota", {"deleted": 2_000}),
        ("quota", {"tokensAtFirstDelete": None}),
        ("quota", {"lastDelete": 1_000.0}),
        ("neighbour", {"neighbourRate": 20.0}),
    ],
)
def test_there_is_no_share_where_no_quota_was_met(scenario: str, changes: dict[str, Any]) -> None:
    """Without a quota, within the burst, or with one deletion only there is nothing to compare with."""
    assert share_of_optimum(SCENARIOS[scenario], seen(**changes)) is None


def test_what_the_neighbour_got_is_not_ours_to_use() -> None:
    """With ten of the twenty a second gone, twice the time is the optimum."""
    share = share_of_optimum(SCENARIOS["neighbour"], seen(neighbourRate=10.0, lastDelete=1_699.9))

    assert share is not None
    assert 1.0 == round(share, 6)


def test_a_run_becomes_a_row() -> None:
    """Wall time goes to the proof, the pace is deletions over it, and a 429 counts among all tries."""
    row = figures(SCENARIOS["quota"], {**SEEN, "events": 500, "largestHistory": 90}, Verdict(0, 0))

    assert (360.0, 27.775, 1 / 10_000, 150.0) == (
        row["seconds"],
        row["perSecond"],
        row["throttledShare"],
        row["peakMb"],
    )
    assert (500, 90) == (row["events"], row["largestHistory"])
    assert 50.0 == round(row["eventsPerThousand"], 1)


def test_another_program_has_no_histories() -> None:
    """What was not measured stays empty instead of nothing."""
    row = figures(SCENARIOS["free"], SEEN, Verdict(0, 0))

    assert (None, None, None) == (row["events"], row["eventsPerThousand"], row["optimumShare"])
