"""No history grows without bound, however long, wide or troubled a closure is; and every one that starts over goes on.

Replaying long histories takes time with their square, so most cases play with a tenth of the bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import pytest

from orchestrators import ORCHESTRATORS, metering
from orchestrators.end_subscriptions import WIDEST
from orchestrators.flow import PATIENCE
from tenantclosure.names import Activity, Phase, Result
from tenantclosure.policy.usage import ENGINE, PIECE, episodes, history_events
from tests.orchestrators.stepper import Instance, Stepper, Trouble
from tests.orchestrators.tenant import DAY, HOUR, ORDER, ROOT, STORY, Tenant

pytestmark = pytest.mark.slow
PROMISED = 2000
TENTH = metering.LONGEST // 10


@pytest.fixture
def tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Histories a tenth as long."""
    monkeypatch.setattr(metering, "LONGEST", TENTH)


def at(tenant: Tenant, phase: Phase) -> None:
    """Let the closure begin with this phase, and end after it."""
    tenant.mark(one for one in STORY if one != phase)


def scripted(tenant: Tenant, name: str, answers: Iterator[Any]) -> None:
    """One answer a call, then what the activity did before."""
    before = tenant.activities[name]

    def told(order: dict[str, Any]) -> Any:
        found = next(answers, None)
        if found is Trouble:
            raise Trouble("503")
        return before(order) if found is None else found

    tenant.activities[name] = told


def closed(stepper: Stepper, instance: Instance, longest: int = TENTH) -> dict[str, int]:
    """It ended well, within the bound; the longest history of each orchestrator."""
    assert Result.CLOSED == instance.output["result"], instance.error
    found = stepper.longest()
    assert max(found.values()) <= longest, found
    return found


@pytest.mark.usefixtures("tenth")
def test_months_of_pause() -> None:
    """A pause of months, looked after every day: the root starts over, and hears the end of the pause."""
    tenant = Tenant()
    at(tenant, Phase.MFA_OFF)
    scripted(tenant, Activity.TURN_OFF_MFA, iter([{"stop": "paused", "detail": ""}] * 8))
    scripted(tenant, Activity.CHECK_CONTROL, repeat({"paused": True, "seconds": None}, 90))
    stepper, instance = tenant.close()

    closed(stepper, instance)
    assert 3 < len(instance.executions)
    assert 60 * DAY < stepper.time


@pytest.mark.usefixtures("tenth")
@pytest.mark.parametrize(("stop", "rounds"), [("revoked", 40), ("window", 40), ("drift", 6)])
def test_stops_without_end(stop: str, rounds: int) -> None:
    """Approvals taken back, closed windows, new plans, again and again: each is seen to, and the closure goes on."""
    tenant = Tenant()
    scripted(tenant, Activity.FREEZE_SIGN_UPS, iter([{"stop": stop, "detail": "why"}] * rounds))
    stepper, instance = tenant.close()

    closed(stepper, instance)
    assert 1 + rounds == len(stepper.of(Activity.FREEZE_SIGN_UPS))
    assert (1 + rounds if stop == "drift" else 1) == tenant.serial


@pytest.mark.slow
def test_trouble_with_every_call() -> None:
    """A lane whose calls all fail as often as patience allows starts over by its own steps, and leaves no shard out."""
    tenant = Tenant()
    scripted(tenant, Activity.WORK_SHARD, chain.from_iterable(repeat([*[Trouble] * len(PATIENCE), None], 20)))
    lane = {"family": "users", "operation": "delete", "first": 0, "last": 20, "next": 0, "lanes": 1, "round": 0}
    stepper = tenant.stepper()
    instance = stepper.start("run_lane", {**ORDER, **lane, "part": 1.0, "bucket": {"tokens": 3000.0}})
    stepper.run()

    assert {} == instance.output
    assert 1000 < stepper.longest()["run_lane"] <= metering.LONGEST
    assert set(range(20)) == {shard for *_, shard in tenant.worked}


@pytest.mark.usefixtures("tenth")
def test_a_long_quiet_period_and_a_deletion_that_lasts() -> None:
    """Waits within a phase do not need its end: 60 quiet days, and Azure that deletes for 30 polls."""
    tenant = Tenant(quiet_days=60)
    tenant.run["tenantType"] = "CIAM"
    scripted(tenant, Activity.DELETE_DIRECTORY, repeat({"state": "deleting", "seconds": HOUR, "why": ""}, 30))
    stepper, instance = tenant.close()

    closed(stepper, instance)
    assert 60 * DAY <= stepper.time
    assert 1 == len([call for call in stepper.of("begin_phase") if call.order["phase"] == Phase.PREFLIGHT])


@pytest.mark.usefixtures("tenth")
def test_people_and_dates_that_take_long() -> None:
    """A gate open for weeks, a task proven after months, refused users reviewed each day and tried again."""
    tenant = Tenant()
    scripted(tenant, Activity.JUDGE_GATE, repeat({"state": "open", "seconds": DAY}, 40))
    scripted(tenant, Activity.PROBE_TASK, repeat({"proven": False, "proof": "", "seconds": DAY}, 60))
    scripted(tenant, Activity.CHECK_READINESS, repeat({"ready": False, "checks": [], "seconds": DAY}, 30))
    again = {"again": 1, "first": 0, "last": 1, "waiting": 0}
    scripted(tenant, Activity.REVIEW_REFUSED, chain.from_iterable(repeat([None, again], 60)))
    stepper, instance = tenant.close()

    closed(stepper, instance)
    assert 30 * DAY < stepper.time


@pytest.mark.slow
def test_ten_thousand_subscriptions() -> None:
    """They are asked for in a hundred groups of a hundred, at once, and each exactly once."""
    tenant = Tenant(subscriptions={f"sub-{number}": "manual" for number in range(10_000)})
    at(tenant, Phase.CANCEL)
    asked: list[str] = []

    def end(order: dict[str, Any]) -> dict[str, Any]:
        asked.append(order["item"])
        return {"stage": "cancelled", "seconds": DAY, "usage": {"histories": 1}}

    stepper, instance = tenant.close(children={"end_subscription": end}, in_batches=True)

    found = closed(stepper, instance, PROMISED)
    assert sorted(tenant.subscriptions) == sorted(asked)
    assert 100 == len(stepper.of("end_subscriptions"))
    assert {ROOT} == {call.order["waiter"] for call in stepper.of("end_subscription")}
    assert 500 > found["end_subscriptions"]
    assert 10_000 < instance.usage["histories"]


def test_a_fan_out_that_fits_no_history_is_not_put_off_for_ever() -> None:
    """What is wider than a history is done in a short one; starting over would make it no smaller."""
    meter = metering.Meter({})
    meter.add("activities", 3)

    assert meter.has_room(metering.Use("children", 10 * metering.LONGEST))
    meter.add("activities", metering.LONGEST // 8)
    assert not meter.has_room(metering.Use("children", 10 * metering.LONGEST))
    assert meter.has_room(metering.Use("wakes"))


@pytest.mark.slow
def test_one_subscription_too_many_makes_groups() -> None:
    """Up to a hundred are children of the phase itself, more are children of two groups; a stop comes through both."""
    stop = {"stop": "drift", "detail": "why"}
    for count, told, groups in ((WIDEST, "closed", 0), (WIDEST + 1, "closed", 2)):
        tenant = Tenant(subscriptions={f"sub-{number}": "manual" for number in range(count)})
        at(tenant, Phase.CANCEL)
        tenant.when(Activity.ADVANCE_SUBSCRIPTION, lambda order: order["item"] == "sub-99", stop)
        stepper, instance = tenant.close(in_batches=True)
        assert told == instance.output["result"], instance.error
        assert 2 == tenant.serial
        at_first = [call for call in stepper.of("end_subscriptions") if call.order["serial"] == 1]
        assert groups == len([call for call in at_first if call.order["phase"] == Phase.CANCEL])


def test_children_of_later_histories_have_names_of_their_own(tenth: None) -> None:
    """No id comes twice over all histories of an instance; the stepper, as the engine, would refuse it."""
    tenant = Tenant()
    scripted(tenant, Activity.LIST_SUBSCRIPTIONS, chain.from_iterable(repeat([None, {"stop": "window"}], 30)))
    stepper, instance = tenant.close()

    closed(stepper, instance)
    assert [id_ for id_ in stepper.instances if id_.startswith(f"{ROOT}:1.")]


@pytest.mark.slow
def test_the_bound_itself() -> None:
    """With nothing made smaller: new plans in a row, and no history holds more than what is promised."""
    tenant = Tenant()
    scripted(tenant, Activity.FREEZE_SIGN_UPS, iter([{"stop": "drift", "detail": "why"}] * 20))
    stepper = tenant.stepper()
    instance = stepper.start("close_tenant", ORDER, ROOT)
    stepper.run(episodes=100_000)

    found = closed(stepper, instance, PROMISED)
    assert metering.LONGEST - 20 < found["close_tenant"]


def test_what_ends_a_history_is_part_of_every_story() -> None:
    """Histories that live now end where these figures say: who changes one raises the version (docs/versions.md)."""
    one_each = dict.fromkeys(ENGINE, 1)

    assert (1500, 100, 259_200.0) == (metering.LONGEST, WIDEST, PIECE)
    assert (5, 19) == (episodes(one_each), history_events(one_each))
    assert (1, 2, 5, 10, 30, 60, 120, 300, 600, 900) == PATIENCE


def test_every_orchestrator_is_metered() -> None:
    """What the app registers is driven by the meter, so a new orchestrator is bounded and counted as well."""
    assert all(hasattr(function, "__wrapped__") for function in ORCHESTRATORS)
