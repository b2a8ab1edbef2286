"""Deployments under way: a closure changes its version with its hub, forwards and back, and the run left behind stops.

That histories replay through newer code is shown by test_golden.py, that the sweep starts what an empty hub has lost by
tests/web/test_sweeping.py, and both together on a real host by tests/rehearsals/test_emptied.py and test_kills.py.
"""

from __future__ import annotations

import pytest

from tenantclosure.names import Gate
from tests.orchestrators.stepper import Stepper
from tests.orchestrators.tenant import DAY, ORDER, ROOT, Tenant

AFTERWARDS = {**ORDER, "epoch": 2}
SECOND = f"{ORDER['closureId']}-e2"


def under_way(version: str) -> tuple[Tenant, Stepper]:
    """A closure begun in a version, with its users gone, that waits for the last gate."""
    tenant = Tenant(shards={"users": (3, 3)})
    tenant.gates[Gate.DELETE_TENANT, 1] = "open"
    hub = tenant.stepper()
    hub.start("close_tenant", ORDER, ROOT, version)
    hub.run(until=DAY)
    assert "running" == hub.instances[ROOT].status
    assert 3 == len(tenant.worked)
    return tenant, hub


@pytest.mark.parametrize(("before", "after"), [("1.0", "1.1"), ("1.1", "1.0")], ids=["upgrade", "rollback"])
def test_a_closure_goes_on_in_another_version_in_an_empty_hub(before: str, after: str) -> None:
    """From Records, under the next epoch: done phases are not repeated, and its children get the version of today."""
    tenant, _ = under_way(before)
    tenant.epoch = 2
    tenant.gates[Gate.DELETE_TENANT, 1] = "approved"
    hub = tenant.stepper()
    instance = hub.start("close_tenant", AFTERWARDS, SECOND, after)
    hub.run()

    assert {"closureId": ORDER["closureId"], "result": "closed"} == instance.output
    assert 3 == len(tenant.worked)
    assert {after} == {one.version for one in hub.instances.values()}


def test_the_run_that_was_left_behind_stops_when_it_wakes() -> None:
    """In a hub that comes back, or when the newer version is deployed again, its epoch has passed: it only ends."""
    tenant, old = under_way("1.1")
    tenant.epoch = 2
    fenced = {"stop": "fenced", "detail": "run 1 was replaced by run 2"}
    tenant.when("judge_gate", lambda order: order["epoch"] != tenant.epoch, fenced)  # as the real one answers
    done, written = list(tenant.worked), list(tenant.written)
    for instance in list(old.instances):
        old.wake(instance)
    old.run(episodes=old.episodes + 50)

    assert "completed" == old.instances[ROOT].status
    assert (done, written) == (tenant.worked, tenant.written)
    assert tenant.result is None
