"""What a person does in Microsoft's portals, as control routes under `/_sim/portal/`.

Answers 200 with what the page then shows, or 409 with the portal's refusal. No API imitates these acts, because
Microsoft has none for them (subscription-facts 0 and 7); the address says so.
"""

from aiohttp import web

from simulator.commerce.lifecycle import SOLD_BY_PARTNER, Event, Kind, NotAllowedError, State
from simulator.commerce.models import MOSA_CANCEL_LIMIT, AzureSubscription, RefusedError, Subscription
from simulator.commerce.wire import json_object, stamp
from simulator.delete_page import checks
from simulator.portal_directory import DIRECTORY_ACTIONS, Action, Body
from simulator.world import World

AZURE_DELETE_DAYS = 3.0  # after the cancel; pay-as-you-go and free trials only (subscription-facts 3)


def register(app: web.Application, world: World) -> None:
    """Add the control routes."""

    async def act_route(request: web.Request) -> web.Response:
        body = await json_object(request)
        if body is None:
            return web.json_response({"error": "BadBody", "message": "The body must be a JSON object."}, status=400)
        try:
            return web.json_response(act(world, request.match_info["action"], body))
        except RefusedError as no:
            return web.json_response({"error": no.code, "message": no.message}, status=409)

    async def checks_route(request: web.Request) -> web.Response:
        rows = checks(world.target)
        passed = all(row["passed"] for row in rows)
        return web.json_response({"tenantId": world.target.id, "canDelete": passed, "checks": rows})

    app.router.add_post("/_sim/portal/{action}", act_route)
    app.router.add_get("/_sim/portal/checks", checks_route)


def act(world: World, action: str, body: Body) -> Body:
    """Do one thing as the keeper would; `RefusedError` is the portal's no."""
    if action not in ACTIONS:
        raise RefusedError("UnknownAction", f"The portal has no '{action}'; it has {', '.join(sorted(ACTIONS))}.")
    if world.target.gone:
        raise RefusedError("TenantGone", "The tenant does not exist any more; nobody can sign in.")
    world.target.tick()
    return ACTIONS[action](world, body)


def cancel_subscription(world: World, body: Body) -> Body:
    """Your products > Cancel subscription (facts 7, rows 1 and 3), or the Azure portal's Cancel."""
    row = _find(world, body)
    if isinstance(row, AzureSubscription) or row.kind is Kind.TRIAL:
        return _fire(world, row, Event.CANCEL)
    if row.kind is Kind.MOSA:
        if row.licences > MOSA_CANCEL_LIMIT and row.reducible:
            row.licences = MOSA_CANCEL_LIMIT  # Remove licenses, on the same page
        if row.licences > MOSA_CANCEL_LIMIT:
            message = f"{row.licences} licences: reduce to {MOSA_CANCEL_LIMIT} or fewer first, or contact support."
            raise RefusedError("TooManyLicences", message)
        _require_no_custom_domain(world)
        return _fire(world, row, Event.CANCEL)
    if row.kind is Kind.MCA:
        if not row.window_open(world.target.commerce.settle()):
            raise RefusedError("CancellationWindowClosed", "Too late to cancel: turn off recurring billing and wait.")
        return _fire(world, row, Event.CANCEL)
    raise RefusedError("CannotCancel", _WHO_ENDS_IT[row.kind])


def delete_subscription(world: World, body: Body) -> Body:
    """Your products > Delete subscription: marked now, Deleted three days later (facts 7, row 2)."""
    row = _licence(world, body)
    if row.kind is Kind.MCA:
        raise RefusedError("CannotDelete", "On this agreement a disabled subscription goes by itself at its term end.")
    if row.kind not in (Kind.MOSA, Kind.TRIAL):
        raise RefusedError("CannotDelete", _WHO_ENDS_IT[row.kind])
    if row.life.state is not State.SUSPENDED:
        raise RefusedError("NotDisabled", f"Only a disabled subscription can be deleted; this one is {row.status}.")
    return _fire(world, row, Event.DELETE)


def take_control(world: World, body: Body) -> Body:
    """Take control of a self-service purchase and cancel it: Deleted at once (facts 6)."""
    row = _licence(world, body)
    if row.kind is not Kind.SELF_SERVICE:
        raise RefusedError("NotSelfService", "This is not a self-service purchase.")
    if row.owner_id not in world.target.directory.users.live and row.life.state is State.ENABLED:
        raise RefusedError("PurchaserDeleted", "The purchaser's account was deleted. Contact support.")
    return _fire(world, row, Event.TAKE_CONTROL)


def delete_free_product(world: World, body: Body) -> Body:
    """Your products > Free > Delete subscription: immediate and irrevocable (facts 6)."""
    row = _licence(world, body)
    if row.kind is not Kind.FREE:
        raise RefusedError("NotFree", "This is not a free sign-up product.")
    return _fire(world, row, Event.DELETE)


def empty_azure_subscription(world: World, body: Body) -> Body:
    """Azure portal > Resources, hidden types too > Delete; managed identities go with them (facts 3)."""
    item = _find(world, body)
    if not isinstance(item, AzureSubscription):
        raise RefusedError("NotAzure", "This is not an Azure subscription.")
    deleted = list(item.resources)
    item.resources.clear()
    return {"subscriptionId": item.id, "deleted": deleted}


def delete_azure_subscription(world: World, body: Body) -> Body:
    """Azure portal > Subscriptions > Delete, once cancelled, empty and three days old (facts 3)."""
    item = _find(world, body)
    if not isinstance(item, AzureSubscription):
        raise RefusedError("NotAzure", "This is not an Azure subscription.")
    if item.life.state is State.ENABLED:
        raise RefusedError("CancelFirst", "Cancel the subscription before you delete it.")
    if item.life.state is State.SUSPENDED:
        earliest = item.life.since + world.clock.days(AZURE_DELETE_DAYS)
        if not item.deletable:
            message = f"This offer has no Delete; it is deleted automatically on {stamp(item.life.due)}."
            raise RefusedError("DeleteNotOffered", message)
        if item.resources:
            raise RefusedError("ResourcesPresent", f"Delete its {len(item.resources)} resources first.")
        if world.clock.now() < earliest:
            raise RefusedError("TooEarly", f"It can be deleted from {stamp(earliest)}.")
    return _fire(world, item, Event.DELETE)


def turn_off_recurring_billing(world: World, body: Body) -> Body:
    """Edit recurring billing > Off: the subscription ends with its term (facts 7, row 3)."""
    row = _licence(world, body)
    if row.kind not in (Kind.MOSA, Kind.MCA, Kind.TRIAL):
        raise RefusedError("CannotTurnOff", _WHO_ENDS_IT[row.kind])
    return _fire(world, row, Event.RENEWAL_OFF)


def ask_partner(world: World, body: Body) -> Body:
    """The partner does it in Partner Center: cancels inside the window, otherwise turns renewal off; what is older
    than the new commerce is suspended (facts 4 and 7).
    """
    row = _licence(world, body)
    if row.kind not in SOLD_BY_PARTNER:
        raise RefusedError("NotPartner", "No partner sold this subscription.")
    if row.kind is Kind.CSP_LEGACY:
        return _fire(world, row, Event.PAUSE)
    in_window = row.window_open(world.target.commerce.settle())
    return _fire(world, row, Event.CANCEL if in_window else Event.RENEWAL_OFF)


def find_seller(world: World, body: Body) -> Body:
    """Your products > its details say who sold it; there it is cancelled, otherwise set not to renew."""
    row = _licence(world, body)
    if row.kind in SOLD_BY_PARTNER:
        return ask_partner(world, body)
    if row.kind is Kind.MCA and not row.window_open(world.target.commerce.settle()):
        return turn_off_recurring_billing(world, body)
    return cancel_subscription(world, body)


def support(world: World, body: Body) -> Body:
    """Support ends what nobody else can: stuck rows at once, large MOSA ones by cancelling (facts 7, row 8)."""
    row = _licence(world, body)
    if row.kind is Kind.MOSA and row.licences > MOSA_CANCEL_LIMIT:
        return _fire(world, row, Event.CANCEL)
    if row.kind is Kind.SELF_SERVICE and row.owner_id in world.target.directory.users.live:
        raise RefusedError(
            "UsePortal", "The purchaser's account exists: take control of the subscription in the portal."
        )
    if not row.life.may(Event.SUPPORT):
        raise RefusedError("UsePortal", "Support refers to the admin center, the seller or the end of the term.")
    return _fire(world, row, Event.SUPPORT)


ACTIONS: dict[str, Action] = {
    "ask-partner": ask_partner,
    "cancel-subscription": cancel_subscription,
    "delete-azure-subscription": delete_azure_subscription,
    "delete-free-product": delete_free_product,
    "delete-subscription": delete_subscription,
    "empty-azure-subscription": empty_azure_subscription,
    "find-seller": find_seller,
    "support": support,
    "take-control": take_control,
    "turn-off-recurring-billing": turn_off_recurring_billing,
    **DIRECTORY_ACTIONS,
}

_WHO_ENDS_IT = {
    Kind.MOSA: "Use Cancel subscription.",
    Kind.MCA: "Use Cancel subscription inside the window, otherwise turn off recurring billing.",
    Kind.TRIAL: "Turn off recurring billing and let the trial expire.",
    Kind.CSP: "A partner sold this subscription; only the partner can end it.",
    Kind.CSP_LEGACY: "A partner sold this subscription; only the partner can end it.",
    Kind.FREE: "A free product has no billing: use Delete subscription under the filter Free.",
    Kind.SELF_SERVICE: "A user bought this; take control of the subscription first.",
    Kind.ENTRA_FREE: "This product cannot be cancelled here. Contact support.",
    Kind.LOCKED: "This subscription is locked. Contact support.",
}


def _require_no_custom_domain(world: World) -> None:
    custom = [name for name, domain in world.target.directory.domains.items() if not domain.isInitial]
    # Microsoft asks for this before cancelling (facts 7, row 1); only onmicrosoft.com names may stay.
    if blocking := [name for name in custom if not name.endswith(".onmicrosoft.com")]:
        raise RefusedError("CustomDomainPresent", f"Remove your own domain {blocking[0]} before you cancel.")


def _find(world: World, body: Body) -> Subscription | AzureSubscription:
    wanted = str(body.get("subscriptionId", ""))
    found: Subscription | AzureSubscription | None = world.target.commerce.find(wanted)
    if found is None:
        raise RefusedError("NotFound", f"Your products shows no subscription '{wanted}'.")
    return found


def _licence(world: World, body: Body) -> Subscription:
    found = _find(world, body)
    if isinstance(found, AzureSubscription):
        raise RefusedError("IsAzure", "This is an Azure subscription; use the Azure portal's actions.")
    return found


def _fire(world: World, row: Subscription | AzureSubscription, event: Event) -> Body:
    try:
        world.target.commerce.fire(row, event)
    except NotAllowedError:
        shown = row.state if isinstance(row, AzureSubscription) else row.status
        raise RefusedError("NotPossibleNow", f"{row.name} is {shown}; the page offers no such action.") from None
    shown = row.state if isinstance(row, AzureSubscription) else row.status
    return {"subscriptionId": row.id, "status": shown, "nextLifecycleDateTime": stamp(row.life.due)}
