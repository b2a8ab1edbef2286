"""ARM and Partner Center against a scripted server: whose row it is, breaks, refusals."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from tenantclosure.errors import (
    AccessRefused,
    ListingIncomplete,
    RailBroken,
    ServiceTrouble,
    SettingsError,
    Throttled,
)
from tenantclosure.gateways.arm import ArmBilling
from tenantclosure.gateways.identity import Credentials
from tenantclosure.gateways.partner import PartnerCenter

from .conftest import TENANT

OTHER = "99999999-1111-4222-8333-444455556666"
ACCOUNT = "/providers/Microsoft.Billing/billingAccounts/A:b_2019-05-31"
ROW = ACCOUNT + "/billingSubscriptions/r1"


@pytest.fixture
def arm(settings) -> ArmBilling:
    return ArmBilling(settings, Credentials(settings), TENANT)


@pytest.fixture
def partner(settings) -> PartnerCenter:
    return PartnerCenter(settings, Credentials(settings), TENANT)


def account(primary: str = TENANT) -> dict[str, Any]:
    properties = {"agreementType": "MicrosoftCustomerAgreement", "primaryBillingTenantId": primary}
    return {"id": ACCOUNT, "properties": properties}


def row(**properties: Any) -> dict[str, Any]:
    return {"id": ROW, "name": "r1", "properties": {"displayName": "E3", "status": "Active", **properties}}


def books(rows: list[dict[str, Any]], primary: str = TENANT, associated: list[dict[str, Any]] | None = None) -> Any:
    """A script with one account and these rows."""
    pages = {
        "/providers/Microsoft.Billing/billingAccounts": {"value": [account(primary)]},
        ACCOUNT: account(primary),
        ACCOUNT + "/billingSubscriptions": {"value": rows},
        ACCOUNT + "/associatedTenants": {"value": associated or []},
        **{r["id"]: r for r in rows},
    }
    return lambda seen: (
        pages[seen.path] if seen.method == "GET" else (202, None, {"Location": "x", "Retry-After": "10"})
    )


def sister(state: str) -> dict[str, Any]:
    return {"properties": {"tenantId": OTHER, "provisioningManagementState": state}}


@pytest.mark.parametrize(
    ("properties", "primary", "associated", "ours"),
    [
        pytest.param({"provisioningTenantId": TENANT.upper()}, OTHER, [], True, id="provisions us"),
        pytest.param({"beneficiaryTenantId": TENANT}, OTHER, [], True, id="benefits us"),
        pytest.param({"provisioningTenantId": OTHER}, TENANT, [], False, id="provisions another"),
        pytest.param({}, TENANT, [], True, id="unnamed, account is ours alone"),
        pytest.param({}, TENANT, [sister("Pending")], True, id="unnamed, sister not active"),
        pytest.param({}, TENANT, [sister("Active")], False, id="unnamed, sister active"),
        pytest.param({}, OTHER, [], False, id="unnamed, account of another"),
    ],
)
async def test_whose_row_it_is(arm, server, properties, primary, associated, ours) -> None:
    """Rows of other tenants never leave the gateway, and no write reaches them (subscription-facts 2, item 5)."""
    server.script = books([row(**properties)], primary, associated)
    assert [item.id for item in await arm.billing_subscriptions()] == ([ROW] if ours else [])
    if ours:
        assert (await arm.cancel_billing(ROW)).status == 202
        assert (await arm.stop_renewal(ROW)).done
        assert server.seen[-1].body == {"properties": {"autoRenew": "Off"}}
        assert (await arm.start_renewal(ROW)).done
        assert server.seen[-1].body == {"properties": {"autoRenew": "On"}}
    else:
        for write in (arm.cancel_billing, arm.stop_renewal, arm.start_renewal):
            with pytest.raises(RailBroken, match="tenant-pin"):
                await write(ROW)
        assert {seen.method for seen in server.seen} == {"GET"}


@pytest.mark.parametrize(
    ("accounts", "allowed"), [("", False), ("other", False), ("a", False), ("other, a:B_2019-05-31", True)]
)
async def test_only_listed_billing_accounts_are_written_to(settings, server, accounts, allowed) -> None:
    """An account that is not on the list is shown as such, and no write, not even its look, leaves for it."""
    listed = frozenset(part.strip().lower() for part in accounts.split(",") if part.strip())
    settings = settings.model_copy(update={"billing_accounts": listed})
    arm = ArmBilling(settings, Credentials(settings), TENANT)
    server.script = books([row(provisioningTenantId=TENANT)])
    (item,) = await arm.billing_subscriptions()
    assert (item.facts["account"], item.facts["allowed"]) == ("A:b_2019-05-31", allowed)
    fresh = await arm.billing_subscription(ROW)
    assert fresh is not None and fresh.facts["allowed"] is allowed
    server.seen.clear()
    for write in (arm.cancel_billing, arm.stop_renewal, arm.start_renewal):
        if allowed:
            assert (await write(ROW)).done
        else:
            with pytest.raises(RailBroken, match="billing-account"):
                await write(ROW)
    assert len([seen for seen in server.seen if seen.method != "GET"]) == (3 if allowed else 0)


async def test_words_nobody_documented_and_missing_dates_pass(arm, server) -> None:
    """What Microsoft says goes on as it is, and what it leaves out is None: judging is not the gateway's business."""
    odd = row(status="Paused", autoRenew="Maybe", provisioningTenantId=TENANT, systemOverrides={"cancellation": "Soon"})
    server.script = books([odd, {"id": ROW + "2", "properties": {"beneficiaryTenantId": TENANT, "systemOverrides": 1}}])
    first, second = await arm.billing_subscriptions()
    facts = [first.facts[name] for name in ("status", "autoRenew", "cancellation", "termEndDate", "operationStatus")]
    assert facts == ["Paused", "Maybe", "Soon", None, None]
    assert {second.facts[name] for name in ("status", "autoRenew", "cancellation", "termEndDate")} == {None}
    server.script = lambda seen: {"state": "Frozen"}
    assert await arm.azure_state(OTHER) == "Frozen"


async def test_who_is_attached_can_not_be_seen(arm, server) -> None:
    """A row that names no tenant is not taken for ours then, and is never written to; the listing goes on."""
    mine = {"id": ROW + "2", "properties": {"provisioningTenantId": TENANT}}
    shown = books([row(), mine])
    server.script = lambda seen: (403, {}) if seen.path.endswith("/associatedTenants") else shown(seen)
    assert [item.id for item in await arm.billing_subscriptions()] == [ROW + "2"]
    for call in (arm.billing_subscription(ROW), arm.cancel_billing(ROW)):
        with pytest.raises(AccessRefused, match="associated-tenants.*Billing account contributor"):
            await call
    assert {seen.method for seen in server.seen} == {"GET"}


@pytest.mark.parametrize(
    ("account_id", "row_id"), [("@evil.example/x", ROW), ("", ROW), (ACCOUNT, ""), (ACCOUNT, "@evil.example/r")]
)
async def test_ids_that_are_none_break_the_listing(arm, server, account_id, row_id) -> None:
    """An id from an answer becomes a URL only if it is one of billing's."""
    accounts = {"value": [{**account(), "id": account_id}]}
    rows = {"value": [{**row(provisioningTenantId=TENANT), "id": row_id}]}
    server.script = lambda seen: rows if seen.path.endswith("/billingSubscriptions") else accounts
    with pytest.raises(ListingIncomplete, match="proper id"):
        await arm.billing_subscriptions()


async def test_a_missing_billing_role_is_named(arm, server) -> None:
    """Where a role was taken away between plan and action, the look says which, and so does the refused write."""
    server.script = lambda seen: (403, {"error": {"code": "AuthorizationFailed"}})
    with pytest.raises(AccessRefused, match="AuthorizationFailed.*Billing account contributor"):
        await arm.billing_subscription(ROW)
    with pytest.raises(AccessRefused):
        await arm.cancel_billing(ROW)
    shown = books([row(provisioningTenantId=TENANT)])
    server.script = lambda seen: shown(seen) if seen.method == "GET" else (403, {"error": {"code": "UserNotAllowed"}})
    answer = await arm.stop_renewal(ROW)
    assert (answer.status, answer.code, "Billing account contributor" in answer.message) == (
        403,
        "UserNotAllowed",
        True,
    )
    for other in (400, 409, 500):
        server.script = lambda seen, other=other: (other, {})
        with pytest.raises(ServiceTrouble) as caught:
            await arm.billing_subscription(ROW)
        assert not isinstance(caught.value, AccessRefused)


async def test_facts_of_a_row(arm, server) -> None:
    """Window, renewal, term and agreement are facts of the row."""
    overrides = {"cancellation": "Allowed", "cancellationAllowedEndDate": "2027-01-08T00:00:00Z"}
    server.script = books([row(provisioningTenantId=TENANT, autoRenew="On", systemOverrides=overrides)])
    (item,) = await arm.billing_subscriptions()
    assert item.facts["cancellation"] == "Allowed" and item.facts["autoRenew"] == "On"
    assert item.facts["agreementType"] == "MicrosoftCustomerAgreement" and item.facts["tenantId"] == TENANT


@pytest.mark.parametrize("status", [401, 403])
async def test_no_billing_role_means_no_rows(arm, server, status) -> None:
    """A missing role is normal: Graph is the truth, and such rows become manual tasks."""
    server.script = lambda seen: (status, {"error": {"code": "AuthorizationFailed"}})
    assert await arm.billing_subscriptions() == []


@pytest.mark.parametrize("said", [(500, {}), (429, {}), (400, {"error": {}}), (200, {"values": 1}), None])
async def test_a_broken_arm_listing_is_incomplete(arm, server, said) -> None:
    """Every other break of a listing is an error."""
    server.script = lambda seen: said
    with pytest.raises(ListingIncomplete):
        await arm.billing_subscriptions()
    with pytest.raises(ListingIncomplete):
        await arm.azure_subscriptions()


async def test_azure_subscriptions(arm, server) -> None:
    """Delegated ones of other tenants are left out, links stay at ARM, a lost one counts as Deleted."""
    mine = {"subscriptionId": OTHER, "tenantId": TENANT, "state": "Enabled", "subscriptionPolicies": {"quotaId": "Q"}}
    pages = [
        {"value": [mine], "nextLink": f"{server.url}/subscriptions?page=2"},
        {"value": [{**mine, "tenantId": OTHER}]},
        {"value": [], "nextLink": "https://evil.example/subscriptions"},
    ]
    server.script = lambda seen: pages[len(server.seen) - 1]
    (item,) = await arm.azure_subscriptions()
    assert (item.id, item.facts) == (OTHER, {"state": "Enabled", "tenantId": TENANT, "quotaId": "Q"})
    with pytest.raises(ListingIncomplete):
        await arm.azure_subscriptions()
    server.script = lambda seen: (404, {"error": {"code": "SubscriptionNotFound"}})
    assert await arm.azure_state(OTHER) == "Deleted"
    server.script = lambda seen: (403, {"error": {"code": "AuthorizationFailed"}})
    with pytest.raises(AccessRefused, match="AuthorizationFailed.*Owner"):
        await arm.azure_state(OTHER)
    answer = await arm.cancel_azure(OTHER)
    assert (answer.status, "Owner" in answer.message) == (403, True)
    server.script = lambda seen: (400, {"error": {"code": "ResourcesExistingOnSubscription"}}, {"x-ms-request-id": "r"})
    answer = await arm.cancel_azure(OTHER)
    assert (answer.status, answer.code, answer.request_id) == (400, "ResourcesExistingOnSubscription", "r")


async def test_writes_to_azure_subscriptions(arm, server) -> None:
    """Cancel, cancel with resources, the undocumented deletion and enable: one POST each, told apart by the query."""
    server.script = lambda seen: {"subscriptionId": OTHER}
    base = f"/subscriptions/{OTHER}/providers/Microsoft.Subscription"
    for call, path, query in [
        (arm.cancel_azure(OTHER), "cancel", "api-version=2021-10-01"),
        (arm.cancel_azure(OTHER, ignore_resources=True), "cancel", "api-version=2021-10-01&IgnoreResourceCheck=true"),
        (arm.delete_azure(OTHER), "cancel", "api-version=2019-03-01-preview&ImmediateDelete=true"),
        (arm.enable_azure(OTHER), "enable", "api-version=2021-10-01"),
    ]:
        server.seen.clear()
        assert (await call).done
        assert [(s.method, s.path, s.query) for s in server.seen] == [("POST", f"{base}/{path}", query)]
    server.seen.clear()
    for call in (arm.cancel_azure("x/y"), arm.delete_azure("../x"), arm.enable_azure("")):
        with pytest.raises(ValueError, match="GUID"):
            await call
    assert server.seen == []


@pytest.mark.parametrize("arm_id", ["", "/subscriptions/x", ACCOUNT, ROW + "/cancel", ROW + "?x", "x" + ROW])
async def test_only_ids_of_billing_rows_are_written_to(arm, server, arm_id) -> None:
    """An id of another shape never becomes a URL."""
    with pytest.raises(ValueError, match="billing subscription"):
        await arm.cancel_billing(arm_id)
    assert server.seen == []


SUBSCRIPTION = {
    "id": "s1",
    "friendlyName": "E5",
    "status": "active",
    "autoRenewEnabled": True,
    "cancellationAllowedUntilDate": "2027-01-08T00:00:00Z",
    "scheduledNextTermInstructions": {"quantity": 5},
    "unknownField": {"kept": 1},
}


async def test_partner_changes_the_whole_resource(partner, server) -> None:
    """GET, one change, PATCH of everything; only the queued change of the next term is cleared."""
    server.script = lambda seen: SUBSCRIPTION
    assert (await partner.cancel("s1")).status == 200
    get, patch = server.seen
    assert (get.method, patch.method, patch.path) == (
        "GET",
        "PATCH",
        f"/partner/v1/customers/{TENANT}/subscriptions/s1",
    )
    assert patch.body == {**SUBSCRIPTION, "status": "deleted", "scheduledNextTermInstructions": None}
    assert await partner.stop_renewal("s1")
    assert server.seen[-1].body["autoRenewEnabled"] is False and server.seen[-1].body["status"] == "active"
    whole = {**SUBSCRIPTION, "scheduledNextTermInstructions": None}
    assert (await partner.suspend("s1")).done
    assert server.seen[-1].body == {**whole, "status": "suspended"}
    server.script = lambda seen: {**SUBSCRIPTION, "autoRenewEnabled": False}
    assert (await partner.start_renewal("s1")).done
    assert server.seen[-1].body == whole


@pytest.mark.parametrize(
    ("said", "legacy"),
    [
        ({"offerId": "0CCA44D6-68E9-4762-94EE-31ECE98783B9", "billingType": "license"}, True),
        ({"offerId": "0CCA44D6-68E9-4762-94EE-31ECE98783B9", "productType": {"id": "OnlineServicesNCE"}}, False),
        ({"offerId": "CFQ7TTC0LH18:0001:CFQ7TTC0K971"}, False),
        ({"offerId": "MS-AZR-0145P", "productType": "Azure"}, False),
        ({}, False),
    ],
)
async def test_which_subscription_is_legacy(partner, server, said, legacy) -> None:
    """Only an offer from before the new commerce is: suspending any other would not end it (subscription-facts 4)."""
    server.script = lambda seen: {"id": "s1", **said}
    found = await partner.subscription("s1")
    assert found is not None and found.facts["legacy"] is legacy
    assert found.facts["commitmentEndDate"] is None


async def test_partner_listing(partner, server) -> None:
    """A byte order mark is fine; a count that differs, a next link and errors are not."""
    body = b'\xef\xbb\xbf{"totalCount": 1, "items": [{"id": "s1", "status": "active"}]}'
    server.script = lambda seen: web.Response(body=body, content_type="application/json")
    (item,) = await partner.subscriptions()
    assert item.facts["status"] == "active"
    for said in [
        {"totalCount": 2, "items": [{"id": "s1"}]},
        {"items": [{"id": "s1"}], "links": {"next": {}}},
        {"items": [{}]},
        (400, {"code": 1000}),
        (429, {}),
        None,
    ]:
        server.script = lambda seen, said=said: said
        with pytest.raises(ListingIncomplete):
            await partner.subscriptions()


async def test_partner_refusals(partner, server) -> None:
    """404 is None or an absent answer; Partner Center's code and text reach the answer; 429 is Throttled."""
    server.script = lambda seen: (404, {"code": 600020, "description": "not found"})
    assert await partner.subscription("s1") is None
    assert (await partner.cancel("s1")).absent
    server.script = lambda seen: SUBSCRIPTION if seen.method == "GET" else (400, {"code": 800091, "description": "no"})
    answer = await partner.cancel("s1")
    assert (answer.status, answer.code, answer.message) == (400, "800091", "no")
    server.script = lambda seen: (429, {}, {"Retry-After": "7"})
    with pytest.raises(Throttled):
        await partner.cancel("s1")


async def test_a_partner_who_has_no_access(partner, server) -> None:
    """A role that is missing is named; a tenant that is none of the partner's customers has no subscriptions there."""
    server.script = lambda seen: (403, {"code": 1000, "description": "no"})
    for call in (partner.subscriptions(), partner.subscription("s1"), partner.suspend("s1")):
        with pytest.raises(AccessRefused, match="1000.*Admin agent"):
            await call
    server.script = lambda seen: SUBSCRIPTION if seen.method == "GET" else (403, {"code": 1000, "description": "no"})
    answer = await partner.cancel("s1")
    assert (answer.status, answer.code, "Admin agent" in answer.message) == (403, "1000", True)
    server.script = lambda seen: (404, {"code": 600009})
    assert await partner.subscriptions() == []


def test_partner_needs_a_partner(settings) -> None:
    """Without the partner's credentials the gateway does not start."""
    bare = settings.model_copy(update={"partner_static_token": ""})
    with pytest.raises(SettingsError, match="PARTNER"):
        PartnerCenter(bare, Credentials(bare), TENANT)
