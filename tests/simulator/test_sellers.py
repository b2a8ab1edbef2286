"""What sellers are told apart by: our roles there, writes to others' things, and a count of every write."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.commerce.lifecycle import Kind
from tests.simulator.commerce_rig import Rig, running
from tests.simulator.rig import Simulator

ACCOUNTS = "/providers/Microsoft.Billing/billingAccounts"
CANCEL = "/subscriptions/{}/providers/Microsoft.Subscription/cancel"


async def score(rig: Rig) -> dict[str, Any]:
    """What the simulator saw."""
    found: dict[str, Any] = (await rig.http.get("/_sim/score")).json()
    return found


async def consent(rig: Rig, **roles: Any) -> int:
    """Give or take roles; the status."""
    return (await rig.http.post("/_sim/consent", json=roles)).status_code


@pytest.mark.simulator
def test_the_ready_line_names_what_a_deployment_needs(start: Any) -> None:
    """The target's own Customer Agreement and no stray one; the external directory where the target is one."""
    hostile: Simulator = start(profile="hostile")
    external: Simulator = start(profile="external")
    token = hostile.client(hostile.info["token"])
    accounts = token.get(ACCOUNTS, params={"api-version": "2024-04-01"}).json()["value"]
    own = [
        account["name"]
        for account in accounts
        if account["properties"]["agreementType"] == "MicrosoftCustomerAgreement"
        and account["properties"]["primaryBillingTenantId"] == hostile.info["tenantId"]
    ]

    assert 3 == len(accounts)
    assert own == hostile.info["billingAccounts"] == hostile.sim("info")["billingAccounts"]
    assert hostile.info["externalDirectory"] is None
    assert external.world.directory_resource is not None
    assert external.world.directory_resource.id == external.info["externalDirectory"]


async def test_a_billing_role_that_is_missing() -> None:
    """No account is listed and 403 for what is known; with the role again all is as before."""
    async with running() as rig:
        account = next(a for a in rig.target.commerce.accounts() if rig.row(Kind.MCA) in a.subscriptions)
        row = f"{account.path}/billingSubscriptions/{rig.row(Kind.MCA).commerce_id}"
        assert 200 == await consent(rig, billingRole=False)
        refused = [await rig.arm(method, row, json={}) for method in ("GET", "PATCH", "DELETE")]
        listed = (await rig.arm("GET", ACCOUNTS)).json()["value"]

        assert [(403, "AuthorizationFailed")] * 3 == [(a.status_code, a.json()["error"]["code"]) for a in refused]
        assert ([], "Enabled") == (listed, rig.row(Kind.MCA).status)
        assert 200 == await consent(rig, billingRole=True)
        assert 200 == (await rig.arm("GET", row)).status_code


async def test_a_partner_role_that_is_missing() -> None:
    """403 in Partner Center's shape for reading and for writing."""
    async with running("hybrid") as rig:
        path = f"/v1/customers/{rig.target.id}/subscriptions"
        await consent(rig, partnerRole=False)
        for method, where in (("GET", path), ("PATCH", f"{path}/{rig.row(Kind.CSP).commerce_id}")):
            refused = await rig.http.request(method, where, headers=rig.token(rig.world.partner), json={})
            assert (403, "1000") == (refused.status_code, refused.json()["code"])
        assert "Enabled" == rig.row(Kind.CSP).status


async def test_an_azure_role_that_is_missing() -> None:
    """No Azure subscription is listed, and none is read or cancelled."""
    async with running() as rig:
        key = rig.azure().id
        await consent(rig, azureRole=False)
        refused = [await rig.arm("GET", f"/subscriptions/{key}"), await rig.arm("POST", CANCEL.format(key))]

        assert [403, 403] == [answer.status_code for answer in refused]
        assert [] == (await rig.arm("GET", "/subscriptions")).json()["value"]
        assert "Enabled" == rig.azure().state


@pytest.mark.parametrize("body", [{"billingRole": "no"}, {"billingRole": False, "seller": 1}, {"enabled": 1}])
async def test_consent_that_makes_no_sense(body: dict[str, Any]) -> None:
    """400, and nothing is taken away."""
    async with running() as rig:
        assert 400 == await consent(rig, **body)
        assert rig.world.roles.billing


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_writes_to_what_is_not_the_targets(method: str) -> None:
    """A sister's row and anything on a stray account count; our own row does not."""
    async with running("hostile") as rig:
        own = rig.row(Kind.MCA)
        accounts = rig.target.commerce.accounts()
        shared = next(account for account in accounts if own in account.subscriptions)
        stray = next(account for account in accounts if account.primary_tenant != rig.target.id)
        sister = next(row for row in shared.subscriptions if row.tenant_id != rig.target.id)
        off = {"properties": {"autoRenew": "Off"}}
        counts = []
        for account, row in ((shared, own.commerce_id), (shared, sister.commerce_id), (stray, "unknown")):
            await rig.arm(method, f"{account.path}/billingSubscriptions/{row}", json=off)
            counts.append((await score(rig))["foreignTouched"])

        assert [0, 1, 2] == counts


async def test_another_tenants_azure_subscription() -> None:
    """The subscription that hosts the external directory is not the target's."""
    async with running("external") as rig:
        assert rig.world.directory_resource is not None
        path = CANCEL.format(rig.world.directory_resource.subscription_id)

        assert 200 == (await rig.arm("POST", path, rig.world.home)).status_code
        assert 1 == (await score(rig))["foreignTouched"]


async def test_every_write_is_counted_by_address() -> None:
    """Refused and repeated ones as well; reads and writes to Graph are not."""
    async with running("hybrid") as rig:
        azure, customer = CANCEL.format(rig.azure().id), f"/v1/customers/{rig.target.id}/subscriptions/x"
        assert ({}, 0) == ((await score(rig))["writeCalls"], (await score(rig))["foreignTouched"])
        await rig.arm("GET", "/subscriptions")
        await rig.arm("POST", azure)
        await rig.arm("POST", azure)
        await rig.http.patch(customer, headers=rig.token(rig.world.partner), json={})
        user = list(rig.target.directory.users.live)[-1]
        await rig.http.delete(f"/v1.0/users/{user}", headers=rig.token())

        assert {f"POST {azure}": 2, f"PATCH {customer}": 1} == (await score(rig))["writeCalls"]


async def test_a_billing_operation_that_never_ends() -> None:
    """While `lro` is never the row stays locked and the operation runs; it ends once that is taken back."""
    async with running() as rig:
        row = rig.row(Kind.MCA)
        account = next(a for a in rig.target.commerce.accounts() if row in a.subscriptions)
        path = f"{account.path}/billingSubscriptions/{row.commerce_id}"
        await rig.http.post("/_sim/settings", json={"lro": "never"})
        poll = (await rig.arm("DELETE", path)).headers["Location"].removeprefix(rig.world.urls.http)
        rig.clock.forward(10)

        assert "LockedForUpdate" == (await rig.arm("GET", path)).json()["properties"]["operationStatus"]
        assert 202 == (await rig.arm("GET", poll)).status_code
        await rig.http.post("/_sim/settings", json={"lro": "ends"})
        assert (204, "Suspended") == ((await rig.arm("GET", poll)).status_code, row.status)
        assert 400 == (await rig.http.post("/_sim/settings", json={"lro": "sometimes"})).status_code
