"""Graph's view: rows, keys, SKUs, paging, and nothing that can be changed."""

import pytest

from simulator.commerce.lifecycle import Kind
from tests.simulator.commerce_rig import running

TOTALS = {"small": 6, "hybrid": 10, "large": 4, "hostile": 14}


@pytest.mark.parametrize(("profile", "total"), TOTALS.items())
async def test_profiles(profile, total):
    """Every profile has its number of things to end; Azure counts though Graph does not show it."""
    async with running(profile) as rig:
        azure = len(rig.target.commerce.azure())

        assert total == rig.target.commerce.summary()["total"]
        assert total - azure == len(await rig.statuses())
        assert 0 == rig.world.home.commerce.summary()["total"]


async def test_seeding_repeats():
    """The same seed gives the same ids."""
    async with running("hostile") as one, running("hostile") as two:
        assert set(await one.statuses()) == set(await two.statuses())


async def test_a_row_has_the_documented_fields():
    """A companySubscription has the fields of subscription-facts 5, ocpSubscriptionId only in beta."""
    async with running("hybrid") as rig:
        row = rig.row(Kind.CSP)
        v1 = (await rig.graph(f"/directory/subscriptions/{row.id}")).json()
        beta = (await rig.http.get(f"/beta/directory/subscriptions/{row.id}", headers=rig.token())).json()

        expected = {
            "@odata.context", "id", "commerceSubscriptionId", "skuId", "skuPartNumber", "status", "totalLicenses",
            "isTrial", "createdDateTime", "nextLifecycleDateTime", "ownerId", "ownerTenantId", "ownerType",
            "serviceStatus",
        }  # fmt: skip
        assert expected == set(v1)
        assert expected | {"ocpSubscriptionId"} == set(beta)
        assert rig.world.partner.id == v1["ownerTenantId"]


async def test_alternate_key_and_404():
    """A row is found by commerceSubscriptionId; an unknown one is Request_ResourceNotFound."""
    async with running() as rig:
        row = rig.row(Kind.MCA)
        found = await rig.graph(f"/directory/subscriptions(commerceSubscriptionId='{row.commerce_id}')")
        absent = await rig.graph("/directory/subscriptions/00000000-0000-0000-0000-000000000000")

        assert row.id == found.json()["id"]
        assert (404, "Request_ResourceNotFound") == (absent.status_code, absent.json()["error"]["code"])


async def test_paging_and_select():
    """`$top` pages with a nextLink; `$select` keeps what was asked for."""
    async with running() as rig:
        first = (await rig.graph("/directory/subscriptions?$top=2&$select=status")).json()
        rows = [*first["value"]]
        link = first["@odata.nextLink"]
        while link:
            page = (await rig.http.get(link, headers=rig.token())).json()
            rows += page["value"]
            link = page.get("@odata.nextLink")

        assert set(await rig.statuses()) == {row["id"] for row in rows}
        assert {"id", "status"} == set(rows[0])


async def test_skus_join_to_rows():
    """Every SKU names its rows and counts its units by status."""
    async with running("hostile") as rig:
        skus = (await rig.graph("/subscribedSkus")).json()["value"]
        joined = {row for sku in skus for row in sku["subscriptionIds"]}
        locked = next(sku for sku in skus if sku["skuPartNumber"] == "VISIOCLIENT")

        assert set(await rig.statuses()) == joined
        assert ("LockedOut", 3) == (locked["capabilityStatus"], locked["prepaidUnits"]["lockedOut"])
        assert 400 == (await rig.graph("/subscribedSkus?$filter=x eq 1")).status_code


async def test_graph_changes_nothing():
    """DELETE on a subscription is not imitated, because Microsoft has no such call (subscription-facts 5)."""
    async with running() as rig:
        row = rig.row(Kind.MOSA)
        answer = await rig.http.delete(f"/v1.0/directory/subscriptions/{row.id}", headers=rig.token())

        assert answer.status_code in (405, 501)
        assert "Enabled" == (await rig.statuses())[row.id]
