"""How a closure ends or waits when it can't go on: ends, pause, drift, a newer run, lasting trouble."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrators.close_tenant import ENDS
from orchestrators.flow import HELD, PATIENCE
from tenantclosure.names import Activity, Phase, Result
from tests.orchestrators.stepper import Instance, Stepper, Trouble
from tests.orchestrators.tenant import DAY, HOUR, ORDER, ROOT, STORY, Tenant

CHECKING = {
    "begin_phase": Phase.PREFLIGHT,
    "check_preflight": Phase.PREFLIGHT,
    "survey_family": Phase.SURVEY,
    "freeze_plan": Phase.SURVEY,
    "freeze_sign_ups": Phase.FREEZE,
    "turn_off_sync": Phase.SYNC_OFF,
    "list_subscriptions": Phase.PURCHASES,
    "open_wave": Phase.USERS,
    "work_shard": Phase.USERS,
    "confirm_wave": Phase.USERS,
    "advance_subscription": Phase.CANCEL,
    "turn_off_mfa": Phase.MFA_OFF,
    "disable_refused": Phase.APPLICATIONS,
    "check_readiness": Phase.READINESS,
    "review_refused": Phase.USERS,
    "hand_over": Phase.DELETE_TENANT,
    "open_task": Phase.DELETE_TENANT,
    "probe_task": Phase.DELETE_TENANT,
}
"""Activities that read control and the rails, in the story and in each kind of child, with their (first) phase."""


def stop(reason: str, detail: str = "") -> dict[str, str]:
    """What an activity returns when the story can't go on."""
    return {"stop": reason, "detail": detail}


def started(tenant: Tenant, **more: Any) -> tuple[Stepper, Instance]:
    """A closure that is about to run."""
    stepper = tenant.stepper(**more)
    return stepper, stepper.start("close_tenant", ORDER, ROOT)


def near(name: str, **more: Any) -> Tenant:
    """A tenant where only the phase of this activity is left to do; the others would only take time."""
    tenant = Tenant(**more)
    tenant.mark(phase for phase in STORY if phase != CHECKING.get(name, Phase.GATE_PLAN))
    return tenant


def result(instance: Instance) -> Any:
    """The result, or the error that stands in its place."""
    return instance.output["result"] if instance.output else instance.error


@pytest.mark.parametrize(
    ("name", "reason", "expected"),
    [
        *((name, "rail", Result.FAILED) for name in CHECKING),
        ("work_shard", "aborted", Result.ABORTED),
        ("freeze_sign_ups", "expired", Result.EXPIRED),
        ("freeze_plan", "failed", Result.FAILED),
        ("open_wave", "vetoed", Result.VETOED),
        ("hand_over", "kept", Result.KEPT),
    ],
)
def test_stop_of_any_activity_undoes_the_freeze_reports_and_ends(name: str, reason: str, expected: str) -> None:
    """Wherever the reason comes from, the freeze is undone, the report written and the right result returned."""
    tenant = near(name)
    tenant.does(name, stop(reason, "because"))
    stepper, instance = tenant.close()

    assert expected == result(instance) == tenant.result
    assert ["undo_freeze", "begin_phase", "write_report", "end_closure"] == stepper.names()[-4:]
    assert Phase.REPORT == stepper.of("begin_phase")[-1].order["phase"]
    assert "because" == stepper.of("write_report")[0].order["why"] == stepper.of("end_closure")[0].order["why"]
    assert expected == stepper.of("write_report")[0].order["result"] == stepper.of("end_closure")[0].order["result"]


def test_every_reason_has_an_end() -> None:
    """The table of ends names the results of the product and nothing that is no end."""
    assert {"vetoed", "expired", "aborted", "kept", "rail", "failed"} == set(ENDS)


@pytest.mark.parametrize("gate", ["plan", "go-on", "delete-tenant"])
@pytest.mark.parametrize("state", ["vetoed", "expired", "aborted"])
def test_gate_that_is_not_approved_ends_the_closure(gate: str, state: str) -> None:
    """A veto, silence and an abort at any gate end with their own result; nothing later runs."""
    tenant = Tenant(quiet_days=1)
    tenant.gates[(gate, 1)] = state
    stepper, instance = tenant.close()
    later = {"plan": "freeze_sign_ups", "go-on": "confirm_wave", "delete-tenant": "hand_over"}[gate]

    assert state == result(instance)
    assert f"gate {gate}" == stepper.of("write_report")[0].order["why"]
    assert [] == stepper.of(later)
    assert ["undo", "report", "end"] == tenant.written[-3:]


def test_request_that_keeps_users_ends_kept_before_the_last_gate() -> None:
    """With a keep list everything else is waited for, and the gate delete-tenant is never opened."""
    stepper, instance = Tenant(keeps=True).close()

    assert Result.KEPT == result(instance)
    assert ["plan"] == [call.order["gate"] for call in stepper.of("await_gate")]
    assert 1 == len(stepper.of("check_readiness")) == len(stepper.of("undo_freeze"))
    assert [] == stepper.of("hand_over")


def test_closed_tenant_keeps_its_freeze() -> None:
    """Nothing is undone in a tenant that is gone."""
    stepper, _ = Tenant().close()

    assert [] == stepper.of("undo_freeze")


# -- a newer run -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["read_progress", *CHECKING, "open_gate", "judge_gate"])
def test_fenced_run_ends_silently(name: str) -> None:
    """An older run that meets the fence returns no result and calls nothing more: no undo, no report, no end."""
    tenant = near(name)
    tenant.does(name, stop("fenced", "run 1 was replaced by run 2"))
    stepper, instance = tenant.close()
    after = stepper.names()[stepper.names().index(name) + 1 :]

    assert "completed" == instance.status, instance.error
    assert {"closureId": ORDER["closureId"], "result": None} == instance.output
    assert not {"undo_freeze", "write_report", "end_closure", "end_phase"} & set(after)


def test_run_that_is_fenced_while_paused_ends_silently() -> None:
    """A resume replaces a paused run; the old one ends at its next look without a failure."""
    tenant = near("turn_off_mfa")
    tenant.does("turn_off_mfa", stop("paused"))
    tenant.does("check_control", {"paused": True}, stop("fenced"))
    stepper, instance = tenant.close()

    assert "completed" == instance.status, instance.error
    assert result(instance) is None
    assert "check_control" == stepper.names()[-1]


def test_run_that_is_fenced_while_replanning_ends_silently() -> None:
    """A run that loses its place between drift and the new plan writes nothing."""
    tenant = Tenant()
    tenant.does("open_wave", stop("drift", "1 new in users: u9"))
    tenant.does("replan", stop("fenced"))
    stepper, instance = tenant.close()

    assert "completed" == instance.status, instance.error
    assert result(instance) is None
    assert "replan" == stepper.names()[-1]


# -- drift -----------------------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("name", ["open_wave", "confirm_wave", "hand_over"])
def test_drift_plans_anew_and_asks_again(name: str) -> None:
    """What is new stops the phase; the next plan has its own serial, a full survey and a gate of its own."""
    tenant = Tenant(quiet_days=1)
    tenant.does(name, stop("drift", "2 new in users: a, b"))
    stepper, instance = tenant.close()
    replan = stepper.of("replan")
    gates = [(call.order["gate"], call.order["serial"]) for call in stepper.of("await_gate")]

    assert Result.CLOSED == result(instance)
    assert [(1, "2 new in users: a, b")] == [(call.order["serial"], call.order["detail"]) for call in replan]
    assert [1, 2] == [call.order["serial"] for call in stepper.of("freeze_plan")]
    assert 18 == len(stepper.of("survey_family"))
    assert [("plan", 2), ("go-on", 2), ("delete-tenant", 2)] == gates[-3:]
    assert {2} == {call.order["serial"] for call in stepper.calls[stepper.calls.index(replan[0]) + 2 :] if call.order}


def test_nothing_is_written_between_drift_and_the_new_approval() -> None:
    """After drift the closure waits at gate plan of the new serial; a veto there ends it."""
    tenant = Tenant()
    tenant.gates[("plan", 2)] = "vetoed"
    tenant.does("open_wave", stop("drift", "1 new in users: u9"))
    stepper, instance = tenant.close()
    after = stepper.names()[stepper.names().index("replan") :]

    assert Result.VETOED == result(instance)
    assert [] == tenant.worked
    assert not {"freeze_sign_ups", "work_shard", "turn_off_sync"} & set(after)


@pytest.mark.slow
def test_drift_can_come_again() -> None:
    """A tenant that keeps growing is planned as often as it grows."""
    tenant = Tenant()
    tenant.does("open_wave", *[stop("drift", "1 new")] * 3)
    stepper, instance = tenant.close()

    assert Result.CLOSED == result(instance)
    assert [1, 2, 3, 4] == [call.order["serial"] for call in stepper.of("freeze_plan")]


@pytest.mark.parametrize(("control", "expected"), [("pause", Result.CLOSED), ("abort", Result.ABORTED)])
def test_pause_or_abort_that_meets_the_replanning_is_obeyed(control: str, expected: str) -> None:
    """An operator's word that comes between drift and the new plan neither fails the run nor is lost."""
    tenant = Tenant()

    def order_comes(_: Any) -> Any:
        tenant.control = control
        return stop("drift", "1 new in users: u9")

    tenant.does("open_wave", order_comes)
    stepper, instance = started(tenant)
    stepper.run(until=10 * HOUR)
    assert ("running" if control == "pause" else "completed") == instance.status, instance.error
    if control == "pause":
        tenant.control = "run"
        tenant.does("open_wave", stop("drift", "1 new in users: u9"))
        stepper.run()

    assert expected == result(instance)
    assert (2 if control == "pause" else 1) == tenant.serial


# -- pause -----------------------------------------------------------------------------------------------------------
ALONE = ("open_task", "probe_task", "advance_subscription")
"""What children call that wait a pause out by themselves, because another child may run for months."""


def alone(name: str) -> Tenant:
    """A tenant where only the phase is left to do in which this is called by such a child."""
    if name != "advance_subscription":
        return near(name)
    tenant = Tenant(subscriptions={"own": "self-service"})
    tenant.mark(phase for phase in STORY if phase != Phase.PURCHASES)
    return tenant


@pytest.mark.parametrize("reason", HELD)
@pytest.mark.parametrize("name", ALONE)
def test_a_child_waits_out_by_itself_what_holds_it(name: str, reason: str) -> None:
    """A subscription or a manual task looks again every hour of a pause, a revocation or a closed window."""
    tenant = alone(name)

    def pause_comes(_: Any) -> Any:
        tenant.control = "pause"
        return stop(reason)

    tenant.does(name, pause_comes)
    stepper, instance = started(tenant)
    stepper.run(until=3 * HOUR)

    assert "running" == instance.status
    assert [] == stepper.of("undo_freeze") == stepper.of("write_report")

    tenant.control = "run"
    stepper.run()

    assert Result.CLOSED == result(instance)
    assert 1 == len(stepper.of("end_closure"))


@pytest.mark.slow
@pytest.mark.parametrize("reason", HELD)
@pytest.mark.parametrize("name", [name for name in CHECKING if name not in ("open_task", "probe_task")])
def test_what_holds_the_story_is_waited_out(name: str, reason: str) -> None:
    """A pause, a revocation or a closed window holds the story; then the phase begins again and the closure closes."""
    tenant = near(name)

    def pause_comes(_: Any) -> Any:
        tenant.control = "pause"
        return stop(reason)

    tenant.does(name, pause_comes)
    stepper, instance = started(tenant)
    stepper.run(until=3 * HOUR)
    held = len(stepper.names())

    assert "running" == instance.status
    assert "check_control" == stepper.names()[-1]
    assert {reason} == {call.order["held"] for call in stepper.of("check_control")}
    assert [] == stepper.of("undo_freeze") == stepper.of("write_report")

    tenant.control = "run"
    stepper.run()

    assert Result.CLOSED == result(instance)
    assert ["check_control", "read_progress", "begin_phase"] == stepper.names()[held : held + 3]
    assert 1 == len(stepper.of("end_closure"))


def test_unpause_is_heard_at_once_and_at_the_latest_after_an_hour() -> None:
    """The wake of `unpause` ends the wait; without it the next look does."""
    for wakes, expected in ((True, 10 * 60.0), (False, HOUR)):
        tenant = near("check_preflight")
        tenant.control = "pause"
        stepper, instance = started(tenant)

        def unpause(tenant: Tenant = tenant, stepper: Stepper = stepper, wakes: bool = wakes) -> None:
            tenant.control = "run"
            if wakes:
                stepper.wake(ROOT)

        stepper.at(10 * 60.0, unpause)
        stepper.run()

        assert Result.CLOSED == result(instance)
        assert expected == stepper.of("check_preflight")[0].at


def test_abort_during_a_pause_ends_the_closure() -> None:
    """A paused closure can be aborted: the wait ends and the next phase stops with aborted."""
    tenant = Tenant()
    tenant.mark(STORY[:4])
    tenant.control = "pause"
    stepper, instance = started(tenant)

    def abort() -> None:
        tenant.control = "abort"
        stepper.wake(ROOT)

    stepper.at(HOUR / 2, abort)
    stepper.run()

    assert Result.ABORTED == result(instance)
    assert ["undo", "report", "end"] == tenant.written


def test_pause_among_many_subscriptions_holds_all_and_starves_none() -> None:
    """Each child is held at its next look and goes on within an hour of the pause's end, however slow the others."""
    tenant = Tenant(subscriptions={f"sub-{n}": "self-service" for n in range(5)})
    tenant.mark(phase for phase in STORY if phase != Phase.PURCHASES)
    waits = {f"sub-{n}": (n + 1) * HOUR for n in range(5)}
    tenant.activities[Activity.ADVANCE_SUBSCRIPTION] = lambda order: (
        tenant._stop(order) or {"done": stepper.time > DAY, "stage": "disabled", "seconds": waits[order["item"]]}
    )
    stepper, instance = started(tenant)
    stepper.at(90 * 60.0, lambda: setattr(tenant, "control", "pause"))
    stepper.run(until=20 * HOUR)

    assert "running" == instance.status
    tenant.control = "run"
    stepper.run(until=22 * HOUR)
    looked = {call.order["item"] for call in stepper.of("advance_subscription") if call.at > 20 * HOUR}
    assert {f"sub-{n}" for n in range(5)} == looked

    stepper.run()
    assert Result.CLOSED == result(instance)


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["csp", "self-service"])
def test_an_outage_of_one_subscription_does_not_fail_the_run(provider: str) -> None:
    """After all patience a subscription is left for later, or waits an hour; it never drags the others down."""
    tenant = Tenant(subscriptions={"sub-0": provider})
    tenant.does("advance_subscription", *[Trouble("503")] * (len(PATIENCE) + 1))
    stepper, instance = tenant.close()

    assert Result.CLOSED == result(instance)
    assert [] == stepper.of("undo_freeze")


# -- an approval taken back, a closed window ---------------------------------------------------------------------------
@pytest.mark.parametrize("state", ["vetoed", "expired"])
def test_what_the_people_say_while_it_waits_can_end_it(state: str) -> None:
    """A veto or silence at a gate that was opened again ends the closure in the ordinary way."""
    tenant = near("work_shard")
    tenant.does("work_shard", stop("revoked", "gate plan"))
    tenant.does("check_control", {"paused": True, "seconds": DAY}, stop(state, "gate plan"))
    stepper, instance = tenant.close()

    assert state == result(instance)
    assert ["undo", "report", "end"] == tenant.written
    assert "gate plan" == stepper.of("write_report")[0].order["why"]
    assert [] == tenant.worked


def test_all_lanes_stop_and_go_on_after_a_revocation() -> None:
    """Each lane hands its stop back; approved again, the phase is worked through and no other gate is asked."""
    tenant = Tenant(lanes=3, shards={"users": (6, 6)})
    tenant.does("work_shard", *[stop("revoked", "gate plan")] * 3)
    tenant.does("check_control", {"paused": True, "seconds": 60.0})
    stepper, instance = tenant.close()

    assert Result.CLOSED == result(instance)
    assert list(range(6)) == sorted(shard for family, _, shard in tenant.worked if family == "users")
    assert ["plan", "delete-tenant"] == [call.order["gate"] for call in stepper.of("await_gate")]


@pytest.mark.parametrize(("seconds", "expected"), [(600.0, 600.0), (10 * HOUR, HOUR), (None, HOUR), (0.0, 0.5)])
def test_the_wait_ends_when_something_is_due(seconds: float | None, expected: float) -> None:
    """The opening of a window or the next reminder is met in time; an hour at most, and never less than the least."""
    tenant = near("turn_off_mfa")
    tenant.does("turn_off_mfa", stop("window", "2026-01-01T22:00:00Z"))
    tenant.does("check_control", {"paused": True, "seconds": seconds})
    stepper, instance = tenant.close()
    looks = [call.at for call in stepper.of("check_control")]

    assert Result.CLOSED == result(instance)
    assert [0.0, expected] == looks


@pytest.mark.parametrize("name", ALONE)
def test_short_days_do_not_make_a_child_spin(name: str) -> None:
    """With days of two seconds a child that is held looks twice a second, not twelve times."""
    tenant = alone(name)
    tenant.run["daySeconds"] = 2.0
    tenant.does(name, *[stop("revoked")] * 4)
    stepper, instance = tenant.close()

    assert Result.CLOSED == result(instance)
    assert [0.0, 0.5, 1.0, 1.5, 2.0] == [call.at for call in stepper.of(name)][:5]


# -- trouble ---------------------------------------------------------------------------------------------------------
def test_trouble_is_tried_again_on_the_patience_timers_and_can_pass() -> None:
    """An activity that fails nine times is called ten times, each after its own wait; the closure closes."""
    tenant = near("turn_off_mfa")
    tenant.does("turn_off_mfa", *[Trouble("503")] * 9)
    stepper, instance = tenant.close()

    assert Result.CLOSED == result(instance)
    assert list(map(float, PATIENCE[:9])) == stepper.waits(ROOT)
    assert 10 == len(stepper.of("turn_off_mfa"))


@pytest.mark.parametrize("name", ["read_progress", "turn_off_mfa", "judge_gate", "work_shard"])
def test_lasting_trouble_fails_the_run_after_all_patience(name: str) -> None:
    """After eleven calls the run fails: nothing is undone or reported, because `sweep` starts it again."""
    tenant = Tenant()

    def trouble(_: Any) -> Any:
        raise Trouble("503 for an hour")

    tenant.activities[Activity(name)] = trouble
    stepper, instance = tenant.close()
    caller = stepper.of(name)[0].instance

    assert "failed" == instance.status
    assert "503 for an hour" in instance.error
    assert len(PATIENCE) + 1 == len(stepper.of(name))
    assert list(map(float, PATIENCE)) == stepper.waits(caller)
    assert [] == stepper.of("undo_freeze") == stepper.of("write_report") == stepper.of("end_closure")


def test_trouble_that_comes_back_has_all_patience_again() -> None:
    """Patience is counted for each call, not for the closure."""
    tenant = Tenant()
    tenant.does("survey_family", *[Trouble("a")] * 10, {"family": "users", "count": 1}, *[Trouble("b")] * 10)
    _, instance = tenant.close()

    assert Result.CLOSED == result(instance)


def test_stop_during_patience_is_heard() -> None:
    """An abort that comes while an activity is being tried again ends the closure at the next try."""
    tenant = near("turn_off_mfa")
    tenant.does("turn_off_mfa", Trouble("503"), stop("aborted"))
    _, instance = tenant.close()

    assert Result.ABORTED == result(instance)
