"""The meter: what a closure is said to use is what was asked of the engine, over histories, children and phases."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrators.metering import Meter
from tenantclosure.names import Activity, Phase
from tenantclosure.policy.usage import added, episodes, history_events
from tenantclosure.settings import Settings
from tests.orchestrators.stepper import Stepper, Trouble
from tests.orchestrators.tenant import DAY, HOUR, ORDER, ROOT, Tenant


def scheduled(stepper: Stepper) -> dict[str, int]:
    """What the engine was asked for, by everybody."""
    return {
        "histories": len(stepper.executions()),
        "activities": len(stepper.names("activity")),
        "timers": len(stepper.names("timer")),
        "children": len(stepper.names("child")),
    }


def eventful(**more: Any) -> Tenant:
    """A closure in which much happens: trouble, a pause, drift, a wait of weeks, a second readiness."""
    tenant = Tenant(quiet_days=2, lanes=2, shards={"users": (5, 3), "applications": (2, 2)}, **more)
    tenant.does("check_preflight", Trouble("503"))
    tenant.does("open_wave", {"stop": "drift", "detail": "1 new"})
    tenant.does("turn_off_mfa", {"stop": "paused", "detail": ""})
    tenant.does("judge_gate", {"state": "open", "seconds": DAY}, {"state": "open", "seconds": DAY})
    tenant.does("advance_subscription", {"done": False, "parked": False, "stage": "cancelling", "seconds": 20 * DAY})
    tenant.does("check_readiness", {"ready": False, "checks": [], "seconds": HOUR})
    return tenant


def test_the_count_is_what_was_scheduled() -> None:
    """Over the root's histories and all its children: every activity with its tries, timer, child and history."""
    stepper, instance = eventful().close()
    usage = instance.usage

    assert scheduled(stepper) == {name: usage[name] for name in scheduled(stepper)}
    # The stepper leaves the two events out that end an execution.
    written = sum(len(execution.history) + 2 for execution in stepper.executions())
    assert written == history_events(usage)
    assert stepper.episodes == episodes(usage)


@settings(max_examples=20, deadline=None)
@given(first=st.integers(0, 3), count=st.integers(1, 60), lanes=st.integers(1, 7), in_batches=st.booleans())
def test_lanes_are_counted_over_all_their_histories(first: int, count: int, lanes: int, in_batches: bool) -> None:
    """Whatever the numbers: what lanes carry from history to history arrives once in the phase that started them."""
    tenant = Tenant()
    stepper = tenant.stepper(in_batches=in_batches)
    order = {**ORDER, "family": "users", "operation": "delete", "first": first, "last": first + count, "lanes": lanes}
    instance = stepper.start("run_phase", order, ROOT)
    stepper.run()

    assert scheduled(stepper) == {"timers": 0, **instance.usage}


def test_a_wake_is_counted_when_it_ends_a_wait() -> None:
    """The event's own entry, and the timer that lost as if it had fired."""
    tenant = Tenant()
    tenant.does("check_readiness", {"ready": False, "checks": [], "seconds": DAY})
    stepper = tenant.stepper()
    instance = stepper.start("close_tenant", ORDER, ROOT)
    stepper.at(60.0, lambda: stepper.wake(stepper.of("check_readiness")[0].instance))
    stepper.run()

    assert 1 == instance.usage["wakes"]
    assert 1 == instance.usage["timers"] == len(stepper.names("timer"))


@pytest.mark.slow
def test_what_activities_used_goes_up_and_no_story_sees_it() -> None:
    """Storage and requests that an activity tells arrive at the root, from however deep; no order carries them."""
    tenant = eventful()
    told = {"tables": 2, "requests": 1}
    for name, before in list(tenant.activities.items()):
        tenant.activities[name] = lambda order, before=before: {**before(order), "usage": told}  # type: ignore[misc]
    stepper, instance = tenant.close()

    answered = len(stepper.names()) - 1  # one try failed, and what it used is lost
    assert (2 * answered, answered) == (instance.usage["tables"], instance.usage["requests"])
    assert not [call for call in stepper.calls if call.kind == "activity" and "usage" in call.order]


@pytest.mark.slow
def test_each_phase_has_its_own_and_a_stop_takes_none_of_it_away() -> None:
    """END_PHASE and the report get all that was used so far, by phase; what drift had begun stays with its phase."""
    stepper, instance = eventful().close()
    reports = [call.order["spent"] for call in stepper.of(Activity.WRITE_REPORT)]
    ends = [(call.order["phase"], call.order["spent"]) for call in stepper.of(Activity.END_PHASE)]
    shards = [call for call in stepper.of(Activity.WORK_SHARD) if call.order["phase"] == Phase.USERS]

    assert all(spent[phase]["activities"] > 0 for phase, spent in ends)
    spent = reports[0]
    # Its own begin and end, its plan, and each family: twice, because the first wave met drift.
    assert len(stepper.of(Activity.SURVEY_FAMILY)) + 2 * 3 == spent[Phase.SURVEY]["activities"]
    assert len(shards) < spent[Phase.USERS]["activities"]
    after = len(["write_report", "end_closure"])
    assert instance.usage["activities"] - after == added(*spent.values())["activities"]


def test_new_histories_take_the_count_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the root starts over, nothing that was scheduled is missing, and no phase is forgotten."""
    monkeypatch.setattr("orchestrators.metering.LONGEST", 150)
    stepper, instance = eventful().close()

    assert len(instance.executions) > 2
    assert scheduled(stepper) == {name: instance.usage[name] for name in scheduled(stepper)}
    phases = [set(call.order["spent"]) for call in stepper.of(Activity.END_PHASE)]
    assert all(earlier <= later for earlier, later in itertools.pairwise(phases))


@pytest.mark.slow
@pytest.mark.parametrize(("size", "waits"), [(Settings.model_fields["shard_size"].default, False), (1000, True)])
def test_history_grows_by_at_most_twenty_events_for_a_thousand_users(size: int, waits: bool) -> None:
    """Between 10,000 and 100,000 users, in shards as they are by default; larger ones may even all wait once."""

    def events(users: int) -> int:
        tenant = Tenant(lanes=4, shards={"users": (users // size, users // size - 1)})
        waited: set[int] = set()

        def work(order: dict[str, Any]) -> dict[str, Any]:
            state = "wait" if waits and order["shard"] not in waited else "done"
            waited.add(order["shard"])
            return {"state": state, "bucket": order["bucket"], "retryAfter": 0.0 if state == "done" else 90.0}

        tenant.activities[Activity.WORK_SHARD] = work
        _, instance = tenant.close(in_batches=True)
        assert "closed" == instance.output["result"], instance.error
        return history_events(instance.usage)

    assert 20 * 90 >= events(100_000) - events(10_000) > 0


def test_usage_is_taken_off_an_answer() -> None:
    """Of one answer and of each of several; what has none, or is no dict, stays as it is."""
    meter = Meter({})
    told = {"state": "done", "usage": {"tables": 2}}

    assert [{"state": "done"}, {"state": "done"}, 5, {}] == meter.answered([told, told, 5, {}])
    assert {"state": "done"} == meter.answered(told)
    assert {"": {"histories": 1, "tables": 6}} == meter.phases
    assert {"histories": 1} == meter.here, "what others used is not in this history"
