"""Holds everything the simulator knows: the tenants, who owns what, and the bookkeeping around them.

For the other rooms:

* ``tenant.commerce`` is set by ``simulator.commerce.seed(world, tenant)`` and has ``summary() -> dict`` with the
  keys ``total``, ``deleted`` and ``byStatus`` (status -> count).
* ``world.inbox`` is set by ``simulator.inbox.register``, ``world.robot`` by ``simulator.robot.register``.
* ``world.graph`` is the Graph router (``simulator.graph.router``): ``world.graph.add("GET", "/subscribedSkus", ...)``.
* ``world.directory_resource`` is the Azure resource of a target that is an external tenant, otherwise None.
* ``world.delete_tenant(tenant)`` is what the portal's Delete button does; sign-in answers AADSTS90002 from then on.
* ``tenant.directory`` has ``users``, ``applications``, ``service_principals`` (each a ``Family``: ``.live`` maps id ->
  object), ``keeper``, ``domains``, ``sync_enabled``, ``start_sync_off()``; see ``simulator.directory``.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from simulator.clock import Clock
from simulator.faults import Faults
from simulator.score import Score

if TYPE_CHECKING:
    from aiohttp import web
    from cryptography import x509

    from simulator.directory import Directory
    from simulator.graph.router import GraphRouter
    from simulator.graph.throttle import Throttle
    from simulator.tokens import Caller, TokenOffice


@dataclass(frozen=True)
class Options:
    """What the command line can choose."""

    seed: int = 7
    users: int = 50
    profile: str = "small"
    quota: tuple[int, float] | None = (3000, 150.0)
    latency_ms: float = 0
    day_seconds: float = 86400.0
    lag_ms: float = 1000.0
    neighbour: float = 0.0
    """Writes a second that another program asks for with our app."""
    tenants: int = 1
    """How many targets of this size there are."""


@dataclass
class Settings:
    """What the control surface can change while the simulator runs."""

    lag_ms: float
    latency_ms: float
    token_seconds: float = 3600.0
    sync_patch: str = "allow"
    """How app-only PATCH of onPremisesSyncEnabled answers: ``allow``, ``403`` or ``400`` (tenant-facts C2)."""
    purge_users: str = "allow"
    """How app-only purge of a deleted user answers: ``allow`` or ``403`` (tenant-facts C1 holds both)."""
    lro: str = "ends"
    """Whether ARM's long-running operations end: ``ends`` or ``never``."""
    cloud: str = "microsoftonline.com"
    """``cloud_instance_name`` of the target: in which cloud it says that it lives."""


@dataclass
class Roles:
    """Roles that our app holds outside the directory; each can be taken away."""

    billing: bool = True
    """On the billing accounts that the target's callers see."""
    partner: bool = True
    """Admin agent in the partner's tenant."""
    azure: bool = True
    """Owner of the target's Azure subscriptions."""
    resource: bool = True
    """Contributor on the external directory's Azure resource, in the hosting tenant."""


@dataclass
class Urls:
    """Where the two ports are, once they are bound."""

    http: str = ""
    login: str = ""


@dataclass
class Identity:
    """What proves our app at the sign-in: its certificate, and its managed identity (tenant-facts F)."""

    client_id: str = ""
    """Client id of the user-assigned managed identity."""
    subject: str = ""
    """Its principal id, the subject of the federated credential."""
    header: str = ""
    """The secret that App Service hands to the app as IDENTITY_HEADER."""
    federated: dict[str, str] | None = field(default_factory=dict)
    """What the app registration's federated credential says otherwise than it should; None when there is none."""
    registered: bool = True
    """Whether the certificate is registered with the app."""
    certificate: x509.Certificate | None = None


@dataclass(frozen=True)
class DirectoryResource:
    """The Azure resource that an External ID or B2C tenant is, in a subscription of the hosting tenant (facts B)."""

    subscription_id: str
    group: str
    kind: str
    """``ciam`` or ``b2c``."""
    name: str

    @property
    def id(self) -> str:
        """Its ARM id."""
        provider = f"Microsoft.AzureActiveDirectory/{self.kind}Directories"
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{self.group}/providers/{provider}/{self.name}"


@dataclass
class Tenant:
    """One directory with its commerce side."""

    id: str
    domain: str
    display_name: str
    rng: random.Random
    directory: Directory
    tenant_type: str = "AAD"
    commerce: Any = None
    leftovers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """What an external tenant must be rid of, by family; see ``simulator.external``."""
    deleted_at: datetime | None = None

    def tick(self) -> None:
        """Let time pass in the directory, and let managed identities go with their Azure resource."""
        self.directory.tick()
        for identity in self.directory.managed_identities():
            if not self.commerce.has_resource(identity.displayName):
                self.directory.delete_service_principal(identity)

    @property
    def gone(self) -> bool:
        """Whether the portal's Delete has removed this tenant."""
        return self.deleted_at is not None


class GraphError(Exception):
    """An error answer in Microsoft's shape: HTTP status, ``code``, ``message``, extra headers (tenant-facts C6)."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


@dataclass
class World:
    """All tenants and the state around them; built by ``simulator.seeding.build``."""

    options: Options
    clock: Clock
    rng: random.Random
    tenants: dict[str, Tenant]
    target: Tenant
    home: Tenant
    partner: Tenant
    client_id: str
    tokens: TokenOffice
    graph: GraphRouter
    throttle: Throttle
    settings: Settings
    siblings: list[Tenant] = field(default_factory=list)
    """Further targets, of the same size; books, portal and robot are about the first one only."""
    roles: Roles = field(default_factory=Roles)
    identity: Identity = field(default_factory=Identity)
    score: Score = field(default_factory=Score)
    faults: Faults = field(default_factory=Faults)
    urls: Urls = field(default_factory=Urls)
    flow_client_id: str = ""
    """App id of the hosting tenant's Power Automate flows."""
    directory_resource: DirectoryResource | None = None
    deletion_due: datetime | None = None
    """When ARM's deletion of that resource, and of the target with it, takes effect."""
    inbox: Any = None
    robot: Any = None
    batch_order: random.Random = field(default_factory=random.Random)
    """Its own generator, so that the order of batch answers depends on the seed and on nothing else."""
    info: dict[str, Any] = field(default_factory=dict)
    """The ready line's object, once the ports are bound."""

    def issuer(self, tenant: Tenant) -> str:
        """Return the issuer that a tenant's OpenID configuration names and its v2.0 tokens bear: our TLS address."""
        return f"{self.urls.login}/{tenant.id}/v2.0"

    def caller_for(self, request: web.BaseRequest) -> Caller:
        """Return who calls: tenant, app, roles. Raises GraphError 401 when the token is no good."""
        return self.tokens.caller(self, request.headers.get("Authorization", ""))

    def tenant_for(self, request: web.BaseRequest) -> Tenant:
        """Return the tenant the bearer token speaks for. Raises GraphError 401 when the token is no good."""
        return self.tenants[self.caller_for(request).tenant_id]

    def tenant_by_name(self, name: str) -> Tenant | None:
        """Find a living tenant by id or by any of its verified domains."""
        name = name.lower()
        tenant = self.tenants.get(name)
        if tenant is None:
            tenant = next((t for t in self.tenants.values() if t.domain == name or name in t.directory.domains), None)
        return None if tenant is None or tenant.gone else tenant

    def settle(self) -> None:
        """Let a deletion that Azure Resource Manager accepted take effect; called before every request."""
        due = self.deletion_due
        if due is not None and due <= self.clock.now() and self.settings.lro != "never" and not self.target.gone:
            self.delete_tenant(self.target)

    def delete_tenant(self, tenant: Tenant) -> None:
        """Delete a tenant as the portal's Delete button does (tenant-facts B)."""
        tenant.deleted_at = self.clock.now()
