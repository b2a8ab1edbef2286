"""The story of a closure from preflight to report: order, skipped phases, and what each phase does."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from orchestrators.await_ready import await_ready
from orchestrators.close_tenant import ROLLBACK, Run
from orchestrators.close_tenant import STORY as STEPS
from tenantclosure.names import Activity, Family, Phase, Result
from tenantclosure.policy.selling import Provider
from tenantclosure.policy.timing import CONFIRM_TRIES
from tests.orchestrators.stepper import Stepper
from tests.orchestrators.tenant import DAY, ORDER, ROOT, STORY, Tenant

MARKS = {Activity.BEGIN_PHASE, Activity.END_PHASE, Activity.READ_PROGRESS}
WORK = {
    Phase.PREFLIGHT: ["check_preflight"],
    Phase.SURVEY: ["survey_family"] * len(Family) + ["freeze_plan"],
    Phase.GATE_PLAN: ["open_gate", "judge_gate"],
    Phase.FREEZE: ["freeze_sign_ups"],
    Phase.SYNC_OFF: ["turn_off_sync"],
    Phase.PURCHASES: ["list_subscriptions"],
    Phase.QUIET: [],
    Phase.USERS: [*["open_wave", "share_quota", "work_shard"] * 2, "confirm_wave", "review_refused"],
    Phase.CANCEL: ["open_wave", "confirm_wave", "list_subscriptions", "advance_subscription"],
    Phase.DELETE_SUBSCRIPTIONS: ["list_subscriptions", "advance_subscription"],
    Phase.MFA_OFF: ["turn_off_mfa"],
    Phase.APPLICATIONS: [*["open_wave", "confirm_wave"] * 2, "disable_refused", *["review_refused"] * 2],
    Phase.READINESS: ["list_subscriptions", "advance_subscription", *["review_refused"] * 4, "check_readiness"],
    Phase.GATE_DELETE: ["open_gate", "judge_gate"],
    Phase.DELETE_TENANT: ["hand_over", "open_task", "probe_task"],
}
"""What each phase calls in a small tenant with one ordinary and one privileged shard and one subscription."""


def phases(stepper: Stepper) -> list[str]:
    """The phases that were begun, in order."""
    return [call.order["phase"] for call in stepper.of(Activity.BEGIN_PHASE)]


@pytest.mark.parametrize("in_batches", [False, True])
def test_whole_closure_goes_through_every_phase_in_the_products_order(in_batches: bool) -> None:
    """Each phase begins, does its own work and ends; the report comes last and the result is closed."""
    tenant = Tenant(shards={"users": (2, 1)})
    stepper, instance = tenant.close(in_batches=in_batches)
    expected = ["read_progress"]
    for phase in STORY:
        expected += ["begin_phase", *WORK[phase], "end_phase"]

    assert {"closureId": ORDER["closureId"], "result": Result.CLOSED} == instance.output
    assert [*expected, "begin_phase", "write_report", "end_closure"] == stepper.names()
    assert [*STORY, Phase.REPORT] == phases(stepper)


def test_every_phase_of_the_product_has_its_place_in_the_story() -> None:
    """No phase of the enum is forgotten, none stands twice; a rollback's come in place of the others."""
    told = [*(phase for phase, _ in STEPS), Phase.REPORT, *(phase for phase, _ in ROLLBACK)]

    assert list(Phase) == told


@pytest.mark.parametrize(
    "count", [n if n % 5 == 0 else pytest.param(n, marks=pytest.mark.slow) for n in range(len(STORY) + 1)]
)
def test_phases_with_a_mark_are_skipped(count: int) -> None:
    """A closure that starts again goes on with the first phase that has no mark, wherever it was cut."""
    tenant = Tenant(shards={"users": (2, 1)})
    tenant.mark(STORY[:count])
    stepper, instance = tenant.close()
    expected = [name for phase in STORY[count:] for name in WORK[phase]]

    assert Result.CLOSED == instance.output["result"]
    assert [*STORY[count:], Phase.REPORT] == phases(stepper)
    assert [*expected, "write_report", "end_closure"] == [name for name in stepper.names() if name not in MARKS]


def test_closure_that_has_ended_is_left_alone() -> None:
    """A run that finds a result in Records returns it and does nothing else."""
    tenant = Tenant()
    tenant.result = "vetoed"
    stepper, instance = tenant.close()

    assert {"closureId": ORDER["closureId"], "result": "vetoed"} == instance.output
    assert ["read_progress"] == stepper.names()


def test_survey_reads_every_family_before_the_plan_is_frozen() -> None:
    """All families are surveyed, in the enum's order."""
    stepper, _ = Tenant().close()

    assert list(Family) == [call.order["family"] for call in stepper.of("survey_family")]


def test_activities_learn_the_serial_the_epoch_and_who_waits() -> None:
    """Every order carries schema, closure id, epoch and, once progress is read, serial and instance."""
    stepper, _ = Tenant().close()
    orders = [call for call in stepper.calls if call.kind == "activity"]

    assert all(ORDER.items() <= call.order.items() for call in orders)
    assert all({"serial", "instance", "daySeconds"} <= call.order.keys() for call in orders[1:])
    assert all(call.order["instance"] == call.instance for call in stepper.of("open_gate") + stepper.of("open_task"))
    assert ROOT == stepper.of("check_preflight")[0].order["instance"]


def test_sync_that_is_off_needs_nobody() -> None:
    """A tenant without synchronisation opens no task and waits for nothing."""
    stepper, _ = Tenant().close()

    assert ["delete-tenant"] == [call.order["kind"] for call in stepper.of("await_manual_task")]


def test_sync_that_graph_refuses_becomes_a_manual_task_with_the_reason() -> None:
    """A refused switch asks a person, tells why, and waits until the probe proves it."""
    tenant = Tenant()
    tenant.sync = {"state": "refused", "why": "403 Authorization_RequestDenied"}
    tenant.does(Activity.PROBE_TASK, *[{"proven": False, "proof": "", "seconds": 900.0}] * 3)
    stepper, instance = tenant.close()
    opened = stepper.of("open_task")[0].order

    assert Result.CLOSED == instance.output["result"]
    assert ("turn-off-sync", "403 Authorization_RequestDenied") == (opened["kind"], opened["why"])
    assert opened["target"] == ORDER["closureId"][:36]
    assert 3 * 900.0 == stepper.time


@pytest.mark.slow
def test_sync_that_is_turning_off_is_polled_until_it_is_off() -> None:
    """After Graph accepted, nobody is asked; the probe is repeated for the hours it takes."""
    tenant = Tenant()
    tenant.sync = {"state": "turning"}
    tenant.does(Activity.PROBE_TASK, *[{"proven": False, "proof": "", "seconds": 900.0}] * 288)
    stepper, instance = tenant.close()

    assert Result.CLOSED == instance.output["result"]
    assert ["delete-tenant"] == [call.order["kind"] for call in stepper.of("open_task")]
    assert 72 * 3600.0 == stepper.of("freeze_sign_ups")[0].at + stepper.of("list_subscriptions")[0].at
    assert stepper.longest()["await_manual_task"] < 250


@pytest.mark.slow
def test_no_user_is_touched_before_sync_and_purchases_are_done() -> None:
    """The first wave opens only after sync has been turned off and self-service purchases have ended."""
    tenant = Tenant(subscriptions={"own": "self-service", "mca": "mca"})
    tenant.sync = {"state": "turning"}
    tenant.proven.discard("turn-off-sync")
    stepper = tenant.stepper()
    stepper.start("close_tenant", ORDER, ROOT)
    stepper.run(until=3 * DAY)

    assert [] == stepper.of("open_wave") == stepper.of("list_subscriptions")

    tenant.proven.add("turn-off-sync")
    waits = {"done": False, "parked": True, "stage": "planned", "seconds": 2 * DAY}
    tenant.when("advance_subscription", lambda order: True, waits)
    stepper.run(until=4 * DAY)

    assert ["own"] == [call.order["item"] for call in stepper.of("advance_subscription")]
    assert [] == stepper.of("open_wave")

    stepper.run()

    assert stepper.of("open_wave")[0].at >= 5 * DAY


def test_quiet_period_blocks_waits_and_asks_again() -> None:
    """Sign-in is blocked for every shard, each day control is read, then gate go-on opens before users go."""
    tenant = Tenant(quiet_days=7, shards={"users": (3, 2)})
    stepper, instance = tenant.close()
    gates = [call.order["gate"] for call in stepper.of("await_gate")]
    halts = [call for call in stepper.of("check_control") if call.order.get("halt")]

    assert Result.CLOSED == instance.output["result"]
    assert ["plan", "go-on", "delete-tenant"] == gates
    assert [("users", "block", n) for n in range(3)] + [("users", "delete", n) for n in range(3)] == tenant.worked
    assert [day * DAY for day in range(8)] == [call.at for call in halts]
    assert 7 * DAY == stepper.of("await_gate")[1].at


def test_no_quiet_days_means_no_gate_go_on() -> None:
    """Without a quiet period nobody is blocked and nobody is asked again."""
    stepper, _ = Tenant().close()

    assert ["plan", "delete-tenant"] == [call.order["gate"] for call in stepper.of("await_gate")]
    assert {"delete"} == {call.order["operation"] for call in stepper.of("work_shard")}


def test_custom_domains_go_before_subscriptions_are_cancelled() -> None:
    """The domains' shards are removed at the start of phase cancel."""
    tenant = Tenant(shards={"domains": (1, 1)})
    stepper, _ = tenant.close()
    names = stepper.names()

    assert ("domains", "delete", 0) in tenant.worked
    assert names.index("advance_subscription") > max(n for n, name in enumerate(names) if name == "work_shard")


def test_purchases_only_touch_self_service_and_later_phases_touch_all() -> None:
    """Self-service purchases end before the users; every provider is asked for in cancel and delete."""
    stepper, _ = Tenant(subscriptions={}).close()
    asked = [call.order["providers"] for call in stepper.of("list_subscriptions")]

    assert ["self-service"] == asked[0]
    assert asked[1] == asked[2]
    assert set(Provider) == set(asked[1]) == set(asked[3])
    assert [None, None, None, True] == [call.order.get("due") for call in stepper.of("list_subscriptions")]


def test_empty_tenant_closes() -> None:
    """No users, no subscriptions, no applications: nothing waits for an empty list."""
    tenant = Tenant(shards={"users": (0, 0)}, subscriptions={})
    stepper, instance = tenant.close()

    assert Result.CLOSED == instance.output["result"]
    assert [] == stepper.of("run_phase") == stepper.of("end_subscription")


def test_privileged_shards_start_only_after_every_ordinary_one() -> None:
    """All ordinary shards have been worked before the first privileged one begins; the tenant is listed in between."""
    tenant = Tenant(lanes=4, shards={"users": (10, 7)})
    stepper, _ = tenant.close(lasts={"work_shard": 100.0})
    worked = stepper.of("work_shard")
    ordinary = [call for call in worked if call.order["shard"] < 7]
    privileged = [call for call in worked if call.order["shard"] >= 7]

    assert 7 == len(ordinary)
    assert 3 == len(privileged)
    assert max(call.until for call in ordinary) <= min(call.at for call in privileged)
    users = [call for call in stepper.of("open_wave") if call.order["family"] == "users"]
    assert 2 == len(users)
    assert max(call.until for call in ordinary) <= users[1].at <= min(call.at for call in privileged)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "privileged"), [(3, 0), (3, 3), (1, 0), (1, 1)])
def test_all_privileged_or_none(count: int, privileged: int) -> None:
    """A family that is all ordinary or all privileged is worked once, whole."""
    tenant = Tenant(shards={"users": (count, privileged)})
    tenant.close()

    assert [("users", "delete", n) for n in range(count)] == sorted(tenant.worked)


def test_confirmation_looks_again_at_growing_distance_until_the_listing_is_clean() -> None:
    """What still shows is looked for again after half a minute, a minute, two, never more than ten apart."""
    tenant = Tenant()
    tenant.does(Activity.CONFIRM_WAVE, *[{"confirmed": False, "left": 9}] * 8)
    stepper, _ = tenant.close()
    looks = stepper.of("confirm_wave")[:9]

    assert [*range(9)] == [call.order["tries"] for call in looks]
    gaps = [later.at - call.at for call, later in itertools.pairwise(looks)]
    assert pytest.approx([30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0, 600.0], rel=0.01) == gaps


def test_readiness_looks_again_until_ready_hourly_at_first_daily_later() -> None:
    """A failing check keeps the closure waiting; the gate delete-tenant opens only once all pass."""
    tenant = Tenant()
    tenant.does(Activity.CHECK_READINESS, *[{"ready": False, "checks": [], "seconds": 9 * DAY}] * 9)
    stepper, instance = tenant.close()
    looks = [call.at for call in stepper.of("check_readiness")]
    gaps = [(later - at) / 3600 for at, later in itertools.pairwise(looks)]

    assert Result.CLOSED == instance.output["result"]
    assert pytest.approx([1, 2, 4, 8, 16, 24, 24, 24, 24], rel=0.01) == gaps
    assert stepper.of("await_gate")[1].at >= looks[-1]


@pytest.mark.slow
def test_readiness_waits_in_a_history_of_its_own_that_stays_short() -> None:
    """After a year of daily looks no history has grown: each round is a new one, and a thousandth look waits a day."""
    tenant = Tenant()
    tenant.activities[Activity.CHECK_READINESS] = lambda _: {"ready": stepper.time > 365 * DAY, "seconds": 400 * DAY}
    stepper = tenant.stepper()
    instance = stepper.start("close_tenant", ORDER, ROOT)
    stepper.run()

    assert Result.CLOSED == instance.output["result"]
    assert stepper.longest()["await_ready"] <= 60
    assert stepper.longest()["close_tenant"] <= 350

    late = Tenant()
    late.does(Activity.CHECK_READINESS, {"ready": False, "seconds": 9 * DAY})
    stepper = late.stepper()
    stepper.start(await_ready.__name__, {**ORDER, **late.read_progress(ORDER)["run"], "looks": 1100}, "ready")
    stepper.run()

    assert DAY == stepper.time


@pytest.mark.parametrize("whose", ["list_subscriptions", "advance_subscription", "check_readiness"])
def test_readiness_looks_again_on_the_next_date_that_is_known(whose: str) -> None:
    """The earliest of what the subscriptions, the one just looked at and the checks say; never more than an hour at
    first.
    """
    tenant = Tenant()
    told = {
        "list_subscriptions": {"items": ["sub-1"], "seconds": 9 * DAY},
        "advance_subscription": {"done": False, "parked": True, "stage": "disabled", "seconds": 9 * DAY},
        "check_readiness": {"ready": False, "seconds": 9 * DAY},
    }
    told[whose]["seconds"] = 120.0
    tenant.mark(phase for phase in STORY if phase != Phase.READINESS)
    for name, answer in told.items():
        tenant.does(name, answer)
    stepper, _ = tenant.close()

    assert [0.0, 120.0] == [call.at for call in stepper.of("check_readiness")]


def test_readiness_ends_subscriptions_side_by_side_and_reviews_what_refused() -> None:
    """Those that are due are brought forward to the end, each by a child that does not wait; then the refused."""
    tenant = Tenant(subscriptions={"sub-1": "csp", "sub-2": "azure"})
    tenant.mark(phase for phase in STORY if phase != Phase.READINESS)
    stepper, _ = tenant.close(lasts={"advance_subscription": 5.0})
    ended = [call.order for call in stepper.of("end_subscription")]

    assert [("sub-1", "deleted", True), ("sub-2", "deleted", True)] == [
        (order["item"], order["goal"], order["park"]) for order in ended
    ]
    assert {stepper.of("check_readiness")[0].instance} == {order["waiter"] for order in ended}
    families = ["users", "domains", "applications", "service-principals"]
    assert families == [c.order["family"] for c in stepper.of("review_refused")]
    assert 5.0 == stepper.time


def test_what_is_free_again_is_tried_again_and_confirmed() -> None:
    """A review that reopened shards has them worked once more, those and no others, and the listing looked at again."""
    tenant = Tenant(shards={"users": (6, 6)})
    again = {"again": 3, "first": 2, "last": 4, "waiting": 1}
    tenant.when(Activity.REVIEW_REFUSED, lambda order: order["phase"] == Phase.READINESS, again)
    tenant.mark(phase for phase in STORY if phase != Phase.READINESS)
    stepper, instance = tenant.close()

    assert Result.CLOSED == instance.output["result"]
    assert [("users", "delete", 2), ("users", "delete", 3)] == sorted(tenant.worked)
    assert 1 == len(stepper.of("confirm_wave"))
    assert stepper.names().index("confirm_wave") < stepper.names().index("check_readiness")


def test_a_wake_brings_the_next_readiness_check_forward() -> None:
    """A person who cleared a blocker does not wait for the next hour."""
    tenant = Tenant()
    tenant.does(Activity.CHECK_READINESS, {"ready": False, "checks": [], "seconds": DAY})
    stepper = tenant.stepper()
    instance = stepper.start("close_tenant", ORDER, ROOT)
    stepper.at(60.0, lambda: stepper.wake(stepper.of("check_readiness")[0].instance))
    stepper.run()

    assert Result.CLOSED == instance.output["result"]
    assert [0.0, 60.0] == [call.at for call in stepper.of("check_readiness")]


# -- the end of the tenant -------------------------------------------------------------------------------------------
def test_external_tenant_is_deleted_by_azure_and_nobody_is_asked() -> None:
    """The resource is deleted and looked after until Azure has accepted; then only the proof from outside counts."""
    tenant = Tenant()
    tenant.run["tenantType"] = "CIAM"
    running = {"state": "deleting", "seconds": 30.0, "why": ""}
    tenant.does(Activity.DELETE_DIRECTORY, running, running)
    stepper, instance = tenant.close()

    assert Result.CLOSED == instance.output["result"]
    assert [0.0, 30.0, 60.0] == [call.at for call in stepper.of("delete_directory")]
    assert [] == stepper.of("hand_over") == stepper.of("open_task")
    assert 1 == len(stepper.of("probe_task"))


@pytest.mark.parametrize("type_", ["CIAM", "AAD B2C"])
def test_external_tenant_that_azure_does_not_delete_becomes_a_task_with_the_reason(type_: str) -> None:
    """A refusal asks a person and says why."""
    tenant = Tenant()
    tenant.run["tenantType"] = type_
    tenant.does(Activity.DELETE_DIRECTORY, {"state": "refused", "seconds": 0, "why": "409 user flows are left"})
    stepper, instance = tenant.close()

    assert Result.CLOSED == instance.output["result"]
    assert ("delete-tenant", "409 user flows are left") == tuple(
        stepper.of("open_task")[0].order[name] for name in ("kind", "why")
    )


def test_hand_over_that_left_something_tells_the_keeper() -> None:
    """What our application could not remove of itself stands in the keeper's checklist."""
    tenant = Tenant()
    tenant.does(Activity.HAND_OVER, {"why": "Our enterprise application is left."})
    stepper, _ = tenant.close()

    assert "Our enterprise application is left." == stepper.of("open_task")[0].order["why"]


@pytest.mark.slow
def test_tenant_deletion_waits_for_the_proof_from_outside() -> None:
    """After the hand-over a task stands open until the tenant is seen gone; only then comes the report."""
    tenant = Tenant()
    tenant.proven.discard("delete-tenant")
    stepper = tenant.stepper()
    instance = stepper.start("close_tenant", ORDER, ROOT)
    stepper.run(until=DAY)

    assert "running" == instance.status
    assert {"delete-tenant"} == {call.order["kind"] for call in stepper.of("open_task")}
    assert [] == stepper.of("write_report")

    tenant.proven.add("delete-tenant")
    stepper.run()

    assert Result.CLOSED == instance.output["result"]
    assert 1 == len(stepper.of("hand_over"))


@pytest.mark.slow
def test_no_history_grows_past_two_thousand_events() -> None:
    """200 shards and 20 subscriptions that take 40 days: no orchestrator's history passes 2,000 events."""
    tenant = Tenant(lanes=4, shards={"users": (200, 190), "domains": (2, 2), "applications": (5, 5)})
    tenant.subscriptions = {f"sub-{n}": "csp" for n in range(20)}
    left = dict.fromkeys(tenant.subscriptions, 40)

    def advance(order: Run) -> Any:
        left[order["item"]] -= 1
        return {"done": left[order["item"]] < 0, "parked": True, "stage": "disabled", "seconds": DAY}

    tenant.activities[Activity.ADVANCE_SUBSCRIPTION] = advance
    for _ in range(4):
        tenant.when(Activity.CONFIRM_WAVE, lambda order: order["tries"] == 0, {"confirmed": False, "left": 1})
    stepper, instance = tenant.close()

    assert Result.CLOSED == instance.output["result"]
    assert 207 == len(tenant.worked) == len(set(tenant.worked))
    assert max(stepper.longest().values()) <= 2000, stepper.longest()
    assert stepper.longest()["end_subscription"] <= 60
    assert stepper.longest()["await_ready"] <= 250
    assert stepper.longest()["run_lane"] <= 250


@pytest.mark.slow
def test_slowest_confirmation_still_fits_a_history() -> None:
    """A family that needs all its 40 looks costs under 400 events; four of them and the rest stay under 2,000."""
    tenant = Tenant(shards={"users": (4, 2)})
    tenant.mark(phase for phase in STORY if phase != Phase.USERS)
    tenant.activities[Activity.CONFIRM_WAVE] = lambda order: {"confirmed": order["tries"] >= CONFIRM_TRIES, "left": 1}
    stepper, instance = tenant.close()

    assert Result.CLOSED == instance.output["result"]
    assert stepper.longest()["close_tenant"] <= 400
