"""The write quota: however lanes take turns, no window sees more than the burst and what flowed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.policy.pacing import Bucket, share, tokens_left

START = datetime(2026, 11, 1, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@given(
    st.integers(1, 8),
    st.sampled_from([1.0, 5.0, 20.0]),
    st.integers(80, 3000),
    st.floats(0, 1),
    st.lists(st.tuples(st.integers(0, 7), st.integers(1, 80), st.floats(0, 30)), max_size=40),
)
def test_no_window_exceeds_the_limit(
    lanes: int, rate: float, burst: int, filled: float, turns: list[tuple[int, int, float]]
) -> None:
    """Over all lanes, any window of t seconds holds at most burst + rate * t writes when each lane waits as told."""
    buckets = [share(burst * filled, rate, burst, lanes, START) for _ in range(lanes)]
    clocks = [0.0] * lanes
    writes: list[tuple[float, int]] = []
    for turn, asked, idle in turns:
        lane = turn % lanes
        count = min(asked, int(buckets[lane].burst))
        now = clocks[lane] + idle
        now += buckets[lane].wait_for(count, later(now))
        buckets[lane] = buckets[lane].take(count, later(now))
        clocks[lane] = now
        writes.append((now, count))
    writes.sort()
    for first in range(len(writes)):
        total = 0
        for at, count in writes[first:]:
            total += count
            assert total <= burst + rate * (at - writes[first][0]) + 0.01


@given(st.integers(1, 500), st.floats(0, 600))
def test_a_debt_is_waited_for(count: int, passed: float) -> None:
    """Taking more than there is leaves a debt; the next write waits until it has flowed in again."""
    bucket = Bucket(20.0, 100.0, 100.0, START).take(count, START)
    now = later(passed)
    wait = bucket.wait_for(1, now)
    assert bucket.held(now + timedelta(seconds=wait)) >= 1 - 1e-4
    if wait > 0.001:
        assert bucket.held(now + timedelta(seconds=wait - 0.001)) < 1


def test_a_clock_that_goes_back_gives_nothing() -> None:
    """An hour back makes no tokens, and takes none away."""
    empty = Bucket(20.0, 100.0, 0.0, START)
    assert 0 == empty.held(later(-3600))
    assert empty.wait_for(1, later(-3600)) == pytest.approx(0.05)


def test_a_request_larger_than_the_bucket_waits_for_a_full_one() -> None:
    """More than the burst never waits for ever."""
    bucket = Bucket(10.0, 50.0, 0.0, START)
    assert bucket.wait_for(500, START) == pytest.approx(5.0)


@given(st.floats(0.1, 100), st.integers(1, 3000), st.floats(-500, 3000))
def test_a_bucket_crosses_a_durable_boundary(rate: float, burst: int, tokens: float) -> None:
    """What is carried from one activity to the next reads back as it was."""
    bucket = Bucket(rate, float(burst), tokens, START)
    assert Bucket.from_dict(bucket.to_dict()) == bucket


def test_lanes_share_what_is_there() -> None:
    """Tokens and rate of all lanes add up to the tenant's."""
    lane = share(1000.0, 20.0, 3000.0, 4, START)
    assert (lane.tokens * 4, lane.rate * 4, lane.burst * 4) == (1000, 20, 3000)


def test_a_lane_of_a_small_burst_can_still_write() -> None:
    """However many lanes share a burst, each can save up one write."""
    assert 1 == share(2.0, 20.0, 2.0, 4, START).burst


def test_a_spent_quota_is_empty() -> None:
    """A debt of earlier writes is told as nothing left, not as less."""
    assert 0 == tokens_left(3000, 20, [(START, 3500)], later(1))


def test_an_unused_quota_is_full() -> None:
    """Before the first write the whole burst is there."""
    assert tokens_left(3000, 20, [], START) == 3000


def test_an_idle_week_saves_nothing_up() -> None:
    """Writes right after a long pause have emptied the bucket, however long the closure has been running."""
    made = [(START, 10), (later(7 * 86400), 3000)]
    assert tokens_left(3000, 20, made, later(7 * 86400 + 10)) == pytest.approx(200)


@given(st.lists(st.tuples(st.floats(0, 500), st.integers(1, 300)), max_size=20), st.floats(0, 30), st.floats(0, 300))
def test_tokens_left_never_promises_too_much(writes: list[tuple[float, int]], late: float, after: float) -> None:
    """Known only by a later moment, the writes never make the estimate larger than the service's own bucket."""
    service = Bucket(20.0, 3000.0, 3000.0, START)
    for at, count in sorted(writes):
        service = service.take(count, later(at))
    end = max([at for at, _ in writes], default=0.0) + late + after
    known = [(later(at + late), count) for at, count in writes]
    assert tokens_left(3000, 20, known, later(end)) <= max(0.0, service.held(later(end))) + 0.01
