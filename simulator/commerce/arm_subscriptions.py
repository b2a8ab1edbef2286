"""ARM's Azure subscriptions: list, get, cancel, enable (subscription-facts 3)."""

from aiohttp import web

from simulator.world import Tenant, World

from .lifecycle import Event, NotAllowedError
from .models import AzureSubscription, Commerce
from .wire import ArmError, arm

LIST_VERSION = "2022-12-01"


def register(app: web.Application, world: World) -> None:
    """Add the routes under `/subscriptions`; all other paths there answer 501."""
    base = "/subscriptions/{id}/providers/Microsoft.Subscription"
    app.router.add_get("/subscriptions", arm(world, list_subscriptions))
    app.router.add_get("/subscriptions/{id}", arm(world, get_subscription))
    app.router.add_post(base + "/cancel", arm(world, cancel))
    app.router.add_post(base + "/enable", arm(world, enable))
    app.router.add_route("*", "/subscriptions/{tail:.*}", arm(world, missing))


async def list_subscriptions(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """Every Azure subscription of the token's tenant, Deleted ones until they vanish."""
    value = [_row(item) for item in tenant.commerce.azure()]
    return web.json_response({"value": value, "count": {"type": "Total", "value": len(value)}})


async def get_subscription(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """One Azure subscription, or 404 when it is gone or another tenant's."""
    return web.json_response(_row(_find(tenant.commerce, request.match_info["id"])))


async def cancel(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """Cancel at once; resources in it need the undocumented `IgnoreResourceCheck=true`."""
    commerce: Commerce = tenant.commerce
    item = _find(commerce, request.match_info["id"])
    if item.resources and request.query.get("IgnoreResourceCheck", "").lower() != "true":
        message = (
            f"Subscription '{item.id}' cannot be cancelled because it still contains {item.resources} resources. "
            "Delete all resources and try again."
        )
        raise ArmError(400, "ResourcesExistingOnSubscription", message)
    return _fire(commerce, item, Event.CANCEL)


async def enable(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """Undo a cancel while the subscription is Disabled."""
    commerce: Commerce = tenant.commerce
    return _fire(commerce, _find(commerce, request.match_info["id"]), Event.ACTIVATE)


async def missing(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """What the simulator lacks is said, not guessed."""
    raise ArmError(501, "NotImplemented", f"The simulator has no {request.method} {request.path}.")


def _fire(commerce: Commerce, item: AzureSubscription, event: Event) -> web.Response:
    try:
        commerce.fire(item, event)
    except NotAllowedError:
        message = f"The operation is not allowed: subscription '{item.id}' is in state {item.state}."
        raise ArmError(409, "SubscriptionNotInExpectedState", message) from None
    return web.json_response({"subscriptionId": item.id})


def _find(commerce: Commerce, wanted: str) -> AzureSubscription:
    for item in commerce.azure():
        if item.id == wanted.lower():
            return item
    raise ArmError(404, "SubscriptionNotFound", f"The subscription '{wanted}' could not be found.")


def _row(item: AzureSubscription) -> dict[str, object]:
    return {
        "id": f"/subscriptions/{item.id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": item.id,
        "tenantId": item.tenant_id,
        "displayName": item.name,
        "state": item.state,
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": item.quota_id,
            "spendingLimit": "Off",
        },
    }
