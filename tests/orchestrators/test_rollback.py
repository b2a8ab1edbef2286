"""The turn to a rollback: it is planned, decided about and done in place of the rest of the story."""

from __future__ import annotations

from typing import Any

import pytest

from tenantclosure.names import Phase, Result
from tests.orchestrators.stepper import Instance, Stepper
from tests.orchestrators.tenant import ORDER, ROOT, STORY, Tenant

WAVES = [
    {"family": "users", "operation": "restore", "shards": 3},
    {"family": "users-enabled", "operation": "enable", "shards": 1},
    {"family": "applications", "operation": "restore", "shards": 0},
]


def undone(tenant: Tenant) -> tuple[Stepper, Instance]:
    """A closure whose operator asks for a rollback once the users are gone."""
    tenant.mark(STORY[: STORY.index(Phase.CANCEL)])

    def asked(_: Any) -> Any:
        tenant.control = "rollback"
        return {"stop": "rollback", "detail": ""}

    tenant.does("list_subscriptions", asked)
    stepper = tenant.stepper()
    instance = stepper.start("close_tenant", ORDER, ROOT)
    return stepper.run(), instance


def test_what_was_planned_is_restored_under_its_own_gate() -> None:
    """The story is left; every shard is worked under the gate `rollback`, and the closure ends as its row says."""
    tenant = Tenant()
    tenant.to_restore = WAVES
    stepper, instance = undone(tenant)
    worked = stepper.of("work_shard")

    assert Result.ABORTED == instance.output["result"]
    assert [("users", "restore", n) for n in range(3)] + [("users-enabled", "enable", 0)] == sorted(tenant.worked)
    assert {("rollback", 2)} == {(call.order["gate"], call.order["serial"]) for call in worked}
    assert ["rollback"] == [call.order["gate"] for call in stepper.of("await_gate")]
    assert [Phase.GATE_ROLLBACK, Phase.ROLLBACK, Phase.REPORT] == [
        call.order["phase"] for call in stepper.of("begin_phase")
    ][-3:]
    assert ["rolled-back", "undo", "report", "end"] == tenant.written
    assert [] == stepper.of("turn_off_mfa") == stepper.of("advance_subscription")


def test_nothing_to_restore_asks_nobody_and_changes_nothing() -> None:
    """A second rollback finds nothing, so there is nothing to decide about."""
    tenant = Tenant()
    stepper, instance = undone(tenant)

    assert Result.ABORTED == instance.output["result"]
    assert [] == stepper.of("await_gate") == stepper.of("work_shard") == stepper.of("finish_rollback")


@pytest.mark.parametrize("state", ["vetoed", "expired", "aborted"])
def test_a_rollback_that_is_not_approved_restores_nobody(state: str) -> None:
    """The closure ends as it would have without it, and says why."""
    tenant = Tenant()
    tenant.to_restore = WAVES
    tenant.gates["rollback", 2] = state
    stepper, instance = undone(tenant)

    assert Result.ABORTED == instance.output["result"]
    assert "gate rollback" == stepper.of("write_report")[0].order["why"]
    assert [] == tenant.worked


def test_a_closure_that_had_ended_ends_as_it_had() -> None:
    """An ended closure is opened again for its rollback only, and keeps the result it had."""
    tenant = Tenant()
    tenant.serial, tenant.rollback = 2, {"serial": 2, "endsAs": "vetoed"}
    tenant.to_restore = WAVES
    stepper, instance = tenant.close()

    assert Result.VETOED == instance.output["result"]
    assert [Phase.GATE_ROLLBACK, Phase.ROLLBACK, Phase.REPORT] == [
        call.order["phase"] for call in stepper.of("begin_phase")
    ]


@pytest.mark.parametrize("name", ["begin_rollback", "plan_rollback", "finish_rollback", "work_shard"])
def test_a_rollback_that_is_fenced_ends_silently(name: str) -> None:
    """A newer run goes on with it; this one writes nothing more."""
    tenant = Tenant()
    tenant.to_restore = WAVES
    tenant.does(name, {"stop": "fenced", "detail": ""})
    stepper, instance = undone(tenant)

    assert instance.output["result"] is None
    assert [] == stepper.of("write_report") == stepper.of("end_closure")


def test_a_rollback_waits_out_a_pause() -> None:
    """What holds a closure holds its rollback, which then goes on where it was."""
    tenant = Tenant()
    tenant.to_restore = WAVES
    tenant.does("work_shard", {"stop": "paused", "detail": ""})
    tenant.does("check_control", {"paused": True})
    stepper, instance = undone(tenant)

    assert Result.ABORTED == instance.output["result"]
    assert {0, 1, 2} == {shard for family, _, shard in tenant.worked if family == "users"}
    assert 1 == len(stepper.of("begin_rollback"))
