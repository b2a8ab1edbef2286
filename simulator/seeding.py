"""Builds a world from its options: three tenants, the same for the same seed, GUIDs included."""

from __future__ import annotations

import random
import uuid
from datetime import timedelta

from simulator.clock import Clock, iso
from simulator.directory import Directory, guid
from simulator.entities import Application, Domain, ServicePrincipal, User
from simulator.external import PROFILES as EXTERNAL
from simulator.external import make_external
from simulator.faults import Faults
from simulator.graph.external import PERMISSIONS as EXTERNAL_PERMISSIONS
from simulator.graph.policies import AUTHORIZATION
from simulator.graph.router import GraphRouter
from simulator.graph.throttle import Throttle
from simulator.population import populate_apps, populate_inventory, populate_users
from simulator.score import Score
from simulator.tokens import TokenOffice
from simulator.world import Identity, Options, Settings, Tenant, World

PERMISSIONS = frozenset(
    {
        "Application.ReadWrite.All",
        "AuditLog.Read.All",
        "CrossTenantInformation.ReadBasic.All",
        "Device.Read.All",
        "Directory.Read.All",
        "Domain.ReadWrite.All",
        "Group.Read.All",
        "LicenseAssignment.Read.All",
        "Organization.Read.All",
        "Organization.ReadWrite.All",
        "Policy.Read.All",
        "Policy.ReadWrite.AuthenticationMethod",
        "Policy.ReadWrite.Authorization",
        "Policy.ReadWrite.ConditionalAccess",
        "Policy.ReadWrite.SecurityDefaults",
        "RoleManagement.Read.Directory",
        "User.DeleteRestore.All",
        "User.EnableDisableAccount.All",
        "User.Read.All",
        "User.ReadWrite.All",
        "User.RevokeSessions.All",
    }
)
"""What the closure app was consented to in the target (tenant-facts C5)."""

HOME_PERMISSIONS = frozenset(
    {"CrossTenantInformation.ReadBasic.All", "Mail.Send", "Organization.Read.All", "User.Read.All"}
)
PEOPLE = ("ann", "bob", "cyd", "dan", "olga")
MAILBOX = "closure"
"""The account whose mailbox the service sends from."""


def build(options: Options) -> World:
    """Build the world; ``simulator.server`` adds routes and ports."""
    rng = random.Random(options.seed)
    clock = Clock(options.day_seconds)
    settings = Settings(lag_ms=options.lag_ms, latency_ms=options.latency_ms)
    if options.profile == "hybrid":
        # App-only success is unverified (tenant-facts C2), so that the manual task is rehearsed.
        settings.sync_patch = "403"

    def tenant(domain: str, name: str, *custom: str) -> Tenant:
        own = random.Random(rng.getrandbits(64))
        tenant_id = guid(rng)
        directory = Directory(tenant_id, clock, own, lambda: settings.lag_ms / 1000)
        directory.created = clock.now() - timedelta(days=900)
        directory.authorization_policy = dict(AUTHORIZATION)
        directory.domains[domain] = Domain(domain, isInitial=True, isDefault=not custom)
        for extra in custom:
            directory.domains[extra] = Domain(extra, isDefault=True)
        return Tenant(tenant_id, domain, name, own, directory)

    client_id = guid(rng)
    seed = options.seed
    custom = () if options.profile in EXTERNAL else (f"contoso{seed}.com",)
    target = tenant(f"contoso{seed}.onmicrosoft.com", f"Contoso {seed}", *custom)
    home = tenant("fabrikam.onmicrosoft.com", "Fabrikam", "fabrikam.com")
    partner = tenant(f"tailwind{seed}.onmicrosoft.com", "Tailwind Partners", f"tailwind{seed}.com")
    world = World(
        options=options,
        clock=clock,
        rng=rng,
        tenants={t.id: t for t in (target, home, partner)},
        target=target,
        home=home,
        partner=partner,
        client_id=client_id,
        identity=Identity(client_id=guid(rng), subject=guid(rng), header=guid(rng)),
        tokens=TokenOffice(),
        graph=GraphRouter(),
        throttle=Throttle(options.quota, (client_id, target.id), options.neighbour),
        settings=settings,
        score=Score(),
        faults=Faults(dice=random.Random(f"faults {seed}")),
        batch_order=random.Random(seed),
    )
    make_external(world)
    own_app(world, target, PERMISSIONS | (EXTERNAL_PERMISSIONS if world.directory_resource else frozenset()))
    own_app(world, home, HOME_PERMISSIONS)
    own_app(world, partner, HOME_PERMISSIONS)
    world.flow_client_id = _fill_home(home, client_id)
    populate_users(world, target)
    populate_apps(world, target)
    populate_inventory(world, target)
    for number in range(2, options.tenants + 1):  # after all else: who asks for none gets the same world as ever
        sibling = tenant(f"contoso{seed}-{number}.onmicrosoft.com", f"Contoso {seed}-{number}")
        own_app(world, sibling, PERMISSIONS)
        world.tenants[sibling.id] = sibling
        world.siblings.append(sibling)
        for populate in (populate_users, populate_apps, populate_inventory):
            populate(world, sibling)
    return world


def own_app(world: World, tenant: Tenant, permissions: frozenset[str]) -> None:
    """Consent to the closure app in a tenant, and remember its service principal there."""
    sp = ServicePrincipal(
        id=guid(tenant.rng),
        appId=world.client_id,
        displayName="Tenant Closure",
        appDisplayName="Tenant Closure",
        appOwnerOrganizationId=world.home.id,
        signInAudience="AzureADMultipleOrgs",
        servicePrincipalNames=(world.client_id,),
        createdDateTime=iso(tenant.directory.created),
        permissions=permissions,
    )
    tenant.directory.load_service_principal(sp)
    tenant.directory.own_sp_id = sp.id


def _fill_home(home: Tenant, client_id: str) -> str:
    """Put approvers, the sender's mailbox and two registrations into the hosting tenant; return the flows' app id."""
    directory = home.directory
    created = iso(directory.created)
    for name in (*PEOPLE, MAILBOX):
        upn = f"{name}@fabrikam.com"
        # The same object id wherever the name is known, so that a person signs in as who the directory says they are.
        key = str(uuid.uuid5(uuid.UUID(home.id), upn))
        user = User(key, upn, name.capitalize(), mail=upn, mailNickname=name, createdDateTime=created)
        directory.load_user(user)
    app = Application(guid(home.rng), client_id, "Tenant Closure", "AzureADMultipleOrgs", "fabrikam.com", created)
    directory.applications.load(app)
    flows = Application(guid(home.rng), guid(home.rng), "Approval flows", "AzureADMyOrg", "fabrikam.com", created)
    directory.applications.load(flows)
    principal = ServicePrincipal(guid(home.rng), flows.appId, flows.displayName, appOwnerOrganizationId=home.id)
    directory.load_service_principal(principal)
    return flows.appId
