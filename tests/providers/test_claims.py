"""Whose a subscription is: the order of claims, what two channels claim, and rows that Graph does not show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tenantclosure.errors import AccessRefused, ListingIncomplete
from tenantclosure.model.inventory import Item
from tenantclosure.providers import Providers
from tests.fakes.tenant import TARGET, FakeBilling, FakeDirectory, FakePartner, subscription, user

NOW = datetime(2026, 11, 1, tzinfo=UTC)
AZURE = "a0000000-0000-4000-8000-000000000001"
ACCOUNT = "/providers/Microsoft.Billing/billingAccounts/acc/billingSubscriptions/"


class Shop:
    """A tenant with everything a test sells it."""

    def __init__(self, *graph: Item, partner: bool = True) -> None:
        self.directory, self.billing = FakeDirectory(), FakeBilling()
        self.directory.items["subscriptions"] = list(graph)
        self.partner = FakePartner() if partner else None

    def bill(self, name: str, agreement: str = "MicrosoftCustomerAgreement", **facts: Any) -> None:
        row = {"agreementType": agreement, "status": "Active", "allowed": True, **facts}
        self.billing.rows[ACCOUNT + name] = Item(ACCOUNT + name, name, row)

    def sell(self, name: str, **facts: Any) -> None:
        assert self.partner is not None
        self.partner.rows[name] = Item(name, name, {"status": "active", **facts})

    def providers(self) -> Providers:
        return Providers(TARGET, self.directory, self.billing, self.partner, {}, NOW, 86400.0)

    async def found(self) -> dict[str, Item]:
        return {item.id: item for item in await self.providers().discover()}

    async def only(self) -> Item:
        (item,) = (await self.found()).values()
        return item


@pytest.mark.parametrize(
    ("facts", "provider"),
    [
        ({"ownerTenantId": "another"}, "csp"),
        ({"ownerTenantId": TARGET.upper()}, "manual"),
        ({"ownerTenantId": TARGET.upper(), "skuPartNumber": "flow_free"}, "free"),
        ({"ownerType": "User"}, "self-service"),
        ({"ownerType": "User", "ownerId": user(1).id}, "self-service"),
        ({"ownerType": "User", "ownerId": "deleted-user"}, "support"),
        ({"commerceSubscriptionId": "Billed"}, "mca"),
        ({"commerceSubscriptionId": "Sold"}, "csp"),
        ({"commerceSubscriptionId": "Legacy"}, "manual"),
        ({"commerceSubscriptionId": "Billed", "skuPartNumber": "AAD_FREE"}, "support"),
        ({"commerceSubscriptionId": "Billed", "isTrial": True}, "mca"),
        ({"isTrial": True}, "trial"),
        ({"status": "LockedOut"}, "support"),
        ({"status": "LockedOut", "commerceSubscriptionId": "Billed"}, "mca"),
        ({"nextLifecycle": "2026-07-01T00:00:00Z"}, "support"),
        ({"nextLifecycle": "2026-07-04T00:00:00Z"}, "manual"),
        ({"nextLifecycle": "2026-07-01T00:00:00Z", "status": "Deleted"}, "manual"),
        ({"ownerTenantId": None, "ownerType": None, "commerceSubscriptionId": None}, "manual"),
        ({"ownerTenantId": "another", "commerceSubscriptionId": "Billed"}, "disputed"),
        ({"commerceSubscriptionId": "Both"}, "disputed"),
        ({"commerceSubscriptionId": AZURE, "ownerTenantId": "another"}, "disputed"),
        ({"commerceSubscriptionId": AZURE}, "azure"),
    ],
)
async def test_who_owns_a_row(facts: dict[str, Any], provider: str) -> None:
    """Ids decide first, then what Graph says; the reason is told. What two channels claim belongs to nobody."""
    shop = Shop(subscription(1, **facts))
    shop.billing.azure = {AZURE: "Enabled"}
    for name in ("billed", "both"):
        shop.bill(name)
    shop.bill("legacy", "MicrosoftOnlineServicesProgram")
    for name in ("sold", "both"):
        shop.sell(name)
    item = (await shop.found())[subscription(1).id]
    assert item.facts["provider"] == provider
    assert item.facts["why"]
    assert item.facts["graphId"] == item.id
    if provider in ("mca", "disputed") and facts.get("commerceSubscriptionId") in ("Billed", "Both"):
        assert item.facts["armId"].endswith(str(facts["commerceSubscriptionId"]).lower())


async def test_product_seats_and_date_match_where_ids_do_not() -> None:
    """One row on each side that fits in all three is the same subscription; two that fit are none."""
    fits = {"skuId": "SKU-1", "totalLicenses": 12, "nextLifecycle": "2027-03-01T00:00:00Z"}
    row = {"skuId": "sku-1", "quantity": 12, "termEndDate": "2027-02-28T12:00:00Z"}
    shop = Shop(subscription(1, **fits), subscription(2, **{**fits, "totalLicenses": 13}))
    shop.bill("other", **row)
    found = await shop.found()
    assert {item.facts["provider"] for item in found.values()} == {"mca", "manual"}
    assert found[subscription(1).id].facts["armId"] == ACCOUNT + "other"
    twins = Shop(subscription(1, **fits), subscription(2, **fits))
    twins.bill("other", **row)
    found = await twins.found()
    assert [found[subscription(n).id].facts["provider"] for n in (1, 2)] == ["manual", "manual"]
    assert found["other"].facts["provider"] == "mca"


@pytest.mark.parametrize("change", [{"skuId": "sku-2"}, {"quantity": 11}, {"termEndDate": "2027-03-03T00:00:00Z"}])
async def test_what_differs_in_one_of_them_is_another_one(change: dict[str, Any]) -> None:
    """A row with other seats, another product or another date is not taken for ours."""
    shop = Shop(subscription(1, skuId="sku-1", totalLicenses=12, nextLifecycle="2027-03-01T00:00:00Z"))
    shop.bill("other", **{"skuId": "sku-1", "quantity": 12, "termEndDate": "2027-03-01T00:00:00Z", **change})
    assert (await shop.found())[subscription(1).id].facts["provider"] == "manual"


async def test_rows_that_graph_does_not_show_are_items_of_their_own() -> None:
    """Billing's and the partner's rows without a row in Graph are ended as well; deleted ones and Azure's twins not."""
    shop = Shop()
    shop.billing.azure = {AZURE: "Enabled", "a0000000-0000-4000-8000-000000000002": "Deleted"}
    shop.bill("Alone", quantity=7)
    shop.bill("legacy", "MicrosoftOnlineServicesProgram")
    shop.bill("gone", status="Deleted")
    shop.bill(AZURE)
    shop.sell("sold", quantity=3)
    shop.sell("over", status="deleted")
    shop.sell(AZURE)
    found = await shop.found()
    assert {id_: item.facts["provider"] for id_, item in found.items()} == {
        AZURE: "azure",
        "alone": "mca",
        "legacy": "manual",
        "sold": "csp",
    }
    assert all(item.facts["graphId"] is None for item in found.values())
    assert (found["alone"].facts["licences"], found["sold"].facts["licences"]) == (7, 3)


async def test_an_azure_subscription_that_graph_lists_too_is_one_item() -> None:
    """It is gone only when both sides say so."""
    shop = Shop(subscription(1, commerceSubscriptionId=AZURE))
    shop.billing.azure = {AZURE: "Enabled"}
    item = await shop.only()
    assert (item.facts["provider"], item.facts["azureId"]) == ("azure", AZURE)
    seen = await shop.providers().look(item)
    assert (seen.graph, seen.azure) == ("Enabled", "Enabled")


@pytest.mark.parametrize("configured", [True, False])
async def test_without_the_partner_s_access_the_row_is_still_the_partner_s(configured: bool) -> None:
    """No partner, or one that lets us read nothing: the reason is told, nothing is tried for ever."""
    shop = Shop(subscription(1, ownerTenantId="another"), partner=configured)
    if shop.partner is not None:
        shop.partner.subscriptions = shop.partner.subscription = _refused  # type: ignore[method-assign,assignment]
    item = await shop.only()
    seen = await shop.providers().look(item)
    assert (item.facts["provider"], seen.partner, seen.graph) == ("csp", None, "Enabled")
    assert ("403" if configured else "no partner is configured") in seen.no_access


async def test_refused_reads_are_facts_and_broken_listings_are_errors() -> None:
    """Without a role billing shows nothing and a look says why; a listing that breaks off is never taken for empty."""
    shop = Shop(subscription(1, commerceSubscriptionId="billed"))
    shop.bill("billed")
    shop.billing.azure = {AZURE: "Enabled"}
    found = await shop.found()
    shop.billing.billing_subscription = shop.billing.azure_state = _refused  # type: ignore[method-assign,assignment]
    for item in found.values():
        assert "403" in (await shop.providers().look(item)).no_access
    shop.billing.billing_subscriptions = _refused  # type: ignore[method-assign,assignment]
    assert (await shop.found())[subscription(1).id].facts["provider"] == "manual"
    shop.billing.billing_subscriptions = _broken  # type: ignore[method-assign]
    with pytest.raises(ListingIncomplete):
        await shop.found()


async def test_nothing_acts_for_people_s_providers() -> None:
    """Only the channel that owns an item makes its call; a provider of people's has none."""
    shop = Shop(subscription(1), subscription(2, ownerType="User"), subscription(3, status="LockedOut"))
    providers = shop.providers()
    for item in (await shop.found()).values():
        for what in ("cancel", "stop-renewal", "suspend", "delete"):
            with pytest.raises(AssertionError):
                await providers.owner(item).act(item, what)
    assert shop.billing.asked == []


async def _refused(*_: Any) -> Any:
    raise AccessRefused("403 AuthorizationFailed")


async def _broken() -> Any:
    raise ListingIncomplete("billing-subscriptions", 3, "the page broke off")
