"""Manual tasks in full: what, why, who, where, exact clicks, warning. The probe stands with the phase that
opens one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenantclosure.names import TaskKind

BILLING_ADMIN = "Billing Administrator (MOSA) or billing account owner (MCA)"
_PRODUCTS = "Open Billing > Your products."

_TEXTS: dict[str, tuple[str, str, str, tuple[str, ...], str]] = {
    TaskKind.TURN_OFF_SYNC: (
        "Turn off directory synchronisation",
        "Hybrid Identity Administrator",
        "portal",
        (
            "Stop and uninstall Entra Connect or Cloud Sync on-premises.",
            "In PowerShell: Connect-MgGraph -TenantId {tenant} -Scopes "
            "Organization.ReadWrite.All,Directory.ReadWrite.All.",
            "Run Update-MgOrganization -OrganizationId {tenant} -BodyParameter @{{onPremisesSyncEnabled=$false}}.",
        ),
        "It can't be turned on again for 72 hours and may take 72 hours to finish.",
    ),
    TaskKind.CANCEL_SUBSCRIPTION: (
        "Cancel {name}",
        BILLING_ADMIN,
        "admin",
        (
            _PRODUCTS,
            "Choose {name}.",
            "If it has more than 25 licences, remove licences first.",
            "Choose Cancel subscription.",
        ),
        "Users lose access when the cancellation takes effect.",
    ),
    TaskKind.DELETE_SUBSCRIPTION: (
        "Delete the disabled subscription {name}",
        BILLING_ADMIN,
        "admin",
        (_PRODUCTS, "Filter by the status Disabled.", "Choose {name}, then Delete subscription.", "Confirm."),
        "SharePoint and OneDrive content goes at once.",
    ),
    TaskKind.TAKE_CONTROL: (
        "End the self-service purchase {name}",
        "Global or Billing Administrator",
        "admin",
        (_PRODUCTS, "Filter by Self-service.", "Choose {name}, then Take control of this subscription.", "Cancel it."),
        "Do this before its buyer is deleted; afterwards only Support can.",
    ),
    TaskKind.DELETE_FREE_PRODUCT: (
        "Delete the free product {name}",
        "Global or Billing Administrator",
        "admin",
        (_PRODUCTS, "Filter by Free.", "Choose {name}, then Delete subscription."),
        "It is immediate and can't be undone.",
    ),
    TaskKind.TURN_OFF_RENEWAL: (
        "Turn off recurring billing of {name}",
        BILLING_ADMIN,
        "admin",
        (_PRODUCTS, "Choose {name}, then Edit recurring billing.", "Choose Off and save."),
        "The subscription stays until its term ends.",
    ),
    TaskKind.DELETE_AZURE: (
        "Delete the Azure subscription {name}",
        "Owner of the subscription",
        "azure_portal",
        (
            "Open Subscriptions > {name}.",
            "Delete what resources are left.",
            "Choose Delete; it is offered 3 or 7 days after cancelling.",
        ),
        "Everything in it is lost. Without this it goes by itself 90 days after cancelling.",
    ),
    TaskKind.ASK_PARTNER: (
        "Ask the partner to end {name}",
        "the partner who sold it",
        "admin",
        (_PRODUCTS, "Find the partner of {name}.", "Ask the partner to cancel it, or to turn off its renewal."),
        "Only the seller can end it.",
    ),
    TaskKind.ASK_SUPPORT: (
        "Ask Microsoft Support to remove {name}",
        "Global Administrator",
        "admin",
        ("Open Support > New service request.", "Ask for the removal of {name} ({target}) in the tenant {tenant}."),
        "This can take weeks.",
    ),
    TaskKind.REMOVE_APPLICATION: (
        "Remove what is left of {name}",
        "Global Administrator",
        "portal",
        (
            "Open Enterprise applications.",
            "Find {name} ({target}).",
            "Delete it, or set Enabled for users to sign in to No.",
        ),
        "Sign-in to it ends.",
    ),
    TaskKind.DELETE_TENANT: (
        "Delete the tenant {name}",
        "the keeper, a Global Administrator",
        "portal",
        (
            "Sign in as {keeper}.",
            "Open Properties: set Access management for Azure resources to Yes, save, sign out and in again.",
            "Open Overview > Manage tenants and tick {name}.",
            "Compare the tenant id: it must read {tenant}.",
            "Choose Delete, clear what the checks name, then choose Delete again.",
        ),
        "This is final. Don't switch directories while the checks run: they would check the other tenant.",
    ),
}


def manual_task(
    kind: str, target: str, name: str, *, row: Mapping[str, Any], portals: Mapping[str, str], instance: str, why: str
) -> dict[str, Any]:
    """A manual task's document; `instance` is the durable instance that waits for it, `portals` the cloud's URLs."""
    title, who, portal, steps, warning = _TEXTS[kind]
    words = {"name": name, "target": target, "tenant": row["tenantId"], "keeper": row["keeper"]}
    return {
        "taskId": f"{kind}-{target}".lower(),
        "kind": str(kind),
        "target": target,
        "name": name,
        "title": title.format(**words),
        "who": who,
        "why": why,
        "link": portals[portal],
        "steps": [step.format(**words) for step in steps],
        "warning": warning,
        "instance": instance,
    }
