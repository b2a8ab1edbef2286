"""ARM's Microsoft.AzureActiveDirectory: the Azure resource that an External ID or B2C tenant is (tenant-facts B)."""

import uuid
from datetime import timedelta
from typing import Any

from aiohttp import web

from simulator.delete_page import left_in
from simulator.world import DirectoryResource, Tenant, World

from .wire import ArmError, arm, origin, require_role, retry_after

NAMESPACE = "Microsoft.AzureActiveDirectory"
VERSIONS = {"ciam": "2023-05-17-preview", "b2c": "2021-04-01"}


def register(app: web.Application, world: World) -> None:
    """Add the routes; before those of `arm_subscriptions`, which answers 501 for every other path."""
    subscription = "/subscriptions/{id}"
    for kind in VERSIONS:
        path = f"{subscription}/resourceGroups/{{group}}/providers/{NAMESPACE}/{kind}Directories/{{name}}"
        app.router.add_get(path, arm(world, get_directory))
        app.router.add_delete(path, arm(world, delete_directory))
    base = f"{subscription}/providers/{NAMESPACE}"
    app.router.add_get(base + "/operations/{operation}", arm(world, operation_status))
    app.router.add_get(base + "/operationResults/{operation}", arm(world, operation_result))


async def get_directory(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """The resource while its tenant lives."""
    found = _find(request, world, tenant)
    if found is None:
        raise ArmError(404, "ResourceNotFound", f"The Resource '{request.match_info['name']}' was not found.")
    return web.json_response(_shape(found, world))


async def delete_directory(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """Begin the deletion of the tenant and its resource, or say what stands in the way; 204 when it is gone."""
    found = _find(request, world, tenant)
    if found is None:
        return web.Response(status=204)
    if left := left_in(world.target):
        message = f"The directory cannot be deleted: {'; '.join(left)}. Its deletion is the last step."
        raise ArmError(409, "TenantNotEmpty", message)
    if world.deletion_due is None:
        world.deletion_due = world.clock.now() + timedelta(seconds=retry_after(world))
    operation = uuid.uuid5(uuid.NAMESPACE_URL, found.id)
    base = f"{origin(request)}/subscriptions/{found.subscription_id}/providers/{NAMESPACE}"
    query = f"?api-version={VERSIONS[found.kind]}"
    headers = {
        "Azure-AsyncOperation": f"{base}/operations/{operation}{query}",
        "Location": f"{base}/operationResults/{operation}{query}",
        "Retry-After": str(retry_after(world)),
    }
    return web.Response(status=202, headers=headers)


async def operation_status(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """Azure-AsyncOperation: always 200, the word is in the body."""
    word = "Succeeded" if _ended(request, world, tenant) else "InProgress"
    body = {"id": request.path, "name": request.match_info["operation"], "status": word}
    return web.json_response(body, headers={} if world.target.gone else {"Retry-After": str(retry_after(world))})


async def operation_result(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """Location: 202 with itself while it runs, then 204."""
    if _ended(request, world, tenant):
        return web.Response(status=204)
    headers = {"Location": f"{origin(request)}{request.path_qs}", "Retry-After": str(retry_after(world))}
    return web.Response(status=202, headers=headers)


def _ended(request: web.Request, world: World, tenant: Tenant) -> bool:
    resource = _hosted(request, world, tenant)
    known = resource is not None and str(uuid.uuid5(uuid.NAMESPACE_URL, resource.id)) == request.match_info["operation"]
    if world.deletion_due is None or not known:
        raise ArmError(404, "NotFound", "The operation was not found.")
    return world.target.gone


def _hosted(request: web.Request, world: World, tenant: Tenant) -> DirectoryResource | None:
    """The resource in the subscription that a path names, for callers of the tenant that owns the subscription."""
    wanted = request.match_info["id"]
    if wanted.lower() not in {item.id for item in tenant.commerce.azure()}:
        raise ArmError(404, "SubscriptionNotFound", f"The subscription '{wanted}' could not be found.")
    require_role(world.roles.resource, request)
    resource = world.directory_resource
    return resource if resource is not None and resource.subscription_id == wanted.lower() else None


def _find(request: web.Request, world: World, tenant: Tenant) -> DirectoryResource | None:
    """The living resource that a path names."""
    resource = _hosted(request, world, tenant)
    here = resource is not None and resource.id.lower() == request.path.lower()
    return resource if here and not world.target.gone else None


def _shape(resource: DirectoryResource, world: World) -> dict[str, Any]:
    return {
        "id": resource.id,
        "name": resource.name,
        "type": f"{NAMESPACE}/{resource.kind}Directories",
        "location": "Europe",
        "sku": {"name": "Standard" if resource.kind == "ciam" else "PremiumP1", "tier": "A0"},
        "properties": {
            "tenantId": world.target.id,
            "provisioningState": "Succeeded" if world.deletion_due is None else "Deleting",
            "billingConfig": {"billingType": "MAU"},
        },
    }
