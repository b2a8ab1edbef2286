"""Partner Center as the CSP partner calls it: a customer's subscriptions, cancelled or set not to renew (facts 4)."""

from typing import Any

from aiohttp import web

from simulator.world import Tenant, World

from .lifecycle import SOLD_BY_PARTNER, Event, Kind, NotAllowedError, State
from .models import Commerce, Subscription
from .wire import PartnerError, json_object, partner, stamp

STATUS = {
    State.ENABLED: "active",
    State.ENDING: "active",
    State.PAUSED: "suspended",
    State.WARNING: "expired",
    State.SUSPENDED: "disabled",
}


def register(app: web.Application, world: World) -> None:
    """Add the routes under `/v1/customers`; all other paths under `/v1` answer 501."""
    base = "/v1/customers/{customer}/subscriptions"
    app.router.add_get(base, partner(world, list_subscriptions))
    app.router.add_get(base + "/{id}", partner(world, get_subscription))
    app.router.add_patch(base + "/{id}", partner(world, patch_subscription))
    app.router.add_route("*", "/v1/{tail:.*}", partner(world, missing))


async def list_subscriptions(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """Every subscription this partner sold the customer."""
    customer = _customer(request, world)
    items = [_row(customer, row) for row in _sold(customer)]
    links = {"self": {"uri": f"/customers/{customer.id}/subscriptions", "method": "GET", "headers": []}}
    return web.json_response(
        {"totalCount": len(items), "items": items, "links": links, "attributes": {"objectType": "Collection"}}
    )


async def get_subscription(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """One subscription, complete: the body a PATCH starts from."""
    customer = _customer(request, world)
    return web.json_response(_row(customer, _find(request, customer)))


async def patch_subscription(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """Take the full resource with one field changed. A field left out is silently reset, as reported (facts 4)."""
    customer = _customer(request, world)
    if customer is not world.target:
        world.score.foreign_touched += 1
    row = _find(request, customer)
    body = await json_object(request)
    if body is None or body.get("id", row.commerce_id) != row.commerce_id:
        raise PartnerError(400, "2000", "The request body is not the subscription resource of this address.")
    _change_status(customer.commerce, row, str(body.get("status", "active")).lower())
    if row.life.state in (State.ENABLED, State.ENDING):
        keep_renewing = bool(body.get("autoRenewEnabled", True))
        customer.commerce.fire(row, Event.RENEWAL_ON if keep_renewing else Event.RENEWAL_OFF)
    row.partner_view["scheduledNextTermInstructions"] = body.get("scheduledNextTermInstructions")
    row.partner_view["friendlyName"] = body.get("friendlyName") or row.name
    return web.json_response(_row(customer, row))


async def missing(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """What the simulator lacks is said, not guessed."""
    raise PartnerError(501, "501", f"The simulator has no {request.method} {request.path}.")


def _change_status(commerce: Commerce, row: Subscription, wanted: str) -> None:
    now = commerce.settle()
    if wanted == _status(row):
        return
    events = {"deleted": Event.CANCEL, "suspended": Event.PAUSE, "active": Event.ACTIVATE}
    if wanted not in events:
        raise PartnerError(400, "2000", f"'{wanted}' is not a status a partner can set.")
    if row.life.state is State.PAUSED and wanted != "active":
        raise PartnerError(400, "800091", "The subscription is suspended and cannot be updated.")
    if wanted == "deleted" and not row.window_open(now):
        raise PartnerError(400, "CancellationWindowClosed", "The cancellation window of this subscription has closed.")
    try:
        commerce.fire(row, events[wanted])
    except NotAllowedError:
        message = f"The subscription is {_status(row)} and cannot become {wanted}."
        raise PartnerError(400, "800091", message) from None


def _customer(request: web.Request, world: World) -> Tenant:
    wanted = request.match_info["customer"].lower()
    customer = world.tenants.get(wanted)
    if customer is None or not _sold(customer):
        message = f"The partner ID {world.partner.id} has no commerce relationship with the customer ID {wanted}."
        raise PartnerError(403, "20002", message)
    return customer


def _sold(customer: Tenant) -> list[Subscription]:
    commerce: Commerce | None = customer.commerce
    if commerce is None:
        return []
    return [row for row in commerce.everything() if isinstance(row, Subscription) and row.kind in SOLD_BY_PARTNER]


def _find(request: web.Request, customer: Tenant) -> Subscription:
    wanted = request.match_info["id"].lower()
    for row in _sold(customer):
        if row.commerce_id == wanted:
            return row
    raise PartnerError(404, "20003", f"Subscription with ID {wanted} was not found.")


def _status(row: Subscription) -> str:
    if row.kind is Kind.CSP_LEGACY and row.life.state is State.SUSPENDED:
        return "suspended"
    return STATUS.get(row.life.state, "deleted")


def _row(customer: Tenant, row: Subscription) -> dict[str, Any]:
    allowed = row.life.may(Event.CANCEL)
    until = stamp(row.window_end) if allowed else None
    refund = {"sequenceId": 0, "type": "Full", "expiresAt": until}
    ends = row.life.state in (State.ENABLED, State.ENDING, State.PAUSED)
    return {
        "id": row.commerce_id,
        **_offer(row),
        "offerName": row.name,
        "friendlyName": row.partner_view["friendlyName"],
        "quantity": row.licences,
        "unitType": "Licenses",
        "hasPurchasableAddons": False,
        "creationDate": stamp(row.created),
        "effectiveStartDate": stamp(row.term_start),
        "commitmentEndDate": stamp(row.life.due) if ends else None,
        "cancellationAllowedUntilDate": until,
        "refundOptions": [refund] if until else [],
        "status": row.word(_status(row)),
        "autoRenewEnabled": row.renews,
        "isTrial": row.is_trial,
        "billingType": "license",
        "billingCycle": "annual",
        "termDuration": "P1Y",
        "renewalTermDuration": "P1Y",
        "isMicrosoftProduct": True,
        "contractType": "subscription",
        "orderId": row.partner_view["orderId"],
        "scheduledNextTermInstructions": row.partner_view["scheduledNextTermInstructions"],
        "links": {
            "self": {
                "uri": f"/customers/{customer.id}/subscriptions/{row.commerce_id}",
                "method": "GET",
                "headers": [],
            }
        },
        "attributes": {"objectType": "Subscription"},
        **row.lies.get("partner", {}),
    }


def _offer(row: Subscription) -> dict[str, Any]:
    """What was bought: a GUID before the new commerce, PRODUCT:SKU:AVAILABILITY since (Microsoft's samples)."""
    if row.kind is Kind.CSP_LEGACY:
        return {"offerId": row.sku_id.upper()}
    kind = {"id": "OnlineServicesNCE", "displayName": "OnlineServicesNCE"}
    return {"offerId": f"CFQ7TTC0LFLX:0001:{row.commerce_id[:8].upper()}", "productType": kind}
