"""The check list of Entra's "Delete tenant" page (tenant-facts A)."""

from typing import Any

from simulator.commerce.lifecycle import FINISHED, Kind
from simulator.external import FAMILIES
from simulator.world import Tenant

SIGN_UPS = (Kind.FREE, Kind.SELF_SERVICE)


def checks(tenant: Tenant) -> list[dict[str, Any]]:
    """Every row of the page: what it asks, whether it passes, what is left and the required action."""
    directory, commerce = tenant.directory, tenant.commerce
    tenant.tick()
    keeper = directory.keeper
    users = [user.userPrincipalName for user in directory.users.live.values() if user is not keeper]
    rows = [row for row in commerce.rows() if row.life.state not in FINISHED]
    # The portal asks for the subscriptions' Deprovisioned state: a merely disabled one still blocks.
    licences = [f"{row.name} ({row.status})" for row in rows if row.kind not in SIGN_UPS]
    sign_ups = [f"{row.name} ({row.status})" for row in rows if row.kind in SIGN_UPS]
    azure = [f"{item.name} ({item.state})" for item in commerce.azure() if item.life.state not in FINISHED]
    sync = ["Directory synchronization"] if directory.sync_enabled else []
    registrations = [app.displayName for app in directory.applications.live.values()]
    return [
        _check("users", "Delete all users but one Global Administrator", users),
        _check("sync", "Turn off directory synchronization", sync),
        _check("applications", "Delete all app registrations", registrations),
        _check("enterprise-applications", "Delete all enterprise applications", _blocking_principals(tenant)),
        _check("subscriptions", "Cancel and delete all license-based subscriptions", licences),
        _check("self-service", "Delete all self-service sign-up products", sign_ups),
        _check("azure", "Cancel and delete all Azure subscriptions", azure),
        *(_check(name, action, _leftovers(tenant, name)) for name, action in FAMILIES.items() if tenant.leftovers),
    ]


def left_in(tenant: Tenant) -> list[str]:
    """Why Azure Resource Manager does not delete an external tenant yet; enterprise applications go with it."""
    asked = {"users", "applications", *FAMILIES}
    return [row["requiredAction"] for row in checks(tenant) if row["check"] in asked and not row["passed"]]


def _leftovers(tenant: Tenant, family: str) -> list[str]:
    return [row["id"] for row in tenant.leftovers[family]]


def _blocking_principals(tenant: Tenant) -> list[str]:
    """Microsoft-internal and disabled ones do not block; our own does until it is deleted."""
    directory = tenant.directory
    return [
        sp.displayName
        for sp in directory.service_principals.live.values()
        if not sp.internal and (sp.accountEnabled or sp.id == directory.own_sp_id)
    ]


def _check(name: str, action: str, left: list[str]) -> dict[str, Any]:
    return {"check": name, "passed": not left, "left": len(left), "examples": left[:5], "requiredAction": action}
