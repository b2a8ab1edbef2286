"""ARM's Azure subscriptions: list, get, cancel, enable (subscription-facts 3)."""

import re

from aiohttp import web

from simulator.world import Tenant, World

from .lifecycle import Event, NotAllowedError
from .models import AzureSubscription, Commerce
from .wire import ArmError, arm, require_role

LIST_VERSION = "2022-12-01"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
"""Role definition Owner, the same in every tenant (Azure built-in roles)."""


def register(app: web.Application, world: World) -> None:
    """Add the routes under `/subscriptions`; all other paths there answer 501."""
    base = "/subscriptions/{id}/providers/Microsoft.Subscription"
    app.router.add_get("/subscriptions", arm(world, list_subscriptions))
    app.router.add_get("/subscriptions/{id}", arm(world, get_subscription))
    app.router.add_post(base + "/cancel", arm(world, cancel))
    app.router.add_post(base + "/enable", arm(world, enable))
    app.router.add_get("/subscriptions/{id}/providers/Microsoft.Authorization/roleAssignments", arm(world, list_roles))
    app.router.add_route("*", "/subscriptions/{tail:.*}", arm(world, missing))


async def list_subscriptions(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """Every Azure subscription of the token's tenant, Deleted ones until they vanish."""
    seen = tenant.commerce.azure() if world.roles.azure else []
    value = [_row(item) for item in seen]
    return web.json_response({"value": value, "count": {"type": "Total", "value": len(value)}})


async def get_subscription(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """One Azure subscription, or 404 when it is gone or another tenant's."""
    return web.json_response(_row(_find(request, world, tenant)))


async def cancel(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """Cancel at once; resources in it need the undocumented `IgnoreResourceCheck=true`."""
    item = _writable(request, world, tenant)
    if item.resources and request.query.get("IgnoreResourceCheck", "").lower() != "true":
        message = (
            f"Subscription '{item.id}' cannot be cancelled because it still contains {len(item.resources)} resources. "
            "Delete all resources and try again."
        )
        raise ArmError(400, "ResourcesExistingOnSubscription", message)
    return _fire(tenant.commerce, item, Event.CANCEL)


async def enable(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """Undo a cancel while the subscription is Disabled."""
    return _fire(tenant.commerce, _writable(request, world, tenant), Event.ACTIVATE)


async def list_roles(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """Role assignments of one principal at, above and below the subscription: our app is Owner, or has no role."""
    item = _find(request, world, tenant)
    match = re.fullmatch(r"principalId eq '([0-9a-f-]{36})'", request.query.get("$filter", ""), re.IGNORECASE)
    if match is None:
        raise ArmError(501, "NotImplemented", "The simulator only has $filter=principalId eq 'ID' on roleAssignments.")
    definition = f"/subscriptions/{item.id}/providers/Microsoft.Authorization/roleDefinitions/{OWNER}"
    about = {"scope": f"/subscriptions/{item.id}", "principalId": match[1], "roleDefinitionId": definition}
    ours = match[1] == tenant.directory.own_sp_id
    return web.json_response({"value": [{"properties": about}] if ours else []})


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


def _writable(request: web.Request, world: World, tenant: Tenant) -> AzureSubscription:
    """The subscription for a write, counted when it is not the target's."""
    item = _find(request, world, tenant)
    if item.tenant_id != world.target.id:
        world.score.foreign_touched += 1
    return item


def _find(request: web.Request, world: World, tenant: Tenant) -> AzureSubscription:
    require_role(world.roles.azure, request)
    wanted = request.match_info["id"]
    azure: list[AzureSubscription] = tenant.commerce.azure()
    for item in azure:
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
