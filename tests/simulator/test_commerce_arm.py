"""ARM: Azure subscriptions are cancelled at once, seat-based ones by a long-running operation inside their window."""

from urllib.parse import urlsplit

import pytest

from simulator.commerce.lifecycle import Kind
from tests.simulator.commerce_rig import Rig, running

CANCEL = "/subscriptions/{}/providers/Microsoft.Subscription/cancel"


async def mca(rig: Rig) -> str:
    """The path of the target's MCA account."""
    accounts = (await rig.arm("GET", "/providers/Microsoft.Billing/billingAccounts")).json()["value"]
    return next(
        a["id"]
        for a in accounts
        if a["properties"]["agreementType"] == "MicrosoftCustomerAgreement"
        and a["properties"]["primaryBillingTenantId"] == rig.target.id
    )


async def test_azure_cancel_and_the_ninety_days():
    """Cancel answers 200 and Disabled; after 90 days the state is Deleted, later GET says 404 (facts 3)."""
    async with running() as rig:
        item = rig.azure()
        listed = (await rig.arm("GET", "/subscriptions")).json()["value"]
        answer = await rig.arm("POST", CANCEL.format(item.id), params={"api-version": "2021-10-01"})

        assert [("Enabled", rig.target.id)] == [(s["state"], s["tenantId"]) for s in listed]
        assert (200, {"subscriptionId": item.id}) == (answer.status_code, answer.json())
        assert "Disabled" == (await rig.arm("GET", f"/subscriptions/{item.id}")).json()["state"]
        rig.clock.forward(90.1)
        assert "Deleted" == (await rig.arm("GET", f"/subscriptions/{item.id}")).json()["state"]
        rig.clock.forward(30)
        gone = await rig.arm("GET", f"/subscriptions/{item.id}")
        assert (404, "SubscriptionNotFound") == (gone.status_code, gone.json()["error"]["code"])


async def test_azure_with_resources():
    """Resources stop a cancel unless the undocumented flag is sent (facts 3)."""
    async with running("hostile") as rig:
        path = CANCEL.format(rig.azure("Forgotten lab").id)
        refused = await rig.arm("POST", path)
        forced = await rig.arm("POST", path, params={"IgnoreResourceCheck": "true"})

        assert (400, "ResourcesExistingOnSubscription") == (refused.status_code, refused.json()["error"]["code"])
        assert 200 == forced.status_code


async def test_cancel_inside_the_window():
    """DELETE answers 202 with Location and Retry-After; polled to 204 the row is Suspended, then Deleted (facts 2)."""
    async with running() as rig:
        row = rig.row(Kind.MCA)
        path = f"{await mca(rig)}/billingSubscriptions/{row.commerce_id}"
        before = (await rig.arm("GET", path)).json()["properties"]
        accepted = await rig.arm("DELETE", path)
        poll = urlsplit(accepted.headers["Location"]).path
        running_still = await rig.arm("GET", poll)
        locked = await rig.arm("PATCH", path, json={"properties": {"autoRenew": "Off"}})

        assert "Allowed" == before["systemOverrides"]["cancellation"]
        assert ("202", "10") == (str(accepted.status_code), accepted.headers["Retry-After"])
        assert 202 == running_still.status_code
        assert (409, "SubscriptionLockedForUpdate") == (locked.status_code, locked.json()["error"]["code"])
        rig.clock.forward(10 / 86400 + 0.0001)
        assert 204 == (await rig.arm("GET", poll)).status_code
        assert "Suspended" == (await rig.statuses())[row.id]
        rig.clock.forward(91)
        assert "Deleted" == (await rig.statuses())[row.id]
        assert 204 == (await rig.arm("DELETE", path)).status_code
        assert (0, 0) == (rig.world.score.double_deletes, rig.world.score.foreign_touched)
        await rig.arm("DELETE", path)
        assert 1 == rig.world.score.double_deletes


async def test_outside_the_window_only_renewal_can_go():
    """Too late, DELETE is a 4xx; autoRenew Off lets the term run out (facts 1 and 2)."""
    async with running("hybrid") as rig:
        row = rig.row(Kind.MCA, "EMS")
        path = f"{await mca(rig)}/billingSubscriptions/{row.commerce_id}"
        refused = await rig.arm("DELETE", path)
        patched = await rig.arm("PATCH", path, json={"properties": {"autoRenew": "Off"}})

        assert (400, "CancellationNotAllowed") == (refused.status_code, refused.json()["error"]["code"])
        assert (200, "Off") == (patched.status_code, patched.json()["properties"]["autoRenew"])
        for days, status in ((11.9, "Enabled"), (0.2, "Warning"), (30, "Suspended"), (90, "Deleted")):
            rig.clock.forward(days)
            assert status == (await rig.statuses())[row.id]


async def test_the_window_closes():
    """What could be cancelled on the first day can not a week later (facts 1)."""
    async with running() as rig:
        path = f"{await mca(rig)}/billingSubscriptions/{rig.row(Kind.MCA).commerce_id}"
        rig.clock.forward(6)

        assert 400 == (await rig.arm("DELETE", path)).status_code
        assert "NotAllowed" == (await rig.arm("GET", path)).json()["properties"]["systemOverrides"]["cancellation"]


async def test_a_write_to_a_foreign_subscription_is_counted():
    """The account also bills a sister company; touching its row works, as in reality, and the score says so (2.5)."""
    async with running() as rig:
        account = await mca(rig)
        rows = (await rig.arm("GET", f"{account}/billingSubscriptions")).json()["value"]
        foreign = next(r for r in rows if r["properties"]["provisioningTenantId"] != rig.target.id)
        tenants = (await rig.arm("GET", f"{account}/associatedTenants")).json()["value"]
        answer = await rig.arm("DELETE", foreign["id"])

        assert [(foreign["properties"]["provisioningTenantId"], "Active")] == [
            (t["properties"]["tenantId"], t["properties"]["provisioningManagementState"]) for t in tenants
        ]
        assert 202 == answer.status_code
        assert 1 == rig.world.score.foreign_touched


async def test_mosp_rows_are_listed_but_cannot_be_cancelled():
    """The cancel call exists for MCA and MPA only (facts 2)."""
    async with running() as rig:
        accounts = (await rig.arm("GET", "/providers/Microsoft.Billing/billingAccounts")).json()["value"]
        legacy = next(a for a in accounts if a["properties"]["agreementType"] == "MicrosoftOnlineServicesProgram")
        path = f"{legacy['id']}/billingSubscriptions/{rig.row(Kind.MOSA).commerce_id}"

        assert 400 == (await rig.arm("DELETE", path)).status_code


async def test_pages():
    """`top` gives a nextLink that leads to the rest."""
    async with running("hybrid") as rig:
        account = await mca(rig)
        first = (await rig.arm("GET", f"{account}/billingSubscriptions", params={"top": "2"})).json()
        rest = (await rig.http.get(first["nextLink"], headers=rig.token())).json()

        assert (2, 1) == (len(first["value"]), len(rest["value"]))
        assert "nextLink" not in rest


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/subscriptions/x/resourceGroups", 501, "NotImplemented"),
        ("/providers/Microsoft.Billing/policies", 501, "NotImplemented"),
        ("/subscriptions/00000000-0000-0000-0000-000000000000", 404, "SubscriptionNotFound"),
        ("/providers/Microsoft.Billing/billingAccounts/none", 404, "NotFound"),
    ],
)
async def test_errors_have_arm_shape(path, status, code):
    """What is missing or unknown is said in ARM's own words."""
    async with running() as rig:
        answer = await rig.arm("GET", path)

        assert (status, code) == (answer.status_code, answer.json()["error"]["code"])


async def test_token_and_version_are_asked_for():
    """No token is a 401 AuthenticationFailed; no api-version a 400; another tenant sees none of this."""
    async with running() as rig:
        nobody = await rig.http.get("/subscriptions", params={"api-version": "2022-12-01"})
        versionless = await rig.http.get("/subscriptions", headers=rig.token())
        other = await rig.arm("GET", "/subscriptions", tenant=rig.world.home)

        assert (401, "AuthenticationFailed") == (nobody.status_code, nobody.json()["error"]["code"])
        assert (400, "MissingApiVersionParameter") == (versionless.status_code, versionless.json()["error"]["code"])
        assert [] == other.json()["value"]


@pytest.mark.parametrize("body", [{}, [], {"properties": "Off"}, {"properties": {"autoRenew": "Never"}}])
async def test_bad_patches(body):
    """A PATCH that names no known autoRenew is a 400 and changes nothing."""
    async with running() as rig:
        path = f"{await mca(rig)}/billingSubscriptions/{rig.row(Kind.MCA).commerce_id}"

        assert 400 == (await rig.arm("PATCH", path, json=body)).status_code
        assert "On" == (await rig.arm("GET", path)).json()["properties"]["autoRenew"]
