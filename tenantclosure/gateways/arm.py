"""`ports.Billing` on Azure Resource Manager: Azure subscriptions and Microsoft Customer Agreement billing.

Graph's listing stays the truth (subscription-facts 5). A billing role is optional: without one ARM shows no account, so
`billing_subscriptions` returns no rows and those subscriptions become manual tasks. A 202 is success here; its Location
is not polled, because only a later read proves anything. Words of Microsoft's enums pass through as they are, and what
a row does not say is None: judging them is the policy's business. A billing account is only written to if it is on the
deployment's list (`CLOSURE_BILLING_ACCOUNTS`, subscription-facts 10.5).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from tenantclosure.errors import AccessRefused, ListingIncomplete, RailBroken, ServiceTrouble
from tenantclosure.gateways.answers import NO_ROLE, answer_of_reply, named, refused, trouble
from tenantclosure.gateways.http import Caller, Reply, connections
from tenantclosure.gateways.identity import Credentials
from tenantclosure.model.inventory import Answer, Item
from tenantclosure.names import Rail
from tenantclosure.settings import Settings

BILLING = "api-version=2024-04-01"
SUBSCRIPTIONS = "api-version=2022-12-01"
CANCEL = "api-version=2021-10-01"
DELETE = "api-version=2019-03-01-preview&ImmediateDelete=true"
"""In no Microsoft document; known from the one community tool that deletes (subscription-facts 3)."""
ACCOUNTS = "/providers/Microsoft.Billing/billingAccounts"
ACCOUNT = re.compile(rf"{re.escape(ACCOUNTS)}/[^/?#]+", re.IGNORECASE)
ROW = re.compile(rf"({ACCOUNT.pattern})/billingSubscriptions/[^/?#]+", re.IGNORECASE)
AZURE_ROLE = "Owner on the Azure subscription"
BILLING_ROLE = "Billing account contributor on the billing account"


class ArmBilling:
    """Subscriptions of one tenant. `ArmBilling(settings, credentials, tenant_id)`."""

    def __init__(self, settings: Settings, credentials: Credentials, tenant_id: str) -> None:
        self.tenant_id = tenant_id.lower()
        self._arm, self._listed = settings.endpoint("arm"), settings.billing_accounts
        tokens = credentials.source(self.tenant_id, settings.endpoint("arm_scope"))
        self._call = Caller(connections(settings), tokens).call

    async def azure_subscriptions(self) -> list[Item]:
        """Azure subscriptions of this tenant (subscription-facts 3). facts: state, tenantId, quotaId.

        Subscriptions that other tenants delegated to us are left out. Raises ListingIncomplete.
        """
        items: list[Item] = []
        async for row in self._rows(f"/subscriptions?{SUBSCRIPTIONS}", "azure-subscriptions"):
            owner, subscription = row.get("tenantId"), row.get("subscriptionId")
            if not (isinstance(owner, str) and owner and isinstance(subscription, str) and subscription):
                raise ListingIncomplete("azure-subscriptions", len(items), "a row without subscription or tenant id")
            if owner.lower() == self.tenant_id:
                facts = {
                    "state": row.get("state"),
                    "tenantId": owner.lower(),
                    "quotaId": _inner(row, "subscriptionPolicies").get("quotaId"),
                }
                items.append(Item(subscription, str(row.get("displayName") or subscription), facts))
        return items

    async def azure_state(self, subscription_id: str) -> str:
        """Enabled, Warned, PastDue, Disabled, Deleted, Expired or a newer word; `Deleted` when 404.

        Raises AccessRefused (401, 403), ServiceTrouble.
        """
        reply = await self._get(f"/subscriptions/{_guid(subscription_id)}?{SUBSCRIPTIONS}")
        if reply.status == 404:
            return "Deleted"
        state = reply.body.get("state") if reply.ok and isinstance(reply.body, dict) else None
        if not isinstance(state, str):
            raise refused("state of an Azure subscription", reply, AZURE_ROLE)
        return state

    async def cancel_azure(self, subscription_id: str, *, ignore_resources: bool = False) -> Answer:
        """POST Microsoft.Subscription/cancel; 200 at once (subscription-facts 3). Resources present: 400, an answer.

        `ignore_resources` asks, by a flag that is in no swagger, to cancel it with the resources in it.
        """
        return await self._azure(subscription_id, "cancel", CANCEL + "&IgnoreResourceCheck=true" * ignore_resources)

    async def delete_azure(self, subscription_id: str) -> Answer:
        """POST cancel with ImmediateDelete; unverified, so only the state proves it (subscription-facts 3)."""
        return await self._azure(subscription_id, "cancel", DELETE)

    async def enable_azure(self, subscription_id: str) -> Answer:
        """POST Microsoft.Subscription/enable; 200 (subscription-facts 3)."""
        return await self._azure(subscription_id, "enable", CANCEL)

    async def _azure(self, subscription_id: str, action: str, query: str) -> Answer:
        path = f"/subscriptions/{_guid(subscription_id)}/providers/Microsoft.Subscription/{action}?{query}"
        return named(answer_of_reply(subscription_id, await self._call("POST", self._arm + path)), AZURE_ROLE)

    async def billing_subscriptions(self) -> list[Item]:
        """Billing subscriptions that provision this tenant, of every account we can see (facts: `ports.Billing`).

        Rows of other tenants never leave here; whose a row is decides subscription-facts 2, item 5. No billing role
        (401, 403) means no rows. Every other break raises ListingIncomplete.
        """
        items: list[Item] = []
        async for account in self._rows(f"{ACCOUNTS}?{BILLING}", "billing-accounts", optional=True):
            path = str(account.get("id") or "")
            if not ACCOUNT.fullmatch(path):
                raise ListingIncomplete("billing-accounts", len(items), "an account without a proper id")
            sole: bool | None = None
            rows = self._rows(f"{path}/billingSubscriptions?{BILLING}&top=50", "billing-subscriptions", optional=True)
            async for row in rows:
                try:
                    ours = self._named(row)
                    if ours is None and sole is None:
                        sole = await self._sole_tenant(account)
                except AccessRefused:
                    sole = False  # nobody can say whose they are; Graph knows ours, and people end them
                except ValueError as error:
                    raise ListingIncomplete("billing-subscriptions", len(items), f"whose it is: {error}") from error
                if not (sole if ours is None else ours):
                    continue
                if not ROW.fullmatch(str(row.get("id") or "")):
                    raise ListingIncomplete("billing-subscriptions", len(items), "a row without a proper id")
                items.append(self._item(row, account))
        return items

    async def billing_subscription(self, arm_id: str) -> Item | None:
        """One row afresh; None when 404. Raises RailBroken if it is another tenant's, AccessRefused, ServiceTrouble."""
        reply = await self._get(f"{_row(arm_id)}?{BILLING}")
        if reply.status == 404:
            return None
        if not reply.ok or not isinstance(reply.body, dict):
            raise refused("billing subscription", reply, BILLING_ROLE)
        account_path = _account_path(arm_id)
        account = await self._get(f"{account_path}?{BILLING}")
        if not account.ok or not isinstance(account.body, dict):
            raise refused("billing account", account, BILLING_ROLE)
        for asked, body in ((arm_id, reply.body), (account_path, account.body)):
            if str(body.get("id")).lower() != asked.lower():
                raise ServiceTrouble("billing subscription: ARM answered with another row or account")
        try:
            ours = self._named(reply.body)
            if ours is None:
                ours = await self._sole_tenant(account.body)
        except (ValueError, ListingIncomplete) as error:
            raise ServiceTrouble(f"whose the billing subscription is: {error}") from error
        if not ours:
            raise RailBroken(Rail.TENANT_PIN, "the billing subscription provisions another tenant")
        return self._item(reply.body, account.body)

    async def cancel_billing(self, arm_id: str) -> Answer:
        """DELETE billingSubscriptions: cancels, MCA only, inside the window (subscription-facts 2). 202, 204: success.

        Like the other writes to billing it looks at the row first, so that another tenant's, or one of an account that
        is not on the list, is never touched (RailBroken); 404 when it is gone.
        """
        return await self._write("DELETE", arm_id)

    async def stop_renewal(self, arm_id: str) -> Answer:
        """PATCH autoRenew Off. 200 or 202: success."""
        return await self._write("PATCH", arm_id, {"properties": {"autoRenew": "Off"}})

    async def start_renewal(self, arm_id: str) -> Answer:
        """PATCH autoRenew On. 200 or 202: success."""
        return await self._write("PATCH", arm_id, {"properties": {"autoRenew": "On"}})

    async def _write(self, method: str, arm_id: str, body: dict[str, Any] | None = None) -> Answer:
        if not self._allowed(_account_path(_row(arm_id))):
            raise RailBroken(Rail.BILLING_ACCOUNT, "its billing account is not on CLOSURE_BILLING_ACCOUNTS")
        if await self.billing_subscription(arm_id) is None:
            return Answer(arm_id, 404, "NotFound")
        reply = await self._call(method, f"{self._arm}{_row(arm_id)}?{BILLING}", body=body)
        return named(answer_of_reply(arm_id, reply), BILLING_ROLE)

    def _allowed(self, account_path: str) -> bool:
        return account_path.rpartition("/")[2].lower() in self._listed

    def _named(self, row: Mapping[str, Any]) -> bool | None:
        """Whether the row names this tenant; None when it names none. Raises ValueError."""
        given = [_told(row, name) for name in ("provisioningTenantId", "beneficiaryTenantId")]
        return self.tenant_id in given if any(given) else None

    async def _sole_tenant(self, account: Mapping[str, Any]) -> bool:
        """Whether an account can only mean this tenant: it is the primary one, and no other is actively attached.

        Raises AccessRefused where we may not see who is attached, ValueError where nobody can tell from what is said.
        """
        if _told(account, "primaryBillingTenantId") != self.tenant_id:
            return False
        path = f"{account.get('id')}/associatedTenants?{BILLING}"
        async for other in self._rows(path, "associated-tenants", role=BILLING_ROLE):
            tenant, state = _told(other, "tenantId"), _told(other, "provisioningManagementState")
            if not (tenant and state):
                raise ValueError("an attached tenant without id or state")
            if tenant != self.tenant_id and state == "active":
                return False
        return True

    def _item(self, row: Mapping[str, Any], account: Mapping[str, Any]) -> Item:
        inner, overrides = _inner(row, "properties"), _inner(_inner(row, "properties"), "systemOverrides")
        account_path = str(account.get("id") or "")
        names = (inner.get(name) for name in ("displayName", "skuDescription", "productType"))
        name = next((name for name in names if name), row.get("name") or str(row["id"]).rpartition("/")[2])
        facts = {
            "name": str(name),
            "status": inner.get("status"),
            "autoRenew": inner.get("autoRenew"),
            "termEndDate": inner.get("termEndDate"),
            "cancellation": overrides.get("cancellation"),
            "cancellationAllowedEndDate": overrides.get("cancellationAllowedEndDate"),
            "agreementType": _inner(account, "properties").get("agreementType"),
            "operationStatus": inner.get("operationStatus"),
            "tenantId": self.tenant_id,
            "skuId": inner.get("skuId"),
            "quantity": inner.get("quantity"),
            "account": account_path.rpartition("/")[2],
            "allowed": self._allowed(account_path),
        }
        return Item(_row(str(row.get("id") or "")), str(name), facts)

    async def _get(self, path: str) -> Reply:
        return await self._call("GET", self._arm + path)

    async def _rows(
        self, path: str, name: str, *, optional: bool = False, role: str = ""
    ) -> AsyncIterator[dict[str, Any]]:
        """Rows of an ARM listing to its end. `optional`: no permission on the first page means no rows.

        With `role` it raises AccessRefused that names this role, otherwise ListingIncomplete like every other break.
        """
        seen, url, links = 0, self._arm + path, set[str]()
        while True:
            try:
                reply = await self._call("GET", url)
            except ServiceTrouble as error:
                raise ListingIncomplete(name, seen, str(error)) from error
            if optional and not links and reply.status in NO_ROLE:
                return
            if role and reply.status in NO_ROLE:
                raise refused(name, reply, role)
            value = reply.body.get("value") if reply.ok and isinstance(reply.body, dict) else None
            if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
                raise ListingIncomplete(name, seen, str(trouble("ARM", reply)))
            for row in value:
                seen += 1
                yield row
            link = reply.body.get("nextLink")
            if link is None or link == "":
                return
            if not isinstance(link, str) or link in links or not link.startswith(self._arm + "/"):
                raise ListingIncomplete(name, seen, "a nextLink came twice or leads away from ARM")
            links.add(link)
            url = link


def _inner(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = row.get(name)
    return value if isinstance(value, Mapping) else {}


def _told(row: Mapping[str, Any], name: str) -> str:
    """A property in small letters; empty where it is missing. Raises ValueError where it can't be read."""
    inner = row.get("properties", {})
    value = inner.get(name) if isinstance(inner, Mapping) else 0
    if not isinstance(value, str | None):
        raise ValueError(f"{name} can't be read")
    return (value or "").lower()


def _guid(value: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F-]{36}", value):
        raise ValueError("an Azure subscription id is a GUID")
    return value


def _row(arm_id: str) -> str:
    if not ROW.fullmatch(arm_id):
        raise ValueError("not the ARM id of a billing subscription")
    return arm_id


def _account_path(arm_id: str) -> str:
    match = ROW.fullmatch(arm_id)
    assert match is not None  # _row has checked it
    return match[1]
