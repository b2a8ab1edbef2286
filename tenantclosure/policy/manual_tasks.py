"""Manual tasks in full: what, why, who, where, exact clicks, warning, until when, and how it is proven.

Clicks and roles: subscription-facts 1, 6 and 7; tenant-facts A (the delete page), C (users, sync) and F (the script of
the last Global Administrator).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tenantclosure.names import EXTERNAL_TYPES, TaskKind, task_id
from tenantclosure.policy.portals import Place, link
from tenantclosure.policy.selling import MOST_LICENCES

SHOWN = 100
"""How many names a task lists."""
BILLING_ADMIN = "Billing Administrator (MOSA) or billing account owner (MCA)"
_PRODUCTS = "Open Billing > Your products."
_GRAPH_ENDED = "Graph shows it Suspended, LockedOut or Deleted, or no longer lists it."
_GRAPH_GONE = "Graph shows it Deleted or no longer lists it, in two looks at least an hour apart."
_ARM_GONE = "Azure shows it Deleted or no longer lists it, in two looks at least an hour apart."
_USERS_GONE = (
    "A fresh listing no longer names these users, or not for this reason; their deletion is tried again once this is "
    "reported done, and once a day."
)
ATTESTED = (
    "Nothing shows it to us: your word that it is done is kept as the proof, with your name and the time. That the "
    "subscription is gone is only proven by Graph."
)


@dataclass(frozen=True, slots=True)
class _Text:
    """`within` is in Microsoft's days; every text may hold {name}, {target}, {tenant}, {keeper}, {why}."""

    title: str
    who: str
    place: Place
    steps: tuple[str, ...]
    warning: str
    probe: str
    within: float = 7.0


_TEXTS: dict[str, _Text] = {
    TaskKind.TURN_OFF_SYNC: _Text(
        "Turn off directory synchronisation",
        "Hybrid Identity Administrator",
        Place.OVERVIEW,
        (
            "Stop and uninstall Entra Connect or Cloud Sync on-premises, or its features keep showing as enabled.",
            "In PowerShell: Connect-MgGraph -TenantId {tenant} -Scopes "
            "Organization.ReadWrite.All,Directory.ReadWrite.All.",
            "Run Update-MgOrganization -OrganizationId {tenant} -BodyParameter @{{onPremisesSyncEnabled=$false}}.",
            "Wait: converting the users may take up to 72 hours.",
        ),
        "It may take 72 hours to finish, can't be stopped once begun, and can't be turned on again for 72 hours.",
        "Graph says that the organization is not synchronised, and no user is marked as synchronised any more.",
    ),
    TaskKind.CANCEL_SUBSCRIPTION: _Text(
        "Cancel {name}",
        BILLING_ADMIN,
        Place.PRODUCTS,
        (_PRODUCTS, "Choose {name}.", "Choose Cancel subscription, give a reason, then Cancel now."),
        "Users lose access when the cancellation takes effect.",
        _GRAPH_ENDED,
    ),
    TaskKind.DELETE_SUBSCRIPTION: _Text(
        "Delete the disabled subscription {name}",
        BILLING_ADMIN,
        Place.PRODUCTS,
        (
            _PRODUCTS,
            "Filter by the status Disabled.",
            "Choose {name}, then Delete subscription.",
            "Confirm; it takes 72 hours until it is gone.",
        ),
        "SharePoint and OneDrive content goes at once, for good.",
        _GRAPH_GONE,
    ),
    TaskKind.TAKE_CONTROL: _Text(
        "End the self-service purchase {name}",
        "Global or Billing Administrator",
        Place.PRODUCTS,
        (
            _PRODUCTS,
            "Filter by Self-service.",
            "Choose {name}, then Take control of this subscription.",
            "Choose Cancel subscription.",
        ),
        "Do this before its buyer is deleted; afterwards only Support can.",
        "Graph shows it Deleted or no longer lists it.",
        3.0,
    ),
    TaskKind.DELETE_FREE_PRODUCT: _Text(
        "Delete the free product {name}",
        "Global or Billing Administrator",
        Place.PRODUCTS,
        (
            _PRODUCTS,
            "Filter by Free.",
            "Choose {name}, then Delete subscription.",
            "If it isn't there: Entra admin center > Licenses > Self-service sign-up products > {name} > Delete.",
        ),
        "It goes with its data, at once and for good.",
        _GRAPH_GONE,
    ),
    TaskKind.TURN_OFF_RENEWAL: _Text(
        "Turn off recurring billing of {name}",
        BILLING_ADMIN,
        Place.PRODUCTS,
        (_PRODUCTS, "Choose {name}, then Edit recurring billing.", "Choose Off and save."),
        "The subscription stays, and is paid for, until its term ends.",
        "Its billing account shows that it does not renew, or Graph shows it ending.",
    ),
    TaskKind.DELETE_AZURE: _Text(
        "Delete the Azure subscription {name}",
        "Owner of the subscription",
        Place.AZURE_SUBSCRIPTION,
        (
            "Open Subscriptions > {name} ({target}).",
            "Delete what resources are left, hidden types too.",
            "Choose Delete; it is offered 3 or 7 days after cancelling, for some offers never.",
            "Type the subscription's name and confirm.",
        ),
        "Everything in it is lost. Without this it goes by itself 90 days after cancelling.",
        _ARM_GONE,
    ),
    TaskKind.EMPTY_AZURE: _Text(
        "Empty the Azure subscription {name}",
        "Owner of the subscription",
        Place.AZURE_SUBSCRIPTION,
        (
            "Open Subscriptions > {name} ({target}) > Resources, and tick Show hidden types.",
            "Move elsewhere what is needed and delete the rest: resource groups first, then what is left.",
            "End its marketplace (SaaS) subscriptions and return its reservations under Cost Management > Billing.",
            "Leave the subscription itself: it is cancelled by us as soon as it is empty.",
        ),
        "What is deleted in Azure is lost for good.",
        "Azure accepts the cancellation and shows the subscription Disabled; it is tried again at each look.",
    ),
    TaskKind.ASK_PARTNER: _Text(
        "Ask the partner to end {name}",
        "the partner who sold it; somebody of yours who may order from them",
        Place.PRODUCTS,
        (
            _PRODUCTS,
            "Find the partner of {name} in the product's details.",
            "Ask the partner to cancel {name} ({target}) of the tenant {tenant} in Partner Center.",
            "If its cancellation window is over: ask them to turn off its renewal instead.",
        ),
        "Only the seller can end it. Outside the window it stays, and is paid for, until its term ends.",
        "Partner Center or Graph shows that it has ended or does not renew.",
    ),
    TaskKind.ASK_SUPPORT: _Text(
        "Ask Microsoft Support about {name}",
        "Global Administrator",
        Place.SUPPORT,
        (
            "Open Support > Help & support > Contact support and open a new service request.",
            "Name the tenant {tenant} and {name} ({target}).",
            "Say what is wrong: {why}.",
            "Ask them to clear it, so that the tenant can be deleted, and name the request's number when you report.",
        ),
        "This takes days to weeks.",
        "The same look that proves the thing itself: what Support was asked for no longer stands in the way.",
        14.0,
    ),
    TaskKind.FIND_SELLER: _Text(
        "Find out who sold {name}, and end it",
        BILLING_ADMIN,
        Place.PRODUCTS,
        (
            _PRODUCTS,
            "Open {name} ({target}) and read billing account, agreement and partner.",
            "End it where it was sold: Cancel subscription here, at the partner, or in the other billing account.",
        ),
        "Two sellers claim it, so we call neither: a cancellation at the wrong one could end another tenant's product.",
        _GRAPH_GONE,
    ),
    TaskKind.FREEZE_SIGN_UPS: _Text(
        "Stop new sign-ups, guests and self-service products",
        "Global Administrator",
        Place.COLLABORATION,
        (
            "Set Guest invite settings to: No one in the organization can invite guest users. Save.",
            "In PowerShell: Connect-MgGraph -TenantId {tenant} -Scopes Policy.ReadWrite.Authorization.",
            "Run Update-MgPolicyAuthorizationPolicy -BodyParameter @{{allowedToSignUpEmailBasedSubscriptions=$false; "
            "allowEmailVerifiedUsersToJoinOrganization=$false; allowInvitesFrom='none'}}.",
        ),
        "What is bought or who joins while the closure runs has to be approved anew.",
        "The authorization policy shows all three off.",
        2.0,
    ),
    TaskKind.RELEASE_USERS: _Text(
        "Release users from restricted management: {name}",
        "Privileged Role Administrator",
        Place.OVERVIEW,
        (
            "Open Roles & admins > Admin units and find the units whose column Restricted management says Yes.",
            "Take the users below out of the unit, or delete the unit.",
            "Or: open the unit > Roles and administrators > User Administrator and assign it to our enterprise "
            "application; for users with admin roles Privileged Authentication Administrator.",
            "Wait: it takes up to 30 minutes to have effect.",
        ),
        "Until then nobody without a role on that very unit can delete these users.",
        _USERS_GONE,
    ),
    TaskKind.GRANT_ROLE: _Text(
        "Give our application the role that deletes administrators: {name}",
        "Privileged Role Administrator or Global Administrator",
        Place.ROLES,
        (
            "Open Roles & admins > Privileged Authentication Administrator > Add assignments.",
            "Choose our enterprise application and assign the role as active, without an end.",
            "Or delete the users below yourself: Users, tick them, Delete.",
        ),
        "User Administrator does not cover users who hold other admin roles, nor owners of role-assignable groups.",
        _USERS_GONE,
    ),
    TaskKind.REMOVE_USERS: _Text(
        "Delete users that could not be deleted: {name}",
        "Global Administrator",
        Place.USERS,
        (
            "Open Users > All users and find the users below.",
            "Read what refuses their deletion: {why}.",
            "Clear that, then tick them and choose Delete.",
        ),
        "Don't delete {keeper}. Deleted users can be restored for 30 days.",
        _USERS_GONE,
    ),
    TaskKind.REMOVE_IDENTITY: _Text(
        "Delete the Azure resources behind managed identities: {name}",
        "Owner of the Azure subscription",
        Place.APPLICATION,
        (
            "Open Enterprise applications, filter by Managed identities, and open each one below.",
            "Under Properties read which Azure resource it belongs to.",
            "In the Azure portal delete that resource, or switch its managed identity off under Identity.",
        ),
        "A managed identity can't be deleted in the directory; it goes with its Azure resource.",
        "A fresh listing no longer names these identities.",
    ),
    TaskKind.REMOVE_APPLICATION: _Text(
        "Remove what is left of {name}",
        "Global Administrator",
        Place.APPLICATION,
        (
            "Open Enterprise applications (or App registrations) and find {name} ({target}).",
            "Choose Properties > Delete.",
            "If that is refused: set Enabled for users to sign in to No, save, and delete it again.",
        ),
        "Sign-in to it ends.",
        "A fresh listing no longer names it, or shows it disabled.",
    ),
    TaskKind.EMPTY_DIRECTORY: _Text(
        "Empty the external tenant {name}",
        "External ID User Flow Administrator, B2C IEF Policy Administrator, or Global Administrator",
        Place.OVERVIEW,
        (
            "Compare the tenant id: it must read {tenant}.",
            "Open External Identities > User flows; delete every user flow.",
            "Only in a B2C tenant: open Identity Experience Framework; delete every custom policy and policy key.",
            "Open External Identities > All identity providers; remove every one that was added.",
        ),
        "Customers can't sign up or sign in any more, for good.",
        "A fresh look counts none of them any more.",
    ),
    TaskKind.DELETE_TENANT: _Text(
        "Delete the tenant {name}",
        "the keeper {keeper}, as Global Administrator",
        Place.MANAGE_TENANTS,
        (
            "Make sure that the second factor of {keeper} works: every portal asks for it, nobody is left to reset it.",
            "In the Microsoft 365 admin center open Billing > Bills & payments and pay every open invoice.",
            "Sign in to the Entra admin center as {keeper} and open Overview.",
            "Compare the tenant id: it must read {tenant}. Don't switch directories from here on.",
            "Open Multifactor authentication > Providers; delete every MFA provider that is listed.",
            "Open Users > User settings: set LinkedIn account connections to No and save.",
            "Open Overview > Properties: set Access management for Azure resources to Yes and save.",
            "Sign out and sign in again as {keeper}; only then does that access count.",
            "Open Overview > Manage tenants, tick {name} and choose Delete.",
            "Compare the tenant id on that page once more: {tenant}.",
            "Clear what the checks name under Required action. Leftover enterprise applications, ours too: delete "
            "them, or set Enabled for users to sign in to No; Microsoft's internal ones don't block.",
            "Choose Refresh until every check is green, then Delete, and wait for the message of success.",
        ),
        "This is final. Switching directories while the checks run would check, and delete, the other tenant.",
        "Anybody can see it: several sightings from outside in a row say that there is no such tenant.",
    ),
}
_EXTERNAL = _Text(
    "Delete the external tenant {name}",
    "the keeper {keeper}, as Global Administrator; for its Azure resource the Owner of the subscription that holds it",
    Place.MANAGE_TENANTS,
    (
        "Make sure that the second factor of {keeper} works: every portal asks for it, nobody is left to reset it.",
        "Sign in to the Entra admin center as {keeper} and open Overview.",
        "Compare the tenant id: it must read {tenant}. Don't switch directories from here on.",
        "Open External Identities > User flows; delete every user flow.",
        "Only in a B2C tenant: open Identity Experience Framework; delete every custom policy and every policy key.",
        "Open External Identities > All identity providers; remove every one that was added.",
        "Open App registrations > All applications; delete every one, b2c-extensions-app last, then delete them for "
        "good under Deleted applications.",
        "Open Enterprise applications; delete what is left, ours too, or set Enabled for users to sign in to No.",
        "Open Users; delete everybody but {keeper}.",
        "Open Overview > Properties: set Access management for Azure resources to Yes, save, sign out and in again.",
        "Open Overview > Manage tenants, tick {name} and choose Delete. Clear what the checks name; the row about user "
        "flows may stay red although there are none left.",
        "If Delete stays grey: in the Azure portal of the tenant that pays for it open the directory's Azure resource"
        "{resource} and choose Delete.",
    ),
    "This is final: every customer account in it is lost. Switching directories while the checks run would check the "
    "other tenant.",
    "Anybody can see it: several sightings from outside in a row say that there is no such tenant.",
)
_AZURE_CANCEL = _Text(
    "Cancel the Azure subscription {name}",
    "Owner of the subscription",
    Place.AZURE_SUBSCRIPTION,
    (
        "Open Subscriptions > {name} ({target}).",
        "Choose Cancel subscription, type its name, give a reason, and confirm.",
    ),
    "What runs in it stops; everything in it is lost when it is deleted, at the latest after 90 days.",
    "Azure shows it Disabled or Deleted, or no longer lists it.",
)
_REDUCE = (
    "It has {licences} licences, and only up to {most} can be cancelled: choose Remove licenses and go down to {most} "
    "or fewer first (unassign them from users if that is asked for).",
    "If they can't be reduced: open Support > Help & support and ask for the cancellation of {name} ({target}).",
)


def manual_task(
    kind: str,
    target: str,
    name: str,
    *,
    row: Mapping[str, Any],
    portals: Mapping[str, str],
    instance: str,
    why: str,
    licences: int | None = None,
    items: Sequence[str] = (),
    deadline: str | None = None,
    attestable: bool = False,
    external: bool | None = None,
    azure: bool = False,
) -> dict[str, Any]:
    """A manual task as `Ledger.open_task` takes it: {taskId, kind, target, name, title, who, why, link, steps, warning,
    probe, attestable, items, deadline, within, instance}.

    `instance` is the durable instance that waits for it, `portals` the cloud's URLs, `items` names of what it is about.
    `deadline` is ISO 8601; without one the task is due `within` so many of Microsoft's days of its opening.
    `attestable`: a person's word is all the proof there can be. `external` (by default what the row says) and `azure`
    choose the clicks of an external tenant and of an Azure subscription.
    """
    text = _TEXTS[kind]
    if kind == TaskKind.DELETE_TENANT and _external(row, external):
        text = _EXTERNAL
    if kind == TaskKind.CANCEL_SUBSCRIPTION and azure:
        text = _AZURE_CANCEL
    steps = text.steps
    if kind == TaskKind.CANCEL_SUBSCRIPTION and not azure and (licences or 0) > MOST_LICENCES:
        steps = (*steps[:2], *_REDUCE, *steps[2:])
    resource = (row.get("request") or {}).get("externalDirectory") or ""
    words = {
        "name": name,
        "target": target,
        "tenant": row["tenantId"],
        "keeper": row["keeper"],
        "why": why.rstrip("."),
        "licences": licences,
        "most": MOST_LICENCES,
        "resource": f" {resource}" if resource else "",
    }
    return {
        "taskId": task_id(kind, target),
        "kind": str(kind),
        "target": target,
        "name": name,
        "title": text.title.format(**words),
        "who": text.who.format(**words),
        "why": why,
        "link": link(text.place, portals, row["tenantId"], target),
        "steps": [step.format(**words) for step in steps],
        "warning": text.warning.format(**words),
        "probe": ATTESTED if attestable else text.probe,
        "attestable": attestable,
        "items": [str(item) for item in items[:SHOWN]],
        "deadline": deadline,
        "within": text.within,
        "instance": instance,
    }


def _external(row: Mapping[str, Any], told: bool | None) -> bool:
    return row.get("tenantType") in EXTERNAL_TYPES if told is None else told
