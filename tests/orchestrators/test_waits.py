"""What waits for people or for Microsoft: gates, manual tasks, subscriptions; awake at once, never asleep for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orchestrators import ORCHESTRATORS
from orchestrators.await_gate import LOOK_AGAIN, ROUNDS
from orchestrators.flow import LONGEST_TIMER
from tests.orchestrators.stepper import Instance, Stepper
from tests.orchestrators.tenant import DAY, HOUR

RUN = {"schema": 1, "closureId": "c", "epoch": 1, "serial": 1, "phase": "p", "instance": "parent"}
RUN |= {"daySeconds": DAY, "leastPoll": 0.5}
GATE = {**RUN, "gate": "plan"}
TASK = {**RUN, "kind": "turn-off-sync", "target": "t", "name": "n", "ask": True}
SUBSCRIPTION = {**RUN, "item": "sub-1", "goal": "deleted", "park": False, "waiter": None}


class Gate:
    """A gate in Records: open until somebody decides or its answer-by has passed."""

    def __init__(self, answer_by: float = 14 * DAY) -> None:
        self.state, self.answer_by = "open", answer_by
        self.during: Callable[[], None] = lambda: None
        self.stepper = Stepper(ORCHESTRATORS, {"open_gate": self.open, "judge_gate": self.judge})
        self.instance = self.stepper.start("await_gate", GATE, "gate")

    def open(self, _: Any) -> Any:
        return {"state": self.state}

    def judge(self, _: Any) -> Any:
        if self.state == "open" and self.stepper.time > self.answer_by:
            self.state = "expired"
        told = {"state": self.state, "seconds": max(self.answer_by - self.stepper.time, 0.0) + 1.0}
        self.during()
        return told

    def decide(self, state: str, *, wakes: int = 1) -> None:
        """A decision reaches Records, then its event the instance that waits."""
        self.state = state
        for _ in range(wakes):
            self.stepper.wake("gate")


# -- gates -------------------------------------------------------------------------------------------------------------
def test_gate_is_opened_with_the_instance_that_waits() -> None:
    """The row shows which instance a decision has to wake."""
    gate = Gate()
    gate.stepper.run(until=1.0)

    assert "gate" == gate.stepper.of("open_gate")[0].order["instance"]
    assert "running" == gate.instance.status


@pytest.mark.parametrize("state", ["approved", "vetoed", "aborted"])
def test_decision_wakes_the_gate_at_once(state: str) -> None:
    """A decision after three hours and a bit ends the wait in the same second."""
    gate = Gate()
    gate.stepper.at(3 * HOUR + 7, lambda: gate.decide(state))
    gate.stepper.run(until=3 * HOUR + 7)

    assert "completed" == gate.instance.status
    assert state == gate.instance.output["state"]


def test_lost_wake_is_found_within_the_hour() -> None:
    """A decision whose event never came is seen at the next look, at most an hour later."""
    gate = Gate()
    gate.stepper.at(5 * HOUR + 60, lambda: gate.decide("approved", wakes=0))
    gate.stepper.run()

    assert "approved" == gate.instance.output["state"]
    assert LOOK_AGAIN >= gate.stepper.of("judge_gate")[-1].at - (5 * HOUR + 60) > 0


def test_event_that_comes_before_the_wait_is_not_lost() -> None:
    """A decision made while the gate is being judged is heard as soon as the wait begins."""
    gate = Gate()

    def meanwhile() -> None:
        gate.during = lambda: None
        gate.decide("approved")

    gate.during = meanwhile
    gate.stepper.run()

    assert "approved" == gate.instance.output["state"]
    assert 0.0 == gate.stepper.of("judge_gate")[-1].at


def test_event_that_comes_before_the_gate_is_open_is_not_lost() -> None:
    """A wake in the very first moment is kept until somebody waits."""
    gate = Gate()
    gate.decide("approved")
    gate.stepper.run()

    assert "approved" == gate.instance.output["state"]


@pytest.mark.parametrize("wakes", [2, 3, ROUNDS, 3 * ROUNDS])
def test_duplicate_events_only_cost_looks(wakes: int) -> None:
    """Any number of wakes without a decision leaves the gate open, and the decision after them is heard."""
    gate = Gate()
    gate.stepper.at(100.0, lambda: gate.decide("open", wakes=wakes))
    gate.stepper.at(200.0, lambda: gate.decide("approved", wakes=2))
    gate.stepper.run()

    assert "approved" == gate.instance.output["state"]
    assert 200.0 == gate.stepper.of("judge_gate")[-1].at


def test_continue_as_new_keeps_events() -> None:
    """An event too many in the last round is heard by the next history, at once and not an hour later."""
    gate = Gate()
    looks: list[float] = []

    def meanwhile() -> None:
        looks.append(gate.stepper.time)
        if len(looks) == ROUNDS:
            gate.stepper.wake("gate")
            gate.stepper.wake("gate")
        if len(looks) == ROUNDS + 1:
            gate.state = "approved"

    gate.during = meanwhile
    gate.stepper.run()

    assert 2 == len(gate.instance.executions)
    assert "approved" == gate.instance.output["state"]
    assert ROUNDS + 2 == len(looks)
    assert looks[ROUNDS - 1] == looks[-1]


def test_flood_of_events_across_continue_as_new_is_worked_off_in_order() -> None:
    """A hundred events in one moment fill several histories, none is left behind and none blocks a later one."""
    gate = Gate()
    gate.stepper.at(50.0, lambda: gate.decide("open", wakes=100))
    gate.stepper.run(until=51.0)
    looks = len(gate.stepper.of("judge_gate"))
    gate.stepper.at(60.0, lambda: gate.decide("vetoed"))
    gate.stepper.run()

    assert 101 == looks
    assert 2 == len(gate.stepper.waits("gate")), "a wait that is over leaves no timer behind"
    assert len(gate.instance.executions) == 1 + 101 // ROUNDS
    assert "vetoed" == gate.instance.output["state"]


@pytest.mark.slow
def test_answer_by_is_never_shortened() -> None:
    """Silence expires the gate after the whole fourteen days, and not an hour late."""
    gate = Gate(answer_by=14 * DAY)
    gate.stepper.run()

    assert "expired" == gate.instance.output["state"]
    assert 14 * DAY < gate.stepper.time <= 14 * DAY + 2.0
    assert max(gate.stepper.waits("gate")) <= LOOK_AGAIN


@pytest.mark.slow
def test_months_at_a_gate_keep_its_history_small() -> None:
    """Thirty days of hourly looks never put more than one round of them into a history."""
    gate = Gate(answer_by=30 * DAY)
    gate.stepper.run()

    assert "expired" == gate.instance.output["state"]
    assert len(gate.stepper.of("judge_gate")) >= 30 * 24
    assert gate.stepper.longest()["await_gate"] <= 8 * ROUNDS + 20


def test_events_of_another_name_do_not_wake_and_case_does_not_matter() -> None:
    """Only `wake` is listened to, whatever its case."""
    gate = Gate()
    gate.stepper.at(60.0, lambda: gate.stepper.wake("gate", "nudge"))
    gate.stepper.at(120.0, lambda: gate.stepper.wake("gate", "WAKE", {"from": "sweep"}))
    gate.stepper.run(until=130.0)

    assert [0.0, 120.0] == [call.at for call in gate.stepper.of("judge_gate")]


def test_gate_without_people_is_tried_until_it_opens() -> None:
    """A gate whose people can't be reached is not judged; it is opened again at its own distance, then decided."""
    gate, tries = Gate(), iter([600.0] * 3)
    gate.stepper.activities = {**gate.stepper.activities, "open_gate": lambda _: unreachable(gate, tries)}
    gate.stepper.at(4 * HOUR, lambda: gate.decide("approved"))
    gate.stepper.run()

    assert "approved" == gate.instance.output["state"]
    assert [0.0, 600.0, 1200.0, 1800.0] == [call.at for call in gate.stepper.of("open_gate")]
    assert 1800.0 == gate.stepper.of("judge_gate")[0].at


def test_gate_without_people_hears_a_wake_and_an_abort() -> None:
    """Woken, the opening is tried at once; what it came to meanwhile is told by the judge."""
    gate, tries = Gate(), iter([DAY] * 2)
    gate.stepper.activities = {**gate.stepper.activities, "open_gate": lambda _: unreachable(gate, tries)}
    gate.stepper.at(60.0, lambda: gate.decide("open"))
    gate.stepper.at(120.0, lambda: gate.decide("aborted"))
    gate.stepper.run()

    assert "aborted" == gate.instance.output["state"]
    assert [0.0, 60.0, 120.0] == [call.at for call in gate.stepper.of("open_gate")]


@pytest.mark.slow
def test_days_without_people_keep_the_history_small() -> None:
    """A gate that nobody can pass for ten days never puts more than one round of tries into a history."""
    gate, tries = Gate(answer_by=60 * DAY), iter([HOUR] * 10 * 24)
    gate.stepper.activities = {**gate.stepper.activities, "open_gate": lambda _: unreachable(gate, tries)}
    gate.stepper.at(11 * DAY, lambda: gate.decide("approved"))
    gate.stepper.run()

    assert "approved" == gate.instance.output["state"]
    assert gate.stepper.longest()["await_gate"] <= 8 * ROUNDS + 20


def unreachable(gate: Gate, tries: Iterator[float]) -> dict[str, Any]:
    """What opening answers: unreachable as long as there are tries left."""
    seconds = next(tries, None)
    return {"state": gate.state} if seconds is None else {"state": "unreachable", "seconds": seconds}


def test_gate_that_meets_a_stop_returns_it() -> None:
    """A fenced gate hands the stop to the story as a value."""
    stepper = Stepper(ORCHESTRATORS, {"open_gate": lambda _: {"stop": "fenced", "detail": "run 2"}})
    instance = stepper.start("await_gate", GATE)
    stepper.run()

    assert {"stop": "fenced", "detail": "run 2"} == instance.output


# -- manual tasks ------------------------------------------------------------------------------------------------------
def manual(proven_from: float, order: dict[str, Any] = TASK, seconds: float = 6 * HOUR) -> tuple[Stepper, Instance]:
    """A manual task whose probe proves it from that time on."""

    def probe(_: Any) -> Any:
        proven = stepper.time >= proven_from
        return {"proven": proven, "proof": "seen" if proven else "", "seconds": 0 if proven else seconds}

    stepper = Stepper(ORCHESTRATORS, {"open_task": lambda _: {"taskId": "t"}, "probe_task": probe})
    return stepper, stepper.start("await_manual_task", order, "task")


def test_task_is_opened_then_probed_until_proven() -> None:
    """The probe alone ends the task, at its own distance."""
    stepper, instance = manual(20 * HOUR)
    stepper.run()

    assert {"proof": "seen"} == instance.output
    assert ["open_task", *["probe_task"] * 5] == stepper.names()
    assert "task" == stepper.of("open_task")[0].order["instance"]


def test_report_brings_the_probe_forward() -> None:
    """A person says "done" after an hour: the probe looks then, not six hours later."""
    stepper, instance = manual(HOUR)
    stepper.at(HOUR, lambda: stepper.wake("task"))
    stepper.run()

    assert {"proof": "seen"} == instance.output
    assert [0.0, HOUR] == [call.at for call in stepper.of("probe_task")]


def test_report_is_no_proof() -> None:
    """ "Done" that the probe can't confirm leaves the task open, and the next probe comes at its usual distance."""
    stepper, instance = manual(10 * HOUR)
    stepper.at(HOUR, lambda: stepper.wake("task"))
    stepper.run(until=2 * HOUR)

    assert "running" == instance.status

    stepper.run()

    assert [0.0, HOUR, 7 * HOUR, 13 * HOUR] == [call.at for call in stepper.of("probe_task")]


def test_nobody_is_asked_when_an_api_has_begun_it() -> None:
    """With `ask` false there is no task, only the probe."""
    stepper, instance = manual(HOUR, {**TASK, "ask": False})
    stepper.run()

    assert {"proof": "seen"} == instance.output
    assert [] == stepper.of("open_task")


# -- subscriptions -----------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_subscription_waits_four_hundred_days_with_a_bounded_history() -> None:
    """A term that ends in 400 days is waited for day by day; each history stays short and the order the same."""

    def advance(_: Any) -> Any:
        done = stepper.time >= 400 * DAY
        return {"done": done, "parked": True, "stage": "deprovisioned" if done else "non-renewing", "seconds": DAY}

    stepper = Stepper(ORCHESTRATORS, {"advance_subscription": advance})
    instance = stepper.start("end_subscription", SUBSCRIPTION, "sub")
    stepper.run()
    steps = stepper.of("advance_subscription")

    assert {"stage": "deprovisioned", "seconds": DAY} == instance.output
    assert 400 * DAY == stepper.time
    assert 401 == len(steps)
    assert {str({**SUBSCRIPTION, "instance": "sub"})} == {str(call.order) for call in steps}
    assert 17 == len(instance.executions)
    assert stepper.longest()["end_subscription"] <= 8 * ROUNDS + 20


def test_longest_timer_is_thirty_days_and_is_cut_short_by_a_wake() -> None:
    """A wait of a year is looked after every 30 days; a person who cancelled by hand wakes it in the middle."""

    def advance(_: Any) -> Any:
        return {"done": stepper.time >= 45 * DAY, "parked": True, "stage": "disabled", "seconds": 365 * DAY}

    stepper = Stepper(ORCHESTRATORS, {"advance_subscription": advance})
    instance = stepper.start("end_subscription", SUBSCRIPTION, "sub")
    stepper.at(45 * DAY, lambda: stepper.wake("sub"))
    stepper.run(until=45 * DAY)

    assert {"stage": "disabled", "seconds": DAY} == instance.output
    assert [0.0, LONGEST_TIMER, 45 * DAY] == [call.at for call in stepper.of("advance_subscription")]


def test_parked_subscription_stops_where_only_a_date_or_a_person_can_help() -> None:
    """It goes on while there is something to call, then says when to come back; reports wake who waits for it."""
    rounds = iter([{"done": False, "parked": False, "stage": "planned", "seconds": 0.0}] * 2)
    parked = {"done": False, "parked": True, "stage": "cancel-requested", "seconds": 900.0}
    stepper = Stepper(ORCHESTRATORS, {"advance_subscription": lambda _: next(rounds, parked)})
    instance = stepper.start("end_subscription", {**SUBSCRIPTION, "park": True, "waiter": "parent"}, "sub")
    stepper.run()

    assert {"stage": "cancel-requested", "seconds": 900.0} == instance.output
    assert 0.0 == stepper.time
    assert {"parent"} == {call.order["instance"] for call in stepper.of("advance_subscription")}


@pytest.mark.parametrize("seconds", [0, 0.0, -5, 0.5])
def test_no_wait_is_negative(seconds: float) -> None:
    """A date that has passed is a wait of nothing, not an error."""
    answers = iter([{"done": False, "parked": True, "stage": "planned", "seconds": seconds}])
    stepper = Stepper(
        ORCHESTRATORS,
        {"advance_subscription": lambda _: next(answers, {"done": True, "stage": "disabled", "seconds": 1.0})},
    )
    instance = stepper.start("end_subscription", SUBSCRIPTION)
    stepper.run()

    assert {"stage": "disabled", "seconds": DAY} == instance.output
    assert max(seconds, 0.0) == stepper.time
