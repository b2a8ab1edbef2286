"""Fan-out over shards: every shard once, one at a time in each lane, held ones come round."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrators import ORCHESTRATORS
from orchestrators.run_phase import ROUNDS, STEPS
from tests.orchestrators.stepper import Call, Instance, Stepper, Trouble

ORDER = {
    "schema": 1,
    "closureId": "c",
    "epoch": 1,
    "serial": 1,
    "family": "users",
    "operation": "delete",
    "rate": 20.0,
    "burst": 3000,
}


def fan_out(first: int, last: int, lanes: int, work: Any = None, **more: Any) -> tuple[Stepper, Instance]:
    """Run `run_phase` over shards `first` to `last`."""
    stepper = Stepper(ORCHESTRATORS, {"work_shard": work or done, "share_quota": shared}, **more)
    instance = stepper.start("run_phase", {**ORDER, "first": first, "last": last, "lanes": lanes}, "phase")
    return stepper.run(), instance


def shared(order: dict[str, Any]) -> dict[str, Any]:
    """Each lane's part and its bucket, numbered."""
    lanes = order["lanes"]
    return {"parts": [1 / lanes] * lanes, "buckets": [{"lane": lane, "calls": 0} for lane in range(lanes)]}


def done(order: dict[str, Any]) -> dict[str, Any]:
    """The shard is done; the bucket counts the calls of its lane."""
    bucket = order["bucket"]
    return {"state": "done", "bucket": {**bucket, "calls": bucket["calls"] + 1}, "retryAfter": 0.0}


def by_lane(stepper: Stepper) -> dict[str, list[Call]]:
    """The calls of each lane in order."""
    found: dict[str, list[Call]] = {}
    for call in stepper.of("work_shard"):
        found.setdefault(call.instance, []).append(call)
    return found


@settings(max_examples=25, deadline=None)
@given(first=st.integers(0, 9), count=st.integers(1, 40), lanes=st.integers(1, 7), in_batches=st.booleans())
def test_every_shard_is_worked_exactly_once(first: int, count: int, lanes: int, in_batches: bool) -> None:
    """Whatever the numbers: no shard is left out or done twice, and no lane holds two at a time."""
    stepper, instance = fan_out(first, first + count, lanes, lasts={"work_shard": 7.0}, in_batches=in_batches)

    assert {} == instance.output
    assert list(range(first, first + count)) == sorted(call.order["shard"] for call in stepper.of("work_shard"))
    assert min(lanes, count) == len(by_lane(stepper))
    for calls in by_lane(stepper).values():
        assert all(later.at >= call.until for call, later in itertools.pairwise(calls))


def test_all_lanes_work_at_the_same_time() -> None:
    """Four lanes over twelve shards of 100 seconds take 300 seconds, four at a time."""
    stepper, _ = fan_out(0, 12, 4, lasts={"work_shard": 100.0})

    assert 300.0 == stepper.time
    assert {0.0: 4, 100.0: 4, 200.0: 4} == {
        at: sum(1 for call in stepper.of("work_shard") if call.at == at) for at in (0.0, 100.0, 200.0)
    }


def test_lanes_are_as_many_as_there_is_work_for_and_share_the_quota() -> None:
    """With fewer shards than lanes only as many lanes live as there are shards; each has its own part and bucket."""
    stepper, _ = fan_out(0, 3, 8)

    assert [3] == [call.order["lanes"] for call in stepper.of("share_quota")]
    assert [(0, 1 / 3), (1, 1 / 3), (2, 1 / 3)] == sorted(
        (call.order["bucket"]["lane"], call.order["part"]) for call in stepper.of("work_shard")
    )
    assert [3] * 3 == [call.order["lanes"] for call in stepper.of("work_shard")]


def test_bucket_is_handed_from_shard_to_shard_and_across_histories() -> None:
    """What is left of a lane's quota travels with the lane, over continue_as_new too, and never between lanes."""
    stepper, _ = fan_out(0, 3 * STEPS * 2, 2)

    lanes = set()
    for calls in by_lane(stepper).values():
        lane = calls[0].order["bucket"]["lane"]
        assert [{"lane": lane, "calls": n} for n in range(len(calls))] == [call.order["bucket"] for call in calls]
        lanes.add(lane)
    assert {0, 1} == lanes


def test_lane_starts_a_new_history_every_few_calls() -> None:
    """A lane of 200 shards never keeps more than one round of its steps in its history."""
    stepper, instance = fan_out(0, 200, 1)

    assert {} == instance.output
    assert 200 // STEPS + 1 == len(stepper.instances["phase:0002"].executions)
    assert stepper.longest()["run_lane"] <= 6 * STEPS + 10


def test_more_goes_on_at_once_with_the_same_shard() -> None:
    """An activity that hands back for time is called again for its shard without a wait or a lost round."""
    answers = iter([{"state": "more", "bucket": {"calls": 1}, "retryAfter": 0.0}] * 3)
    stepper, _ = fan_out(0, 2, 1, lambda order: next(answers, None) or done(order))

    assert [0, 0, 0, 0, 1] == [call.order["shard"] for call in stepper.of("work_shard")]
    assert {0} == {call.order["round"] for call in stepper.of("work_shard")}
    assert [] == stepper.names("timer")


def test_held_shard_comes_round_on_a_durable_timer_and_ends_with_final() -> None:
    """A held shard waits as long as it was told; the last round is final, and only then the next shard comes."""
    waits = [61.0, 3600.0, 90_000.0, 0.0, 5.0]
    held = iter(waits)

    def work(order: dict[str, Any]) -> dict[str, Any]:
        wait = next(held, None) if order["shard"] == 0 else None
        return done(order) if wait is None else {"state": "held", "bucket": order["bucket"], "retryAfter": wait}

    stepper, instance = fan_out(0, 2, 1, work)
    calls = stepper.of("work_shard")

    assert {} == instance.output
    assert waits == stepper.waits("phase:0002")
    assert [0] * 6 + [1] == [call.order["shard"] for call in calls]
    assert [False] * ROUNDS + [True, False] == [call.order["final"] for call in calls]
    assert [*range(ROUNDS + 1), 0] == [call.order["round"] for call in calls]


def test_shard_that_only_waits_for_quota_counts_no_round() -> None:
    """However often a shard has to wait for the service, none of its items comes nearer to being given up."""
    waits = iter(range(ROUNDS + 10))

    def work(order: dict[str, Any]) -> dict[str, Any]:
        wait = next(waits, None) is not None
        return {"state": "wait", "bucket": order["bucket"], "retryAfter": 90.0} if wait else done(order)

    stepper, instance = fan_out(0, 1, 1, work)

    assert {} == instance.output
    assert [0] * (ROUNDS + 11) == [call.order["round"] for call in stepper.of("work_shard")]
    assert [90.0] * (ROUNDS + 10) == stepper.waits("phase:0002")


def test_held_shard_of_one_lane_keeps_no_other_lane_waiting() -> None:
    """While one lane waits an hour, the others finish their shards."""

    def work(order: dict[str, Any]) -> dict[str, Any]:
        if order["shard"] == 0 and order["round"] == 0:
            return {"state": "held", "bucket": order["bucket"], "retryAfter": 3600.0}
        return done(order)

    stepper, _ = fan_out(0, 9, 3, work, lasts={"work_shard": 1.0})
    ends = {lane: calls[-1].until for lane, calls in by_lane(stepper).items()}

    assert [3.0, 3.0, 3604.0] == sorted(ends.values())


@pytest.mark.parametrize("reason", ["paused", "aborted", "rail", "fenced", "drift"])
def test_stop_of_one_lane_is_told_when_every_lane_has_ended(reason: str) -> None:
    """The phase returns the stop as a value; shards of other lanes that were being worked are finished."""

    def work(order: dict[str, Any]) -> dict[str, Any]:
        return {"stop": reason, "detail": "why"} if order["shard"] == 1 else done(order)

    stepper, instance = fan_out(0, 6, 3, work, lasts={"work_shard": 5.0})

    assert {"stop": reason, "detail": "why"} == instance.output
    assert {0, 1, 2, 3, 5} == {call.order["shard"] for call in stepper.of("work_shard")}


def test_lane_without_a_shard_of_its_own_ends_at_once() -> None:
    """A lane that starts past the end calls nothing."""
    stepper = Stepper(ORCHESTRATORS, {})
    lane = {**ORDER, "first": 0, "last": 3, "next": 3, "part": 1.0, "bucket": None, "round": 0, "lanes": 1}
    instance = stepper.start("run_lane", lane)
    stepper.run()

    assert {} == instance.output


def test_trouble_in_a_lane_waits_and_works_the_same_shard_again() -> None:
    """A failed call is tried again for its shard with the same order."""
    fails = iter([True, True])

    def work(order: dict[str, Any]) -> dict[str, Any]:
        if next(fails, False):
            raise Trouble("503")
        return done(order)

    stepper, instance = fan_out(0, 1, 1, work)

    assert {} == instance.output
    assert [1.0, 2.0] == stepper.waits("phase:0002")
    assert [stepper.of("work_shard")[0].order] * 3 == [call.order for call in stepper.of("work_shard")]
