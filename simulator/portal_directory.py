"""What a person does in the Entra admin center: people, roles, applications, sign-up rules, the tenant itself."""

from collections.abc import Callable
from datetime import UTC
from typing import Any

from simulator.commerce.models import RefusedError
from simulator.commerce.wire import stamp
from simulator.delete_page import checks
from simulator.directory import MANAGED_IDENTITY, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR
from simulator.entities import User
from simulator.world import World

type Body = dict[str, Any]
type Action = Callable[[World, Body], Body]

FROZEN = {
    "allowedToSignUpEmailBasedSubscriptions": False,
    "allowEmailVerifiedUsersToJoinOrganization": False,
    "allowInvitesFrom": "none",
}
"""The sign-up rules that let nobody in (tenant-facts C5)."""


def turn_off_sync(world: World, body: Body) -> Body:
    """Turn directory sync off; the directory converts its users for up to three days (tenant-facts C2)."""
    directory = world.target.directory
    directory.start_sync_off()
    return {"syncEnabled": bool(directory.sync_enabled)}


def freeze_sign_ups(world: World, body: Body) -> Body:
    """External collaboration settings, and the two switches that only PowerShell has (tenant-facts C5)."""
    world.target.directory.authorization_policy.update(FROZEN)
    return dict(FROZEN)


def release_users(world: World, body: Body) -> Body:
    """Take everybody out of restricted management; it takes up to 30 minutes to have effect (tenant-facts C1)."""
    directory = world.target.directory
    restricted = [user for user in directory.users.live.values() if user.isManagementRestricted]
    due = directory.release_users(restricted)
    return {"released": [user.userPrincipalName for user in restricted], "effectiveAt": stamp(due)}


def grant_role(world: World, body: Body) -> Body:
    """Roles & admins > Privileged Authentication Administrator > our enterprise application."""
    directory = world.target.directory
    own = directory.own_sp_id
    if own is None or own not in directory.service_principals.live:
        raise RefusedError("NotFound", "Our enterprise application is not in this tenant.")
    directory.assign_role(PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, own)
    return {"objectId": own, "roles": directory.roles_of(own)}


def remove_users(world: World, body: Body) -> Body:
    """Users > tick those named in `items` > Delete; not the signed-in keeper, nor whom a rule protects."""
    directory, names = world.target.directory, body.get("items")
    if not isinstance(names, list) or not names:
        raise RefusedError("NobodyNamed", "Tick at least one user: 'items' lists them by id, name or display name.")
    found = _named(world, [str(name) for name in names])
    for user in found:
        if user is directory.keeper:
            raise RefusedError("SignedIn", "You can't delete the account you are signed in with.")
        if user.isManagementRestricted:
            raise RefusedError("ManagementRestricted", f"{user.displayName} is in a restricted administrative unit.")
        if user.onPremisesSyncEnabled:
            raise RefusedError("Synchronised", f"{user.displayName} is mastered on premises.")
    for user in found:
        directory.delete_user(user)
        world.score.user_deleted()
    return {"deleted": [user.id for user in found]}


def _named(world: World, names: list[str]) -> list[User]:
    """Living users by id, UPN, display name or `display name (UPN)`; who is not there any more is nobody to tick."""
    wanted = set(names)

    def known_as(user: User) -> set[str]:
        upn, shown = user.userPrincipalName, user.displayName
        return {user.id, upn, shown, f"{shown} ({upn})"}

    return [user for user in world.target.directory.users.live.values() if wanted & known_as(user)]


def remove_managed_identity(world: World, body: Body) -> Body:
    """Delete the Azure resource behind each managed identity; the identity goes with it."""
    directory, commerce = world.target.directory, world.target.commerce
    names = [identity.displayName for identity in directory.managed_identities()]
    for item in commerce.azure():
        item.resources[:] = [name for name in item.resources if name not in names]
    world.target.tick()
    return {"removed": names}


def remove_application(world: World, body: Body) -> Body:
    """Remove an app registration or enterprise application; Microsoft's own are refused (tenant-facts A4)."""
    directory, wanted = world.target.directory, str(body.get("objectId", ""))
    if application := directory.applications.live.get(wanted):
        directory.delete_application(application)
    elif principal := directory.service_principals.live.get(wanted):
        if principal.internal:
            raise RefusedError("MicrosoftInternal", "Specified App Principal ID is Microsoft Internal.")
        if principal.servicePrincipalType == MANAGED_IDENTITY:
            raise RefusedError("ManagedIdentity", "A managed identity goes with its Azure resource.")
        directory.delete_service_principal(principal)
    elif wanted not in directory.applications.bin and wanted not in directory.service_principals.bin:
        raise RefusedError("NotFound", f"There is no application or enterprise application '{wanted}'.")
    return {"objectId": wanted, "deleted": True}


def remove_user_flows(world: World, body: Body) -> Body:
    """External Identities: delete user flows, custom policies, policy keys and added identity providers (facts A15)."""
    leftovers = world.target.leftovers
    removed = {family: [row["id"] for row in rows] for family, rows in leftovers.items()}
    for rows in leftovers.values():
        rows.clear()
    return {"removed": removed}


def delete_tenant(world: World, body: Body) -> Body:
    """Manage tenants > Delete: every check must pass, and it must be this tenant (tenant-facts B, ISS #94323)."""
    tenant = world.target
    if body.get("tenantId") != tenant.id:
        raise RefusedError("WrongTenant", f"The page shows tenant {tenant.id}, not '{body.get('tenantId')}'.")
    if failed := [row for row in checks(tenant) if not row["passed"]]:
        actions = "; ".join(f"{row['requiredAction']} ({row['left']})" for row in failed)
        raise RefusedError("ChecksFailed", f"Required action: {actions}")
    world.delete_tenant(tenant)
    deleted = tenant.deleted_at
    return {"tenantId": tenant.id, "deletedAt": deleted.astimezone(UTC).isoformat() if deleted else None}


DIRECTORY_ACTIONS: dict[str, Action] = {
    "delete-tenant": delete_tenant,
    "freeze-sign-ups": freeze_sign_ups,
    "grant-role": grant_role,
    "release-users": release_users,
    "remove-application": remove_application,
    "remove-managed-identity": remove_managed_identity,
    "remove-user-flows": remove_user_flows,
    "remove-users": remove_users,
    "turn-off-sync": turn_off_sync,
}
