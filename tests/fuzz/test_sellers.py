"""ARM and Partner Center, whatever they answer: their own errors, no row lost, and no other tenant's subscription."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.errors import AccessRefused, ListingIncomplete, RailBroken, ServiceTrouble
from tenantclosure.gateways.arm import ACCOUNTS, ArmBilling
from tenantclosure.gateways.external import ArmDirectory
from tenantclosure.gateways.partner import PartnerCenter
from tests.fuzz.microsoft import TENANT, Bench, Said
from tests.fuzz.rig import BODIES, JUNK, TEXTS, encoded, fuzz, kept, spoiled

pytestmark = pytest.mark.slow

OTHER = "99999999-1111-4222-8333-444455556666"
ACCOUNT = f"{ACCOUNTS}/A:b_2019-05-31"
ROW = f"{ACCOUNT}/billingSubscriptions/r"
AZURE = "88888888-1111-4222-8333-444455556666"
DIRECTORY = f"/subscriptions/{AZURE}/resourceGroups/rg/providers/Microsoft.AzureActiveDirectory/ciamDirectories/contoso"
TROUBLES = (ListingIncomplete, ServiceTrouble, RailBroken)

account = {
    "id": ACCOUNT,
    "properties": {"agreementType": "MicrosoftCustomerAgreement", "primaryBillingTenantId": TENANT},
}
ours = {"id": f"{ROW}1", "properties": {"displayName": "E3", "status": "Active", "provisioningTenantId": TENANT}}
unnamed = {"id": f"{ROW}2", "properties": {"displayName": "E5", "status": "Active"}}
theirs = {"id": f"{ROW}3", "properties": {"displayName": "F1", "status": "Active", "beneficiaryTenantId": OTHER}}
sister = {"properties": {"tenantId": OTHER, "provisioningManagementState": "Pending"}}
BOOKS: dict[str, Any] = {
    ACCOUNTS: {"value": [account]},
    f"{ACCOUNT}/billingSubscriptions": {"value": [ours, unnamed, theirs]},
    f"{ACCOUNT}/associatedTenants": {"value": [sister]},
}


def arm(bench: Bench) -> ArmBilling:
    return ArmBilling(bench.settings, bench.credentials, TENANT)


def shown(bench: Bench, books: dict[str, Any]) -> None:
    """Answer each path with its document, others with 404."""
    bench.script(
        lambda request, _: Said.of(books[request.path]) if request.path in books else Said.of({"error": {}}, 404)
    )


@fuzz(74)
@given(st.sampled_from(sorted(BOOKS)), st.data())
def test_a_billing_answer_that_is_not_understood_never_shortens_the_listing(
    bench: Bench, path: str, data: st.DataObject
) -> None:
    """Both of our rows come out as long as what makes them ours was left alone; else the listing is incomplete."""
    books = {**BOOKS, path: data.draw(spoiled(BOOKS[path], most=1))}
    shown(bench, books)
    found = bench.outcome(arm(bench).billing_subscriptions(), ListingIncomplete)
    if isinstance(found, ListingIncomplete):
        return
    ids = {item.id for item in found}
    accounts = books[ACCOUNTS]["value"]
    rows = books[f"{ACCOUNT}/billingSubscriptions"]["value"] if accounts else []
    sisters = books[f"{ACCOUNT}/associatedTenants"]["value"]
    for row in rows:
        inner = row.get("properties") or {}
        named = {inner.get(name) or None for name in ("provisioningTenantId", "beneficiaryTenantId")} - {None}
        if TENANT in named:
            assert row["id"] in ids
        elif named:
            assert row.get("id") not in list(ids)
        else:
            attached = [one["properties"] for one in sisters]
            alone = all(one["tenantId"] == TENANT or one["provisioningManagementState"] != "Active" for one in attached)
            primary = (accounts[0].get("properties") or {}).get("primaryBillingTenantId")
            assert (row.get("id") in list(ids)) == (alone and primary == TENANT)


LINKS = st.one_of(
    JUNK, TEXTS.map(lambda text: f"http://{text}/"), st.sampled_from([[], {}, 0, False, ["a"], "http://["])
)


@fuzz(30)
@given(LINKS)
def test_a_next_link_that_is_none_breaks_the_listing(bench: Bench, link: Any) -> None:
    """ARM ends a listing with null, with an empty text or without a link; anything else is followed or trouble."""
    row = {"subscriptionId": AZURE, "tenantId": TENANT, "state": "Enabled"}
    bench.always(Said.of({"value": [row], "nextLink": link}))
    found = bench.outcome(arm(bench).azure_subscriptions(), ListingIncomplete)

    assert isinstance(found, ListingIncomplete) == (link is not None and link != "")
    assert 1 == len(bench.seen)


@fuzz(40)
@given(spoiled({"value": [{"subscriptionId": AZURE, "tenantId": TENANT, "state": "Enabled"}] * 2}) | BODIES)
def test_azure_subscriptions_are_listed_whole_or_not(bench: Bench, page: Any) -> None:
    """A row without a tenant or an id, or with something else there, is no other tenant's row."""
    bench.always(Said(page if isinstance(page, bytes) else encoded(page)))
    found = bench.outcome(arm(bench).azure_subscriptions(), ListingIncomplete)
    if not isinstance(found, ListingIncomplete):
        assert all(isinstance(row["tenantId"], str) and len(row["tenantId"]) > 0 for row in page["value"])
        mine = [row["subscriptionId"] for row in page["value"] if row["tenantId"] == TENANT]
        assert list(map(kept, mine)) == [item.id for item in found]


@fuzz(60)
@given(spoiled(ours, most=1) | BODIES, spoiled(account, most=1) | st.just(account))
def test_a_single_billing_row_is_the_one_that_was_asked_for(bench: Bench, row: Any, books: Any) -> None:
    """A write goes out only after a look at exactly this row of this account, and only to its address."""
    path = f"{ROW}1"
    answers = {path: row, ACCOUNT: books, f"{ACCOUNT}/associatedTenants": {"value": []}}

    def answer(request: Any, _: bytes) -> Said:
        if request.method != "GET":
            return Said(status=202)
        said = answers.get(request.path, {})
        return Said(said) if isinstance(said, bytes) else Said.of(said)

    bench.script(answer)
    found = bench.outcome(arm(bench).cancel_billing(path), *TROUBLES)
    writes = [seen for seen in bench.seen if not seen.startswith("GET")]

    assert writes in ([], [f"DELETE {path}"])
    assert bool(writes) == (not isinstance(found, Exception))
    if writes:
        assert (path, ACCOUNT) == (row["id"], books["id"])


bought = {
    "id": "s1",
    "offerId": "CFQ:1:2",
    "friendlyName": "E3",
    "status": "active",
    "autoRenewEnabled": True,
    "quantity": 1,
    "scheduledNextTermInstructions": None,
}
PAGE = {"totalCount": 2, "items": [bought, {**bought, "id": "s2"}], "links": {"self": {"uri": "/x"}}}


def partner(bench: Bench) -> PartnerCenter:
    return PartnerCenter(bench.settings, bench.credentials, TENANT)


@fuzz(50)
@given(spoiled(PAGE) | BODIES)
def test_partner_subscriptions_are_listed_whole_or_not(bench: Bench, page: Any) -> None:
    """A count that differs, a next link in any shape, a row without an id: incomplete."""
    bench.always(Said(page if isinstance(page, bytes) else encoded(page)))
    found = bench.outcome(partner(bench).subscriptions(), ListingIncomplete, AccessRefused)
    if isinstance(found, Exception):
        return
    assert [kept(row["id"]) for row in page["items"]] == [item.id for item in found]
    assert len(found) == page.get("totalCount", len(found))
    links = page.get("links", {})
    assert isinstance(links, dict) and "next" not in links


@fuzz(40)
@given(spoiled(bought, most=1) | BODIES)
def test_a_partner_subscription_is_changed_only_as_a_whole(bench: Bench, row: Any) -> None:
    """What is sent back is what was read with the one change in it, and only where it was the one asked for."""
    sent: list[bytes] = []

    def answer(request: Any, body: bytes) -> Said:
        if request.method == "PATCH":
            sent.append(body)
            return Said.of({})
        return Said(row) if isinstance(row, bytes) else Said.of(row)

    bench.script(answer)
    found = bench.outcome(partner(bench).stop_renewal("s1"), ServiceTrouble)

    assert (len(sent) == 1) == (not isinstance(found, ServiceTrouble))
    assert not sent or row["id"] == "s1"


@fuzz(50)
@given(
    spoiled({"name": "contoso", "location": "Europe", "properties": {"tenantId": TENANT}}, most=1) | BODIES,
    st.sampled_from([200, 202, 204, 400, 404]),
    TEXTS.filter(lambda text: text.isprintable() and text.isascii()) | st.just("x"),
)
def test_an_external_directory_is_deleted_only_if_azure_says_it_is_ours(
    bench: Bench, resource: Any, status: int, where: str
) -> None:
    """The DELETE leaves after a look that names the tenant, and an operation elsewhere is never asked for."""

    def answer(request: Any, _: bytes) -> Said:
        if request.method == "DELETE":
            return Said(b"", status, (("Location", where.strip()),))
        return Said(resource) if isinstance(resource, bytes) else Said.of(resource)

    bench.script(answer)
    found = bench.outcome(
        ArmDirectory(bench.settings, bench.credentials, TENANT).delete(DIRECTORY), ServiceTrouble, RailBroken
    )
    deleted = [seen for seen in bench.seen if seen.startswith("DELETE")]
    if deleted:
        assert TENANT == resource["properties"]["tenantId"]
    if not isinstance(found, Exception):
        assert found[1] is None


@fuzz(40)
@given(
    JUNK | st.fixed_dictionaries({"status": JUNK | st.sampled_from(["Succeeded", "Failed", "Deleting"])}) | BODIES,
    st.sampled_from([200, 201, 202, 204, 400, 404, 409]),
)
def test_an_operation_is_over_only_when_azure_says_so(bench: Bench, body: Any, status: int) -> None:
    """Running, succeeded, failed with a reason, or trouble; a status that is no word proves nothing."""
    bench.always(Said(b"" if status == 204 else body if isinstance(body, bytes) else encoded(body), status))
    operation = f"{bench.settings.endpoint('arm')}/operations/1"
    found = bench.outcome(ArmDirectory(bench.settings, bench.credentials, TENANT).poll(operation), ServiceTrouble)
    if isinstance(found, ServiceTrouble):
        return
    assert found in ("running", "succeeded") or found.startswith("failed: ")
    if found == "succeeded":
        assert status in (200, 201, 202, 204)
        said = body.get("status") if status != 204 and isinstance(body, dict) else None
        assert said == "Succeeded" or (said is None and status != 202)


@fuzz(30)
@given(JUNK | st.fixed_dictionaries({"state": JUNK}) | BODIES, st.sampled_from([200, 204, 400, 401, 403, 404, 429]))
def test_the_state_of_an_azure_subscription_is_a_word(bench: Bench, body: Any, status: int) -> None:
    """404 is Deleted; everything else is Azure's own word, or trouble."""
    bench.always(Said(b"" if status == 204 else body if isinstance(body, bytes) else encoded(body), status))
    state = bench.outcome(arm(bench).azure_state(AZURE), ServiceTrouble)

    if not isinstance(state, ServiceTrouble):
        assert (status == 404 and state == "Deleted") or (status == 200 and isinstance(state, str) and state)
