"""Fills the target tenant by profile: people with roles, guests and sync, applications, groups and devices."""

from __future__ import annotations

import random

from simulator.clock import iso
from simulator.directory import (
    DIRECTORY_SYNCHRONIZATION_ACCOUNTS,
    GLOBAL_ADMINISTRATOR,
    MANAGED_IDENTITY,
    PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,
    USER_ADMINISTRATOR,
    guid,
)
from simulator.entities import Application, Device, Group, ServicePrincipal, User
from simulator.world import Tenant, World

GIVEN = (
    "Ada",
    "Ben",
    "Cleo",
    "Dirk",
    "Eva",
    "Finn",
    "Gita",
    "Hugo",
    "Ida",
    "Jan",
    "Kim",
    "Lars",
    "Mia",
    "Nora",
    "Omar",
)
FAMILY = ("Adler", "Berg", "Costa", "Dietz", "Engel", "Fuchs", "Grau", "Haas", "Ito", "Jung", "Kern", "Lang", "Moser")
LICENCES = [{"disabledPlans": [], "skuId": "f245ecc8-75af-4f8e-b61f-27d8114de5f3"}]
IDENTITY = "vm-backup"
"""The hostile profile's virtual machine; its managed identity bears its name, as Azure's do."""
MICROSOFT_SERVICES = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"

INTERNAL = {
    "00000001-0000-0000-c000-000000000000": "Azure ESTS Service",
    "00000002-0000-0000-c000-000000000000": "Windows Azure Active Directory",
    "00000003-0000-0000-c000-000000000000": "Microsoft Graph",
    "00000007-0000-0000-c000-000000000000": "Dataverse",
    "00000009-0000-0000-c000-000000000000": "Power BI Service",
    "0000000a-0000-0000-c000-000000000000": "Microsoft Intune",
    "0000000c-0000-0000-c000-000000000000": "Microsoft App Access Panel",
    "00000012-0000-0000-c000-000000000000": "Microsoft Rights Management Services",
    "00000014-0000-0000-c000-000000000000": "Microsoft.Azure.SyncFabric",
    "00000002-0000-0ff1-ce00-000000000000": "Office 365 Exchange Online",
    "00000003-0000-0ff1-ce00-000000000000": "Office 365 SharePoint Online",
    "00000004-0000-0ff1-ce00-000000000000": "Skype for Business Online",
    "00000006-0000-0ff1-ce00-000000000000": "Microsoft Office 365 Portal",
    "797f4846-ba00-4fd7-ba43-dac1f8f63013": "Windows Azure Service Management API",
    "c44b4083-3bb0-49c1-b47d-974e53cbdf3c": "Azure Portal",
    "cc15fd57-2c6c-4117-a88c-83b1d56b4bbe": "Microsoft Teams Services",
}
DELETABLE = {
    "499b84ac-1321-427f-aa17-267ca6975798": "Azure DevOps",
    "7df0a125-d3be-4c96-aa54-591f83ff541c": "Microsoft Flow Service",
    "475226c6-020e-4fb2-8a90-7a972cbfc1d4": "PowerApps Service",
}
APP_COUNTS = {
    "small": 12,
    "hybrid": 12,
    "large": 4,
    "hostile": 12,
    "long": 2,
    "bare": 0,
    "external": 2,
    "external-b2c": 2,
}


def populate_users(world: World, tenant: Tenant) -> None:
    """Seed the people: the keeper first, then admins, the sync account, everybody else."""
    directory, rng, profile = tenant.directory, tenant.rng, world.options.profile
    created = iso(directory.created)
    keeper = User(guid(rng), f"last.admin@{tenant.domain}", "Last Admin", createdDateTime=created, mfa_registered=True)
    directory.keeper = directory.load_user(keeper)
    directory.assign_role(GLOBAL_ADMINISTRATOR, keeper.id)
    if directory.own_sp_id is not None:
        directory.assign_role(PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, directory.own_sp_id)
    hybrid = profile == "hybrid"
    directory.sync_enabled = True if hybrid else None
    left = world.options.users - 1
    if hybrid and left > 0:
        name = f"Sync_DC01_{rng.getrandbits(40):010x}@{tenant.domain}"
        account = User(
            guid(rng), name, "On-Premises Directory Synchronization Service Account", createdDateTime=created
        )
        directory.assign_role(DIRECTORY_SYNCHRONIZATION_ACCOUNTS, directory.load_user(account).id)
        left -= 1
    admins = ((GLOBAL_ADMINISTRATOR, "second.admin"), (GLOBAL_ADMINISTRATOR, "old.admin"), (USER_ADMINISTRATOR, "desk"))
    for template, name in admins[: max(0, left)]:
        user = User(guid(rng), f"{name}@{tenant.domain}", name.title().replace(".", " "), createdDateTime=created)
        directory.assign_role(template, directory.load_user(user).id)
        left -= 1
    domain = next((d.id for d in directory.domains.values() if not d.isInitial), tenant.domain)
    for number in range(1, left + 1):
        directory.load_user(_person(rng, number, domain, tenant.domain, created, hybrid=hybrid))
    if profile == "hostile":
        _make_hostile(tenant)
    directory.security_defaults = not hybrid
    if hybrid:
        policy = {
            "id": guid(rng),
            "displayName": "Require MFA for admins",
            "state": "enabled",
            "createdDateTime": created,
        }
        directory.conditional_access[str(policy["id"])] = policy


def new_person(tenant: Tenant, number: int) -> User:
    """Return a cloud-only member who turns up later: drift."""
    given, family = GIVEN[number % len(GIVEN)], FAMILY[number % len(FAMILY)]
    upn = f"late.{given}.{family}{number}@{tenant.domain}".lower()
    now = iso(tenant.directory.clock.now())
    return User(guid(tenant.rng), upn, f"{given} {family} {number}", given, family, createdDateTime=now)


def _person(rng: random.Random, number: int, domain: str, initial: str, created: str | None, *, hybrid: bool) -> User:
    dice = rng.random()
    given, family = GIVEN[number % len(GIVEN)], FAMILY[number * 7 % len(FAMILY)]
    nick = f"{given}.{family}{number}".lower()
    if dice < 0.05:
        return User(
            guid(rng),
            f"{nick}_adatum.com#EXT#@{initial}",
            f"{given} {family} (guest)",
            mail=f"{nick}@adatum.com",
            userType="Guest",
            creationType="Invitation",
            externalUserState="Accepted",
            createdDateTime=created,
        )
    user = User(
        guid(rng),
        f"{nick}@{domain}",
        f"{given} {family}",
        given,
        family,
        f"{nick}@{domain}",
        nick,
        accountEnabled=dice >= 0.08,
        createdDateTime=created,
        assignedLicenses=LICENCES if dice > 0.3 else [],
        mfa_registered=dice > 0.5,
        mfa_state="enforced" if dice > 0.97 else "disabled",
    )
    if hybrid and dice > 0.37:
        user.onPremisesSyncEnabled = True
        user.onPremisesDomainName = "corp.contoso.local"
        user.onPremisesSamAccountName = nick[:20]
        user.onPremisesDistinguishedName = f"CN={given} {family},OU=People,DC=corp,DC=contoso,DC=local"
        user.onPremisesUserPrincipalName = user.userPrincipalName
        user.onPremisesLastSyncDateTime = created
        user.onPremisesImmutableId = user.id[:22] + "=="
    return user


def _make_hostile(tenant: Tenant) -> None:
    """Put three people under restricted management and switch per-user MFA on for the keeper's colleagues.

    The three bear the tenant's initial domain: with the custom one in their names nobody could remove that either.
    """
    ordinary = list(tenant.directory.users.live.values())[4:]
    for user in ordinary[:3]:
        user.isManagementRestricted = True
        tenant.directory.rename_user(user, f"{user.userPrincipalName.partition('@')[0]}@{tenant.domain}")
    for user in ordinary[3::10]:
        user.mfa_state = "enforced"


def populate_apps(world: World, tenant: Tenant) -> None:
    """Seed app registrations with their service principals, Microsoft's own ones, and a managed identity."""
    directory, rng, created = tenant.directory, tenant.rng, iso(tenant.directory.created)
    for number in range(APP_COUNTS[world.options.profile]):
        audience = "AzureADMultipleOrgs" if number % 5 == 4 else "AzureADMyOrg"
        app = Application(guid(rng), guid(rng), f"Line of business {number + 1}", audience, tenant.domain, created)
        directory.applications.load(app)
        _sp(tenant, app.appId, app.displayName, tenant.id)
    for app_id, name in INTERNAL.items():
        _sp(tenant, app_id, name, MICROSOFT_SERVICES).internal = True
    for app_id, name in DELETABLE.items():
        _sp(tenant, app_id, name, MICROSOFT_SERVICES)
    if world.options.profile == "hostile":
        _sp(tenant, guid(rng), IDENTITY, None, MANAGED_IDENTITY)


def _sp(tenant: Tenant, app_id: str, name: str, owner: str | None, kind: str = "Application") -> ServicePrincipal:
    sp = ServicePrincipal(
        id=guid(tenant.rng),
        appId=app_id,
        displayName=name,
        servicePrincipalType=kind,
        appDisplayName=name,
        appOwnerOrganizationId=owner,
        createdDateTime=iso(tenant.directory.created),
        servicePrincipalNames=(app_id,),
        tags=("WindowsAzureActiveDirectoryIntegratedApp",) if owner == tenant.id else (),
    )
    return tenant.directory.load_service_principal(sp)


def populate_inventory(world: World, tenant: Tenant) -> None:
    """Seed a few groups and devices; they go with the tenant."""
    directory, rng, created = tenant.directory, tenant.rng, iso(tenant.directory.created)
    for number in range(min(200, 5 + world.options.users // 20)):
        directory.groups.load(Group(guid(rng), f"Team {number + 1}", createdDateTime=created))
    for number in range(min(500, world.options.users // 5)):
        directory.devices.load(Device(guid(rng), guid(rng), f"LAPTOP-{number + 1:04d}"))
