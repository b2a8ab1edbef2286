"""The table of scenarios: every way of buying runs to its proper end, by exactly the calls that are allowed to it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.world import DAY, world

pytestmark = [pytest.mark.simulator, pytest.mark.slow]

# A term of some days, so that a year's worth of waiting fits into seconds: term, 30 days of grace, 90 disabled.
TERM: dict[str, Any] = {"due": 20, "term": 30}
SCENARIOS = [
    # name, what is sold, provider, calls (method of each, on its own id), tasks that people did
    ("mosa-under-25", {"kind": "mosa", "licences": 20}, "manual", [], ["cancel-subscription", "delete-subscription"]),
    ("mca-inside", {"kind": "mca", "window": 5}, "mca", ["DELETE"], []),
    ("mca-outside", {"kind": "mca", "window": None, **TERM}, "mca", ["PATCH"], []),
    ("csp-inside", {"kind": "csp", "window": 4}, "csp", ["PATCH"], []),
    ("csp-outside", {"kind": "csp", "window": None, **TERM}, "csp", ["PATCH"], []),
    ("csp-legacy", {"kind": "csp", "window": None, "legacy": True}, "csp", ["PATCH"], []),
    ("trial", {"kind": "trial", "due": 60}, "trial", [], ["delete-subscription"]),
    ("free", {"kind": "free"}, "free", [], ["delete-free-product"]),
    ("self-service", {"kind": "self-service"}, "self-service", [], ["take-control"]),
    ("locked-out", {"kind": "locked"}, "support", [], ["ask-support"]),
    ("entra-id-free", {"kind": "entra-free"}, "support", [], ["ask-support"]),
]


@pytest.mark.parametrize(("name", "sold", "provider", "calls", "tasks"), SCENARIOS, ids=[one[0] for one in SCENARIOS])
async def test_it_runs_to_its_proper_end(
    name: str, sold: dict[str, Any], provider: str, calls: list[str], tasks: list[str]
) -> None:
    """Planned as what it is, ended by its own route, proven by Graph, by exactly the writes that belong to it."""
    async with world() as tenant:
        item = tenant.sell(**sold)
        await tenant.approved_plan()
        assert await tenant.planned_as() == {item: provider}
        if provider == "manual":
            await tenant.without_domain()
        await tenant.ended(item)
        assert tenant.calls() == [f"{method} {tenant.sold[item]}" for method in calls]
        assert await tenant.kinds() == dict.fromkeys(tasks, "proven")


@pytest.mark.parametrize("reducible", [True, False])
async def test_mosa_over_25_licences(reducible: bool) -> None:
    """The task says why; the portal refuses until licences are reduced, otherwise only Support ends it. No call."""
    async with world() as tenant:
        item = tenant.sell("mosa", licences=40, reducible=reducible)
        await tenant.approved_plan()
        await tenant.without_domain()
        step = await tenant.round("cancelled", item)
        (task,) = await tenant.ledger.tasks(tenant.closure)
        assert (step["parked"], task["kind"], "40 licences" in task["why"]) == (True, "cancel-subscription", True)
        if not reducible:
            await tenant.click()
            assert "licences" in tenant.refused["cancel-subscription"]
            assert (await tenant.round("cancelled", item))["parked"]
            tenant.simulated.sim("portal/support", {"subscriptionId": item})
        await tenant.ended(item)
        assert tenant.calls() == []


@pytest.mark.parametrize(("listed", "window"), [(False, 5), (False, None), (True, 5)])
async def test_one_billing_account_for_two_tenants(listed: bool, window: int | None) -> None:
    """Only our own row is planned, and only called if the account is on the list; the sister's row never."""
    environment = {} if listed else {"CLOSURE_BILLING_ACCOUNTS": ""}
    async with world(**environment) as tenant:
        item = tenant.sell("mca", window=window, **TERM)
        await tenant.approved_plan()
        assert await tenant.planned_as() == {item: "mca"}
        await tenant.ended(item)
        assert tenant.calls() == ([f"DELETE {tenant.sold[item]}"] if listed else [])
        by_hand = "turn-off-recurring-billing" if window is None else "cancel-subscription"
        assert await tenant.kinds() == ({} if listed else {by_hand: "proven"})


async def test_azure_without_resources() -> None:
    """Cancelled by one call; a person deletes it once the portal offers that."""
    async with world() as tenant:
        item = tenant.azure()
        await tenant.approved_plan()
        await tenant.ended(item)
        assert tenant.calls() == [f"POST {item}"]
        assert await tenant.kinds() == {"delete-azure-subscription": "proven"}


async def test_an_azure_offer_that_nobody_can_delete() -> None:
    """Cancelled by one call, then 90 days of waiting without any task."""
    async with world() as tenant:
        item = tenant.azure(quotaId="AAD_2015-09-01")
        await tenant.approved_plan()
        standing = await tenant.ended(item)
        assert tenant.calls() == [f"POST {item}"]
        assert (await tenant.kinds(), standing["flips"]) == ({}, 0)


@pytest.mark.parametrize("ignore", [True, False])
async def test_azure_with_resources(ignore: bool) -> None:
    """The call is refused and a person empties it; or, where the request says so, it is cancelled with all in it."""
    async with world() as tenant:
        item = tenant.azure(quotaId="AAD_2015-09-01", resources=2)
        await tenant.approved_plan(azure={"ignoreResources": ignore})
        step = await tenant.round("cancelled", item)
        if not ignore:
            assert (step["parked"], await tenant.kinds()) == (True, {"empty-azure-subscription": "open"})
            tenant.simulated.sim("portal/empty-azure-subscription", {"subscriptionId": item})
            (task,) = await tenant.ledger.tasks(tenant.closure)
            await tenant.report(task)
        await tenant.ended(item)
        assert tenant.calls() == [f"POST {item}"] * (1 if ignore else 2)


async def test_a_partner_who_gives_no_access() -> None:
    """Without partner credentials the partner is asked; what was attested is waited for, and Graph alone proves it."""
    async with world(CLOSURE_PARTNER_STATIC_TOKEN="", CLOSURE_PARTNER_TENANT_ID="") as tenant:
        item = tenant.sell("csp", window=None, **TERM)
        await tenant.approved_plan()
        await tenant.until(lambda step: step["done"], item, "cancelled")
        standing = await tenant.standing(item)
        assert (standing["stage"], "attested by olga@fabrikam.com" in standing["reason"]) == ("non-renewing", True)
        await tenant.ended(item)
        assert (tenant.calls(), await tenant.kinds()) == ([], {"ask-partner": "proven"})


async def test_a_row_that_turns_enabled_again() -> None:
    """Cancelled, and Enabled again: named, cancelled once more by the same route, and it ends."""
    async with world() as tenant:
        item = tenant.sell("mca", window=5)
        await tenant.approved_plan()
        await tenant.until(lambda step: step["stage"] == "disabled", item)
        tenant.simulated.sim(f"subscriptions/{item}", {"state": "enabled"})
        await tenant.round("deleted", item)
        assert (await tenant.standing(item))["flips"] == 1
        await tenant.ended(item)
        assert tenant.calls() == [f"DELETE {tenant.sold[item]}"] * 2


async def test_a_word_that_is_in_no_enum() -> None:
    """`Paused`: unclear, no call, looked at again; once it is Enabled again, all goes on."""
    async with world() as tenant:
        item = tenant.sell("mca", window=5)
        await tenant.approved_plan()
        tenant.simulated.sim(f"subscriptions/{item}", {"shown": "Paused"})
        step = await tenant.round("cancelled", item)
        standing = await tenant.standing(item)
        assert (step["parked"], standing["side"], "Paused" in standing["reason"]) == (True, "unclear", True)
        assert (tenant.calls(), step["seconds"]) == ([], DAY)
        tenant.simulated.sim(f"subscriptions/{item}", {"shown": None})
        await tenant.ended(item)
        assert tenant.calls() == [f"DELETE {tenant.sold[item]}"]


@pytest.mark.parametrize(
    ("role", "sold", "kind"),
    [
        ("billingRole", {"kind": "mca", "window": 5}, "cancel-subscription"),
        ("partnerRole", {"kind": "csp", "window": 5}, "ask-partner"),
    ],
)
async def test_a_role_is_missing(role: str, sold: dict[str, Any], kind: str) -> None:
    """403 where a role is missing asks a person, and never comes to a loop or a crash."""
    async with world() as tenant:
        item = tenant.sell(**sold)
        await tenant.approved_plan()
        tenant.simulated.sim("consent", {role: False})
        step = await tenant.round("cancelled", item)
        assert step["parked"]
        assert len(await tenant.kinds()) == 1
        await tenant.ended(item)
        assert await tenant.kinds() and len(tenant.calls()) <= 1


async def test_an_operation_that_never_ends() -> None:
    """Accepted, locked for ever: after its time a person is asked; the call is not made again."""
    async with world() as tenant:
        item = tenant.sell("mca", window=5)
        await tenant.approved_plan()
        tenant.simulated.sim("settings", {"lro": "never"})
        assert (await tenant.round("cancelled", item))["stage"] == "cancel-requested"
        await tenant.until(lambda step: step["parked"] and step["seconds"] > 0, item, "cancelled")
        while not await tenant.kinds():
            await tenant.until(lambda step: step["parked"], item, "cancelled")
        assert await tenant.kinds() == {"cancel-subscription": "open"}
        assert tenant.calls() == [f"DELETE {tenant.sold[item]}"]
