"""Graph's read-only view: `/directory/subscriptions` and `/subscribedSkus` (subscription-facts 5)."""

from collections import defaultdict
from typing import Any

from simulator.graph.router import GraphCall, GraphReply
from simulator.world import GraphError, World

from .lifecycle import FINISHED, Kind
from .models import Subscription
from .wire import stamp

ROLES = ("Organization.Read.All", "Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")
SKU_ROLES = ("LicenseAssignment.Read.All", *ROLES)


def register(world: World) -> None:
    """Add the Graph routes."""
    add = world.graph.add
    add("GET", "/directory/subscriptions", list_subscriptions, roles=ROLES)
    add("GET", "/directory/subscriptions/{id}", get_subscription, roles=ROLES)
    add("GET", "/directory/subscriptions(commerceSubscriptionId='{key}')", get_by_commerce_id, roles=ROLES)
    add("GET", "/subscribedSkus", list_skus, roles=SKU_ROLES, cost=3)


async def list_subscriptions(call: GraphCall) -> GraphReply:
    """Every row Graph still shows, in pages when `$top` asks for them."""
    rows = [_row(row, call.version) for row in call.tenant.commerce.rows()]
    return GraphReply(200, _page(call, "directory/subscriptions", rows))


async def get_subscription(call: GraphCall) -> GraphReply:
    """One row by its object id."""
    return GraphReply(200, _find(call, "id", call.params["id"]))


async def get_by_commerce_id(call: GraphCall) -> GraphReply:
    """One row by its alternate key."""
    return GraphReply(200, _find(call, "commerceSubscriptionId", call.params["key"]))


async def list_skus(call: GraphCall) -> GraphReply:
    """One row for each SKU, summed over its subscriptions; it knows no `$filter` and no paging."""
    if "$filter" in call.query:
        raise GraphError(400, "Request_BadRequest", "This operation target does not support $filter.")
    by_sku: dict[str, list[Subscription]] = defaultdict(list)
    for row in call.tenant.commerce.rows():
        by_sku[row.sku_id].append(row)
    value = [_sku(call, sku_id, rows) for sku_id, rows in by_sku.items() if any(r.status != "Deleted" for r in rows)]
    return GraphReply(200, {"@odata.context": _context(call, "subscribedSkus"), "value": value})


def _find(call: GraphCall, key: str, wanted: str) -> dict[str, Any]:
    for row in call.tenant.commerce.rows():
        shown = _row(row, call.version)
        if shown[key] == wanted:
            return {"@odata.context": _context(call, "directory/subscriptions/$entity"), **shown}
    raise GraphError(
        404,
        "Request_ResourceNotFound",
        f"Resource '{wanted}' does not exist or one of its queried reference-property objects are not present.",
    )


def _context(call: GraphCall, path: str) -> str:
    return f"{call.world.urls.http}/{call.version}/$metadata#{path}"


def _page(call: GraphCall, path: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """`$top` and an opaque `$skiptoken`; `$select` keeps the asked fields, `$filter` is refused as not imitated."""
    if "$filter" in call.query:
        raise GraphError(501, "NotImplemented", "The simulator has no $filter on directory/subscriptions.")
    try:
        top = int(call.query.get("$top", "100"))
        start = int(call.query.get("$skiptoken", "0"))
    except ValueError:
        top = start = -1
    if top < 1 or start < 0:
        raise GraphError(400, "Request_BadRequest", "Invalid value of $top or $skiptoken.")
    page = rows[start : start + top]
    if fields := call.query.get("$select"):
        names = {name.strip() for name in fields.split(",")} | {"id"}
        page = [{key: value for key, value in row.items() if key in names} for row in page]
    body: dict[str, Any] = {"@odata.context": _context(call, path), "value": page}
    if start + top < len(rows):
        link = f"{call.world.urls.http}/{call.version}/{path}?$top={top}&$skiptoken={start + top}"
        body["@odata.nextLink"] = link + (f"&$select={fields}" if fields else "")
    return body


def _row(row: Subscription, version: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": row.id,
        "commerceSubscriptionId": row.commerce_id,
        "createdDateTime": stamp(row.created),
        "isTrial": row.is_trial,
        "nextLifecycleDateTime": None if row.life.state in FINISHED else stamp(row.life.due),
        "ownerId": row.owner_id,
        "ownerTenantId": row.owner_tenant,
        "ownerType": row.owner_type,
        "skuId": row.sku_id,
        "skuPartNumber": row.sku,
        "status": row.status,
        "totalLicenses": row.licences,
        "serviceStatus": [
            {
                "appliesTo": "User",
                "provisioningStatus": "Success" if row.status in ("Enabled", "Warning") else "Disabled",
                "servicePlanId": row.sku_id,
                "servicePlanName": row.sku,
            }
        ],
    }
    if version == "beta":
        shown["ocpSubscriptionId"] = row.commerce_id if row.kind is not Kind.FREE else None
    return shown | row.lies.get("graph", {})


def _sku(call: GraphCall, sku_id: str, rows: list[Subscription]) -> dict[str, Any]:
    words = {"enabled": "Enabled", "warning": "Warning", "suspended": "Suspended", "lockedOut": "LockedOut"}
    units = {key: sum(r.licences for r in rows if r.status == word) for key, word in words.items()}
    capability = next((word for key, word in words.items() if units[key]), "Deleted")
    return {
        "id": f"{call.tenant.id}_{sku_id}",
        "accountId": call.tenant.id,
        "accountName": call.tenant.domain.split(".")[0],
        "appliesTo": "User",
        "capabilityStatus": capability,
        "consumedUnits": 0,
        "prepaidUnits": units,
        "servicePlans": [
            {"appliesTo": "User", "provisioningStatus": "Success", "servicePlanId": sku_id, "servicePlanName": sku}
            for sku in {r.sku for r in rows}
        ],
        "skuId": sku_id,
        "skuPartNumber": rows[0].sku,
        "subscriptionIds": [r.id for r in rows],
    }
