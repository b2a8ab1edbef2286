"""`ports.Partner` on Partner Center: the customer's subscriptions, with the partner's own credentials.

The tenant being closed can't make these calls (subscription-facts 4). Every change is GET, change, PATCH of the whole
resource: a field left out would silently be reset.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from tenantclosure.errors import ListingIncomplete, ServiceTrouble
from tenantclosure.gateways.answers import answer_of_reply, trouble
from tenantclosure.gateways.http import Caller, Reply, connections, segment
from tenantclosure.gateways.identity import Credentials
from tenantclosure.model.inventory import Answer, Item
from tenantclosure.settings import Settings

FACTS = (
    "status",
    "autoRenewEnabled",
    "cancellationAllowedUntilDate",
    "commitmentEndDate",
    "quantity",
    "isTrial",
    "orderId",
    "offerId",
    "billingType",
    "termDuration",
)


class PartnerCenter:
    """Subscriptions of one customer tenant. `PartnerCenter(settings, credentials, tenant_id)`.

    Raises SettingsError when no partner is configured (`CLOSURE_PARTNER_TENANT_ID`, or the static token on loopback).
    """

    def __init__(self, settings: Settings, credentials: Credentials, tenant_id: str) -> None:
        base = settings.endpoint("partner")
        self._url = f"{base}/v1/customers/{segment(tenant_id.lower())}/subscriptions"
        tokens = credentials.source(credentials.partner_tenant, f"{base}/.default")
        self._caller = Caller(connections(settings), tokens)

    async def subscriptions(self) -> list[Item]:
        """All subscriptions of the customer (facts: `ports.Partner`, and `FACTS`). Raises ListingIncomplete.

        Partner Center gives them on one page with a `totalCount`; a count that differs or a next link breaks it.
        """
        try:
            reply = await self._call("GET", self._url)
        except ServiceTrouble as error:
            raise ListingIncomplete("partner-subscriptions", 0, str(error)) from error
        body = reply.body if reply.ok and isinstance(reply.body, dict) else {}
        rows = body.get("items")
        if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("id") for row in rows):
            raise ListingIncomplete("partner-subscriptions", 0, str(trouble("Partner Center", reply)))
        links = body.get("links")
        more = isinstance(links, dict) and "next" in links
        if more or body.get("totalCount", len(rows)) != len(rows):
            raise ListingIncomplete("partner-subscriptions", len(rows), "there are more rows than this page has")
        return [_item(row) for row in rows]

    async def subscription(self, subscription_id: str) -> Item | None:
        """One subscription afresh; None when 404. Raises ServiceTrouble."""
        reply = await self._get(subscription_id)
        return None if reply.status == 404 else _item(reply.body)

    async def cancel(self, subscription_id: str) -> Answer:
        """PATCH the whole resource with status deleted: new commerce, inside the window; later it is refused.

        A queued change of the next term is cleared, or it might outlive the cancellation (subscription-facts 4).
        """
        return await self._change(subscription_id, {"status": "deleted"})

    async def stop_renewal(self, subscription_id: str) -> Answer:
        """PATCH the whole resource with autoRenewEnabled false; clears a queued change of the next term."""
        return await self._change(subscription_id, {"autoRenewEnabled": False})

    async def _change(self, subscription_id: str, change: Mapping[str, Any]) -> Answer:
        found = await self._get(subscription_id)
        if found.status == 404:
            return answer_of_reply(subscription_id, found)
        whole = {**found.body, **change}
        if whole.get("scheduledNextTermInstructions") is not None:
            whole["scheduledNextTermInstructions"] = None
        return answer_of_reply(subscription_id, await self._call("PATCH", self._one(subscription_id), whole))

    async def _get(self, subscription_id: str) -> Reply:
        reply = await self._call("GET", self._one(subscription_id))
        if reply.status != 404 and not (reply.ok and isinstance(reply.body, dict) and reply.body.get("id")):
            raise trouble("partner subscription", reply)
        return reply

    def _one(self, subscription_id: str) -> str:
        return f"{self._url}/{segment(subscription_id)}"

    async def _call(self, method: str, url: str, body: Any = None) -> Reply:
        return await self._caller.call(method, url, body=body, headers={"MS-RequestId": str(uuid.uuid4())})


def _item(row: Mapping[str, Any]) -> Item:
    name = row.get("friendlyName") or row.get("offerName") or row["id"]
    return Item(str(row["id"]), str(name), {fact: row.get(fact) for fact in FACTS})
