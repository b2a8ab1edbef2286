"""`ports.Partner` on Partner Center: the customer's subscriptions, with the partner's own credentials.

The tenant being closed can't make these calls (subscription-facts 4). Every change is GET, change, PATCH of the whole
resource: a field left out would silently be reset.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from tenantclosure.errors import AccessRefused, ListingIncomplete, ServiceTrouble
from tenantclosure.gateways.answers import answer_of_reply, named, refused, signed_in, trouble
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
ROLE = "Admin agent in the partner's tenant, and the partner's consent"
LEGACY_OFFER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""Offers from before the new commerce have a GUID, newer ones read PRODUCT:SKU:AVAILABILITY (Microsoft's samples)."""


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
        """All subscriptions of the customer (facts: `ports.Partner`, and `FACTS`).

        Partner Center gives them on one page with a `totalCount`; a count that differs or a next link breaks it. A
        tenant that is no customer of this partner (404) has none. Raises AccessRefused, ListingIncomplete.
        """
        try:
            reply = await self._call("GET", self._url)
        except AccessRefused:
            raise
        except ServiceTrouble as error:
            raise ListingIncomplete("partner-subscriptions", 0, str(error)) from error
        if reply.status == 404:
            return []
        if reply.status in (401, 403):
            raise refused("partner subscriptions", reply, ROLE)
        body = reply.body if reply.ok and isinstance(reply.body, dict) else {}
        rows = body.get("items")
        if not isinstance(rows, list) or not all(isinstance(row, dict) and _id(row) for row in rows):
            raise ListingIncomplete("partner-subscriptions", 0, str(trouble("Partner Center", reply)))
        links = body.get("links", {})
        more = not isinstance(links, dict) or "next" in links
        if more or body.get("totalCount", len(rows)) != len(rows):
            raise ListingIncomplete("partner-subscriptions", len(rows), "there are more rows than this page has")
        return [_item(row) for row in rows]

    async def subscription(self, subscription_id: str) -> Item | None:
        """One subscription afresh; None when 404. Raises AccessRefused, ServiceTrouble."""
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

    async def start_renewal(self, subscription_id: str) -> Answer:
        """PATCH the whole resource with autoRenewEnabled true; a queued change of the next term stays cleared."""
        return await self._change(subscription_id, {"autoRenewEnabled": True})

    async def suspend(self, subscription_id: str) -> Answer:
        """PATCH the whole resource with status suspended: how a legacy subscription ends (subscription-facts 7)."""
        return await self._change(subscription_id, {"status": "suspended"})

    async def _change(self, subscription_id: str, change: Mapping[str, Any]) -> Answer:
        found = await self._get(subscription_id)
        if found.status == 404:
            return answer_of_reply(subscription_id, found)
        whole = {**found.body, **change}
        if whole.get("scheduledNextTermInstructions") is not None:
            whole["scheduledNextTermInstructions"] = None
        reply = await self._call("PATCH", self._one(subscription_id), whole)
        return named(answer_of_reply(subscription_id, reply), ROLE)

    async def _get(self, subscription_id: str) -> Reply:
        reply = await self._call("GET", self._one(subscription_id))
        if reply.status == 404:
            return reply
        if not reply.ok or not isinstance(reply.body, dict):
            raise refused("partner subscription", reply, ROLE)
        if _id(reply.body).lower() != subscription_id.lower():
            raise ServiceTrouble("partner subscription: Partner Center answered with another one")
        return reply

    def _one(self, subscription_id: str) -> str:
        return f"{self._url}/{segment(subscription_id)}"

    async def _call(self, method: str, url: str, body: Any = None) -> Reply:
        with signed_in("the partner's tenant"):
            return await self._caller.call(method, url, body=body, headers={"MS-RequestId": str(uuid.uuid4())})


def _id(row: Mapping[str, Any]) -> str:
    """The row's id; empty where it has none that can be read."""
    value = row.get("id")
    return value if isinstance(value, str) else ""


def _item(row: Mapping[str, Any]) -> Item:
    name = row.get("friendlyName") or row.get("offerName") or row["id"]
    return Item(row["id"], str(name), {**{fact: row.get(fact) for fact in FACTS}, "legacy": _legacy(row)})


def _legacy(row: Mapping[str, Any]) -> bool:
    """Whether it was bought before the new commerce experience; what says nothing of itself is taken for a new one."""
    kind = row.get("productType")
    said = str(kind.get("id") if isinstance(kind, Mapping) else kind or "")
    return not said.endswith("NCE") and LEGACY_OFFER.fullmatch(str(row.get("offerId") or "")) is not None
