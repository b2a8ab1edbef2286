"""The write quota: however lanes take turns, no window sees more than the burst and what flowed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.policy.pacing import LEAST, Bucket, parts, shared, tokens_left

START = datetime(2026, 11, 1, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@given(
    st.lists(st.integers(0, 500), min_size=1, max_size=8),
    st.sampled_from([1.0, 5.0, 20.0]),
    st.integers(80, 3000),
    st.floats(0, 1),
    st.lists(st.tuples(st.integers(0, 7), st.integers(1, 80), st.floats(0, 30)), max_size=40),
)
def test_no_window_exceeds_the_limit(
    work: list[int], rate: float, burst: int, filled: float, turns: list[tuple[int, int, float]]
) -> None:
    """Over all lanes, any window of t seconds holds at most burst + rate * t writes when each lane waits as told."""
    buckets = [shared(burst * filled, rate, burst, part, START) for part in parts(work)]
    # However small its part, a lane can save up one write; those come on top.
    burst += sum(1 for bucket in buckets if bucket.burst == 1)
    lanes = len(work)
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


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=32))
def test_lanes_share_what_is_there(work: list[int]) -> None:
    """Tokens and rate of all lanes add up to the tenant's, and no lane is left without any."""
    lanes = [shared(3000.0, 20.0, 3000.0, part, START) for part in parts(work)]
    assert 3000 == pytest.approx(sum(lane.tokens for lane in lanes))
    assert 20 == pytest.approx(sum(lane.rate for lane in lanes))
    assert all(lane.rate > 0 for lane in lanes)


def test_lanes_with_uneven_work_end_together() -> None:
    """A lane with twice the work gets twice the quota, so each has its last token at the same moment."""
    lanes = [shared(300.0, 20.0, 3000.0, part, START) for part in parts([500, 1000, 2000])]
    ends = [lane.take(count, START).wait_for(0, START) for lane, count in zip(lanes, (500, 1000, 2000), strict=True)]
    assert [(3500 - 300) / 20] * 3 == pytest.approx(ends)


def test_a_lane_of_a_small_burst_can_still_write() -> None:
    """However many lanes share a burst, each can save up one write."""
    assert 1 == shared(2.0, 20.0, 2.0, 0.25, START).burst


# -- learning --------------------------------------------------------------------------------------------------------
def test_a_429_empties_the_bucket_and_slows_down() -> None:
    """What we thought to hold is gone, a debt stays, and less flows in than before."""
    full, debt = Bucket(20.0, 100.0, 100.0, START), Bucket(20.0, 100.0, -40.0, START)
    assert (0, 14) == (full.throttled(START).tokens, full.throttled(START).rate)
    assert -40 == debt.throttled(START).tokens


def test_trouble_that_lasts_never_stops_the_flow() -> None:
    """After any number of 429 a little still flows, the bucket says so, and the way back leads to the old pace."""
    bucket = Bucket(20.0, 100.0, 0.0, START)
    for _ in range(200):
        bucket = bucket.throttled(START)
    assert 20 * LEAST == pytest.approx(bucket.rate)
    assert (True, 20) == (bucket.slowest, bucket.ceiling)
    for _ in range(20):
        bucket = bucket.passed(20, START)
    assert (False, True) == (bucket.slowest, bucket.rate > 0.85 * 20)


def test_the_limit_is_never_exceeded_by_growing() -> None:
    """Success upon success brings the pace to the limit and no further."""
    bucket = Bucket(20.0, 100.0, 0.0, START).throttled(START)
    for _ in range(500):
        bucket = bucket.passed(20, START)
    assert 20 == bucket.rate


def run(bucket: Bucket, quota: float, seconds: float) -> tuple[int, int]:
    """(passed, refused) of batches of 20 against a service with another quota, with a burst of 20."""
    service, now, through, refused = Bucket(quota, 20.0, 20.0, START), 0.0, 0, 0
    while now < seconds:
        now += max(0.05, bucket.wait_for(20, later(now)))
        bucket = bucket.take(20, later(now))
        room = min(20, max(0, int(service.held(later(now)) + 0.01)))
        service = service.take(room, later(now))
        through, refused = through + room, refused + 20 - room
        if room == 20:
            bucket = bucket.passed(20, later(now))
        else:
            bucket = bucket.throttled(later(now))
            now += 1.0  # Retry-After
    return through, refused


@pytest.mark.parametrize("quota", [0.7, 3.0, 10.0, 19.0])
def test_a_quota_below_the_published_one_is_learned(quota: float) -> None:
    """Within half an hour most of what there is has been used, and few writes were refused on the way."""
    through, refused = run(Bucket(20.0, 3000.0, 0.0, START), quota, 1800.0)
    assert through > 0.8 * quota * 1800
    assert refused < 0.15 * (through + refused)


def test_the_published_quota_is_used_without_a_refusal() -> None:
    """Where the published quota is true, nothing is refused and nothing is left."""
    through, refused = run(Bucket(20.0, 3000.0, 0.0, START), 20.0, 600.0)
    assert (0, True) == (refused, through >= 11_980)


def test_a_bucket_that_others_empty_is_followed_down() -> None:
    """The service says that 97 of 100 are used while we count 50 left: then 3 are left."""
    bucket = Bucket(1.0, 100.0, 50.0, START)
    assert 3 == pytest.approx(bucket.told(0.97, START).tokens)
    assert 0 == bucket.told(1.8, START).tokens


def test_a_lane_that_is_behind_keeps_its_part() -> None:
    """Three lanes of four have used all of theirs: the bucket is three quarters empty, and the rest is ours."""
    lane = shared(3000.0, 20.0, 3000.0, 0.25, START)
    assert lane == lane.told(0.75, START)
    assert (750, 60) == (lane.told(0.73, START).tokens, pytest.approx(lane.told(0.92, START).tokens))


def test_our_own_use_explains_what_the_service_says() -> None:
    """A word that fits our own count, rounded and a little old, changes nothing; nor does one that is better."""
    bucket = Bucket(1.0, 100.0, 5.0, START)
    assert bucket == bucket.told(0.98, START) == bucket.told(0.8, START) == bucket.told(0.0, START)


def test_another_limit_is_taken_over() -> None:
    """Less to share slows down at once; more is used at once only by those who have met no trouble."""
    free, met = Bucket(20.0, 100.0, 7.0, START), Bucket(20.0, 100.0, 7.0, START).throttled(START)
    assert (10, 20) == (free.limited(10, START).rate, free.limited(10, START).limited(20, START).rate)
    assert (14, 30) == (met.limited(30, START).rate, met.limited(30, START).limit)
    assert free is free.limited(20, later(5))


def test_a_new_limit_counts_from_now_with_what_is_held() -> None:
    """Taking over another limit keeps the tokens of that moment, and trouble is looked for at the new limit."""
    bucket = Bucket(20.0, 100.0, 0.0, START).limited(10.0, later(2))
    assert (40.0, later(2), 10.0, 10.0, 10.0) == (
        bucket.tokens,
        bucket.at,
        bucket.rate,
        bucket.limit,
        bucket.ceiling,
    )


def test_trouble_is_first_expected_at_the_limit() -> None:
    """A bucket that was never refused looks for trouble at its limit only."""
    assert Bucket(20.0, 100.0, 0.0, START).ceiling == 20.0


def test_what_flowed_in_before_a_429_is_gone() -> None:
    """After a 429 the bucket is empty at that moment, and no success has followed it."""
    bucket = Bucket(20.0, 100.0, 0.0, START).throttled(later(10))
    assert 0.0 == bucket.held(later(10))
    assert bucket.clean is False


@pytest.mark.parametrize(("rate", "after"), [(4.0, 6.0), (19.0, 19.19)])
def test_the_way_back_is_fast_far_below_the_trouble_and_slow_near_it(rate: float, after: float) -> None:
    """Twenty writes without trouble raise the pace by half far below the last trouble, by a hundredth near it."""
    bucket = Bucket(rate, 100.0, 0.0, START, limit=20.0, ceiling=20.0).passed(20, START)
    assert after == pytest.approx(bucket.rate)


def test_the_services_word_counts_from_when_it_came() -> None:
    """What the service says it holds is what it holds now; nothing that flowed in before comes on top."""
    assert 500.0 == Bucket(20.0, 1000.0, 1000.0, START).told(0.5, later(10)).held(later(10))


def test_a_word_within_the_slack_changes_nothing() -> None:
    """The service may lie below our count by the whole slack; only beyond it its word is taken."""
    bucket = Bucket(20.0, 1000.0, 1000.0, START)
    assert bucket == bucket.told(0.05, START)
    assert bucket != bucket.told(0.051, START)


def test_an_empty_bucket_promises_what_flows_in() -> None:
    """What will be there soon is what is held and what flows in, and no more."""
    assert 20 == Bucket(20.0, 100.0, 0.0, START).within(1.0, START)


def test_a_lane_with_nothing_to_write_gets_the_part_of_one_write() -> None:
    """A lane that only looks up lost answers is weighed as one write beside the others."""
    assert [0.25, 0.75] == parts([0, 3])


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
