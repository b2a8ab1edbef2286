"""ARM and Partner Center against a scripted server: whose row it is, breaks, refusals."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from tenantclosure.errors import ListingIncomplete, RailBroken, ServiceTrouble, SettingsError, Throttled
from tenantclosure.gateways.arm import ArmBilling
from tenantclosure.gateways.identity import Credentials
from tenantclosure.gateways.partner import PartnerCenter

from .conftest import TENANT

OTHER = "99999999-1111-4222-8333-444455556666"
ACCOUNT = "/providers/Microsoft.Billing/billingAccounts/a:b_2019-05-31"
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
    else:
        with pytest.raises(RailBroken):
            await arm.cancel_billing(ROW)
        assert {seen.method for seen in server.seen} == {"GET"}


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
    with pytest.raises(ServiceTrouble, match="AuthorizationFailed"):
        await arm.azure_state(OTHER)
    server.script = lambda seen: (400, {"error": {"code": "ResourcesExistingOnSubscription"}}, {"x-ms-request-id": "r"})
    answer = await arm.cancel_azure(OTHER)
    assert (answer.status, answer.code, answer.request_id) == (400, "ResourcesExistingOnSubscription", "r")


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
        (403, {"code": 1000}),
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


def test_partner_needs_a_partner(settings) -> None:
    """Without the partner's credentials the gateway does not start."""
    bare = settings.model_copy(update={"partner_static_token": ""})
    with pytest.raises(SettingsError, match="PARTNER"):
        PartnerCenter(bare, Credentials(bare), TENANT)
