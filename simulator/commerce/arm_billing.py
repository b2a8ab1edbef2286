"""ARM's Microsoft.Billing: accounts and seat-based subscriptions, cancelled or set not to renew (facts 2)."""

import uuid
from datetime import timedelta
from typing import Any

from aiohttp import web

from simulator.score import EXCHANGE
from simulator.world import Tenant, World

from .arm_subscriptions import missing
from .lifecycle import Event, NotAllowedError, State
from .models import MCA, BillingAccount, Commerce, Operation, Subscription
from .wire import ArmError, arm, json_object, origin, require_role, retry_after, stamp

MAX_PAGE = 50
STATUS = {
    State.ENABLED: "Active",
    State.ENDING: "Expiring",
    State.PAUSED: "Suspended",
    State.WARNING: "Expired",
    State.SUSPENDED: "Suspended",
    State.DELETING: "Suspended",
    State.LOCKED_OUT: "Suspended",
}


def register(app: web.Application, world: World) -> None:
    """Add the routes under `/providers/Microsoft.Billing`; all other paths under `/providers` answer 501."""
    root = "/providers/Microsoft.Billing/billingAccounts"
    account = root + "/{account}"
    row = account + "/billingSubscriptions/{name}"
    app.router.add_get(root, arm(world, list_accounts))
    app.router.add_get(account, arm(world, get_account))
    app.router.add_get(account + "/associatedTenants", arm(world, list_associated))
    app.router.add_get(account + "/billingSubscriptions", arm(world, list_rows))
    app.router.add_get(row, arm(world, get_row))
    app.router.add_patch(row, arm(world, patch_row))
    app.router.add_delete(row, arm(world, cancel_row))
    app.router.add_get(account + "/operationResults/{operation}", arm(world, operation_result))
    app.router.add_route("*", "/providers/{tail:.*}", arm(world, missing))


async def list_accounts(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """Every billing account this tenant's caller can see."""
    seen = tenant.commerce.accounts() if world.roles.billing else []
    return web.json_response({"value": [_account(item) for item in seen]})


async def get_account(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """One billing account."""
    return web.json_response(_account(_find_account(request, world, tenant)))


async def list_associated(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """The other tenants that buy on this account: how the blast radius is known (subscription-facts 2, item 5)."""
    account = _find_account(request, world, tenant)
    value = [
        {
            "id": f"{account.path}/associatedTenants/{tid}",
            "name": tid,
            "type": "Microsoft.Billing/billingAccounts/associatedTenants",
            "properties": {
                "displayName": "Litware (sister company)",
                "tenantId": tid,
                "billingManagementState": "NotRequested",
                "provisioningManagementState": state,
            },
        }
        for tid, state in account.associated.items()
    ]
    return web.json_response({"value": value})


async def list_rows(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """An account's subscriptions of every tenant on it; Deleted ones only with `includeDeleted=true`."""
    account = _find_account(request, world, tenant)
    query = request.query
    for name in ("filter", "orderBy", "search"):
        if name in query:
            raise ArmError(501, "NotImplemented", f"The simulator has no '{name}' on billingSubscriptions.")
    hidden = {State.GONE} if query.get("includeDeleted", "").lower() == "true" else {State.GONE, State.DELETED}
    rows = [_row(account, row, world) for row in account.subscriptions if row.life.state not in hidden]
    try:
        top, skip = int(query.get("top", MAX_PAGE)), int(query.get("skip", 0))
    except ValueError:
        top = skip = -1
    if not 1 <= top <= MAX_PAGE or skip < 0:
        raise ArmError(400, "BadRequest", f"'top' must be 1 to {MAX_PAGE} and 'skip' 0 or more.")
    body: dict[str, Any] = {"value": rows[skip : skip + top], "totalCount": len(rows)}
    if skip + top < len(rows):
        link = request.url.update_query(top=str(top), skip=str(skip + top))
        body["nextLink"] = str(link)
    return web.json_response(body)


async def get_row(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """One subscription."""
    account, row = _find_row(request, world, tenant)
    if row is None:
        raise ArmError(404, "NotFound", "The billing subscription was not found.")
    return web.json_response(_row(account, row, world))


async def patch_row(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """Only `properties.autoRenew` can be changed here: `Off` lets the term run out, `On` takes that back."""
    account, row = _writable(request, world, tenant)
    body = await json_object(request)
    properties = (body or {}).get("properties")
    wanted = properties.get("autoRenew") if isinstance(properties, dict) else None
    if wanted not in ("On", "Off"):
        raise ArmError(400, "BadRequest", "properties.autoRenew must be 'On' or 'Off'.")
    try:
        tenant.commerce.fire(row, Event.RENEWAL_OFF if wanted == "Off" else Event.RENEWAL_ON)
    except NotAllowedError:
        message = f"Auto renew cannot be changed for a subscription with status '{_status(row)}'."
        raise ArmError(400, "BadRequest", message) from None
    return web.json_response(_row(account, row, world))


async def cancel_row(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """Cancel a seat-based subscription. Despite its verb this never deletes a disabled one (subscription-facts 2.1)."""
    account, found = _find_row(request, world, tenant)
    key = f"{tenant.id} {request.path}"
    world.score.delete_received(key)
    if found is None or found.life.state is State.DELETED:
        _note_foreign(world, account, found)
        if exchange := request.get(EXCHANGE):
            exchange.finals.append(key)
        return web.Response(status=204)
    account, row = _writable(request, world, tenant)
    commerce: Commerce = tenant.commerce
    if account.agreement != MCA:
        message = f"Cancel is not supported for billing accounts with agreement type '{account.agreement}'."
        raise ArmError(400, "OperationNotSupported", message)
    if not row.life.may(Event.CANCEL):
        message = f"The subscription cannot be cancelled: its status is '{_status(row)}'."
        raise ArmError(400, "BadRequest", message)
    now = commerce.settle()
    if not row.window_open(now):
        message = "The subscription cannot be cancelled: the cancellation window has closed."
        raise ArmError(400, "CancellationNotAllowed", message)
    name = f"cancelBillingSubscription_{row.commerce_id}:{uuid.uuid4()}"
    row.busy_until = now + timedelta(seconds=retry_after(world))
    commerce.operations[name] = Operation(name, row, row.busy_until)
    headers = {"Location": f"{origin(request)}{account.path}/operationResults/{name}?api-version=2024-04-01"}
    return web.Response(status=202, headers=headers | {"Retry-After": str(retry_after(world))})


async def operation_result(request: web.Request, world: World, tenant: Tenant) -> web.Response:
    """202 with the same Location while it runs, 204 when it is done (subscription-facts 2.2 and 9)."""
    _find_account(request, world, tenant)
    commerce: Commerce = tenant.commerce
    operation = commerce.operations.get(request.match_info["operation"])
    if operation is None:
        raise ArmError(404, "NotFound", "The operation was not found.")
    if commerce.running(operation, commerce.settle()):
        headers = {"Location": f"{origin(request)}{request.path_qs}", "Retry-After": str(retry_after(world))}
        return web.Response(status=202, headers=headers)
    return web.Response(status=204)


def _find_account(request: web.Request, world: World, tenant: Tenant) -> BillingAccount:
    require_role(world.roles.billing, request)
    wanted = request.match_info["account"]
    accounts: list[BillingAccount] = tenant.commerce.accounts()
    for account in accounts:
        if account.name == wanted:
            return account
    raise ArmError(404, "NotFound", f"The billing account '{wanted}' was not found.")


def _find_row(request: web.Request, world: World, tenant: Tenant) -> tuple[BillingAccount, Subscription | None]:
    account = _find_account(request, world, tenant)
    wanted = request.match_info["name"]
    rows = (row for row in account.subscriptions if row.commerce_id == wanted and row.life.state is not State.GONE)
    return account, next(rows, None)


def _writable(request: web.Request, world: World, tenant: Tenant) -> tuple[BillingAccount, Subscription]:
    """The row for a write: counted when it is another tenant's, refused while an earlier write is carried out."""
    account, row = _find_row(request, world, tenant)
    _note_foreign(world, account, row)
    if row is None:
        raise ArmError(404, "NotFound", "The billing subscription was not found.")
    if row.busy_until is not None:
        message = "The subscription is locked for an update that has not finished."
        raise ArmError(409, "SubscriptionLockedForUpdate", message)
    return account, row


def _note_foreign(world: World, account: BillingAccount, row: Subscription | None) -> None:
    ours = world.target.id
    if account.primary_tenant != ours or (row is not None and row.tenant_id != ours):
        world.score.foreign_touched += 1


def _status(row: Subscription) -> str:
    return row.word(STATUS.get(row.life.state, "Deleted"))


def _account(item: BillingAccount) -> dict[str, Any]:
    return {
        "id": item.path,
        "name": item.name,
        "type": "Microsoft.Billing/billingAccounts",
        "properties": {
            "displayName": item.display_name,
            "agreementType": item.agreement,
            "accountStatus": "Active",
            "accountType": "Business" if item.agreement == MCA else "Individual",
            "primaryBillingTenantId": item.primary_tenant,
            "hasReadAccess": True,
        },
    }


def _row(account: BillingAccount, row: Subscription, world: World) -> dict[str, Any]:
    allowed = row.window_open(world.clock.now()) and row.life.may(Event.CANCEL)
    return {
        "id": f"{account.path}/billingSubscriptions/{row.commerce_id}",
        "name": row.commerce_id,
        "type": "Microsoft.Billing/billingAccounts/billingSubscriptions",
        "properties": {
            "autoRenew": "On" if row.renews else "Off",
            "beneficiaryTenantId": row.tenant_id,
            "provisioningTenantId": row.tenant_id,
            "displayName": row.name,
            "operationStatus": "LockedForUpdate" if row.busy_until is not None else "None",
            "productCategory": "SeatBased",
            "productType": row.name,
            "productTypeId": row.sku,
            "purchaseDate": stamp(row.created),
            "quantity": row.licences,
            "skuDescription": row.name,
            "skuId": row.sku_id,
            "status": _status(row),
            "suspensionReasons": ["Cancelled"] if row.life.state is State.SUSPENDED else [],
            "systemOverrides": {
                "cancellation": "Allowed" if allowed else "NotAllowed",
                "cancellationAllowedEndDate": stamp(row.window_end),
            },
            "termDuration": "P1M" if row.life.term_days < 300 else "P1Y",
            "termStartDate": stamp(row.term_start),
            "termEndDate": stamp(row.life.due) if row.life.state in (State.ENABLED, State.ENDING) else None,
            **row.lies.get("arm", {}),
        },
    }
