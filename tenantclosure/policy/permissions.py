"""Every right the service needs: what it is called, where it is granted and with which command, and what is missing
without it.

This table is the only place. The rail that lets a closure start, `closure preflight --tenant`, the app registration in
`infra/graph` and docs/permissions.md all say what it says. Ids of Graph's application permissions and of roles are the
same in every tenant and cloud (Microsoft's permissions reference; built-in roles of Entra and Azure).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

GRAPH_APP = "00000003-0000-0000-c000-000000000000"
"""Application id of Microsoft Graph."""
PRIVILEGED_AUTHENTICATION_ADMINISTRATOR = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"


class Kind(StrEnum):
    """What sort of right it is."""

    CREDENTIAL = "credential"
    CONSENT = "consent"
    GRAPH = "Graph application permission"
    ENTRA = "Entra role"
    AZURE = "Azure role"
    BILLING = "billing role"
    PARTNER = "Partner Center role"


class Where(StrEnum):
    """In which tenant it is granted."""

    TARGET = "target"
    HOSTING = "hosting"
    PARTNER = "partner"


class When(StrEnum):
    """Which deployment or tenant needs it at all."""

    ALWAYS = "always"
    FEDERATED = "CLOSURE_CREDENTIAL=federated"
    CERTIFICATE = "CLOSURE_CREDENTIAL=certificate"
    MAIL = "mail through Graph"
    PARTNER = "CLOSURE_PARTNER_TENANT_ID"
    BILLING = "CLOSURE_BILLING_ACCOUNTS"
    EXTERNAL = "an External ID or B2C tenant"
    VAULT = "CLOSURE_SEAL_VAULT"
    STORAGE = "CLOSURE_STORAGE__accountName"
    SCHEDULER = "CLOSURE_BACKEND=durable-task-scheduler"
    MONITORED = "Application Insights"


@dataclass(frozen=True, slots=True)
class Need:
    """One right. `grant` is a command whose {words} the caller fills in (`command`)."""

    key: str
    kind: Kind
    name: str
    where: Where
    purpose: str
    without: str
    grant: str
    id: str = ""
    required: bool = False
    """Without it no closure starts; otherwise the rest goes on and `without` says what people do instead."""
    when: When = When.ALWAYS
    instead: tuple[str, ...] = ()
    """Higher permissions that do as well."""


CONSENT = "{login}/{tenant}/adminconsent?client_id={client}"
"""Address where an administrator of a tenant agrees to what the app registration asks for."""
FEDERATE = (
    "az ad app federated-credential create --id {client} --parameters "
    '\'{{"name": "managed-identity", "issuer": "{issuer}", "subject": "{subject}", "audiences": ["{audience}"]}}\''
)
CERTIFY = "az ad app credential reset --id {client} --append --cert @certificate.pem"
ASSIGN = (
    'Connect-MgGraph -Environment {environment} -TenantId {tenant} -Scopes "AppRoleAssignment.ReadWrite.All", '
    '"Application.Read.All"; $us = Get-MgServicePrincipal -Filter "appId eq \'{client}\'"; '
    f"$graph = Get-MgServicePrincipal -Filter \"appId eq '{GRAPH_APP}'\"; "
    "New-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $us.Id -PrincipalId $us.Id -ResourceId $graph.Id "
    "-AppRoleId {id}"
)
"""Grants one permission in one tenant alone; the consent of other tenants is left as it is."""
ENTRA_ROLE = (
    'Connect-MgGraph -Environment {environment} -TenantId {tenant} -Scopes "RoleManagement.ReadWrite.Directory", '
    '"Application.Read.All"; $us = Get-MgServicePrincipal -Filter "appId eq \'{client}\'"; '
    "New-MgRoleManagementDirectoryRoleAssignment -PrincipalId $us.Id -RoleDefinitionId {id} -DirectoryScopeId /"
)
OWN_AZURE = (
    'az rest --method POST --url "{arm}/providers/Microsoft.Authorization/elevateAccess?api-version=2016-07-01"; '
    "az role assignment create --assignee-object-id {principal} --assignee-principal-type ServicePrincipal "
    "--role Owner --scope /subscriptions/{subscription}"
)
"""The first half gives a Global Administrator User Access Administrator over all Azure subscriptions of the tenant."""
HOST_ROLE = (
    "az role assignment create --assignee-object-id {identity} --assignee-principal-type ServicePrincipal "
    "--role {id} --scope {resource}"
)


def _target(name: str, id_: str, purpose: str, without: str, *instead: str, required: bool = True) -> Need:
    return Need(
        f"target.{name}", Kind.GRAPH, name, Where.TARGET, purpose, without, ASSIGN, id_, required, instead=instead
    )


def _external(name: str, id_: str, purpose: str) -> Need:
    without = "The check is unknown, and Azure's refusal names what is left."
    return Need(f"target.{name}", Kind.GRAPH, name, Where.TARGET, purpose, without, ASSIGN, id_, when=When.EXTERNAL)


def _host(key: str, name: str, id_: str, purpose: str, when: When = When.ALWAYS, *, required: bool = True) -> Need:
    without = "Nothing starts." if required else "No telemetry arrives."
    return Need(key, Kind.AZURE, name, Where.HOSTING, purpose, without, HOST_ROLE, id_, required, when)


STOPS = "No closure starts."
NEEDS: tuple[Need, ...] = (
    Need(
        "credential.federated",
        Kind.CREDENTIAL,
        "Federated credential of the app registration",
        Where.HOSTING,
        "The managed identity of the host signs in as our application, without a secret.",
        STOPS,
        FEDERATE,
        required=True,
        when=When.FEDERATED,
    ),
    Need(
        "credential.certificate",
        Kind.CREDENTIAL,
        "Certificate of the app registration",
        Where.HOSTING,
        "The certificate signs in as our application.",
        STOPS,
        CERTIFY,
        required=True,
        when=When.CERTIFICATE,
    ),
    Need(
        "target.consent",
        Kind.CONSENT,
        "Admin consent",
        Where.TARGET,
        "Our application has a service principal in the tenant and may sign in there.",
        STOPS,
        CONSENT,
        required=True,
    ),
    _target(
        "Application.ReadWrite.All",
        "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9",
        "survey, applications, delete-tenant: lists, deletes, disables and restores applications and their service "
        "principals, our own as the last call",
        STOPS,
    ),
    _target("Device.Read.All", "7438b122-aefc-4978-80ed-43db9fcc7715", "survey: lists devices", STOPS),
    _target(
        "Domain.ReadWrite.All",
        "7e05723c-0bb0-42da-be95-ae9f08a6e53c",
        "survey, delete-users: lists domains and removes the custom ones",
        STOPS,
    ),
    _target("Group.Read.All", "5b567255-7703-4780-807c-7be8301ae99b", "survey: lists groups", STOPS),
    _target(
        "Organization.Read.All",
        "498476ce-e0fe-48b0-b801-37ba7e2685c6",
        "preflight and before every wave: whose tenant it is; survey, readiness: subscriptions and licences",
        STOPS,
    ),
    _target(
        "Policy.Read.All",
        "246dd0d5-5bd0-4def-940b-0421030a5b68",
        "survey: Conditional Access; mfa-off: per-user MFA and security defaults; readiness: custom policies of an "
        "external tenant",
        STOPS,
    ),
    _target(
        "Policy.ReadWrite.AuthenticationMethod",
        "29c18626-4985-4dcd-85c0-193eef327366",
        "mfa-off: switches per-user MFA off",
        STOPS,
    ),
    _target(
        "Policy.ReadWrite.Authorization",
        "fb221be6-99f2-473f-bd32-01c6a0e9ca3b",
        "freeze: no new sign-ups and guests, and back when a closure ends otherwise",
        STOPS,
    ),
    _target(
        "RoleManagement.Read.Directory",
        "483bed4a-2ad3-4361-a73b-c83ccdbdc53c",
        "before every wave: the keeper is a Global Administrator; survey: who holds admin roles",
        STOPS,
    ),
    _target(
        "User.DeleteRestore.All",
        "eccc023d-eccf-4e7b-9683-8813ab36cecc",
        "delete-users, rollback: deletes and restores users",
        STOPS,
        "User.ReadWrite.All",
    ),
    _target(
        "User.Read.All",
        "df021288-bdef-4463-88db-98f22de89214",
        "survey and before every wave: lists users, finds keeper and kept users, proves that the deleted are gone",
        STOPS,
    ),
    _target(
        "Organization.ReadWrite.All",
        "292d869f-3427-49a8-9dab-8c70152b74e9",
        "sync-off: turns directory synchronisation off",
        "A manual task asks people to turn synchronisation off.",
        required=False,
    ),
    _target(
        "User.EnableDisableAccount.All",
        "3011c876-62b7-4ada-afa2-506cbbecc68c",
        "quiet-period: blocks sign-in; rollback: allows it again",
        "In the quiet period users still sign in; the report counts them as refused.",
        "User.ReadWrite.All",
        required=False,
    ),
    _target(
        "User.RevokeSessions.All",
        "77f3a031-c388-4f99-b373-dc68676a979e",
        "quiet-period: ends the sessions of blocked users",
        "Sessions of blocked users end by themselves, within hours.",
        "User.ReadWrite.All",
        required=False,
    ),
    _external(
        "IdentityProvider.Read.All",
        "e321f0bb-e7f7-481e-bb28-e3b0b32d4bd0",
        "readiness: counts identity providers of an external tenant",
    ),
    _external(
        "IdentityUserFlow.Read.All",
        "1b0c317f-dd31-4305-9932-259a8b6e8099",
        "readiness: counts user flows of an external tenant",
    ),
    _external(
        "TrustFrameworkKeySet.Read.All",
        "fff194f1-7dce-4428-8301-1badb5518201",
        "readiness: counts policy keys of an external tenant",
    ),
    Need(
        "target.role",
        Kind.ENTRA,
        "Privileged Authentication Administrator",
        Where.TARGET,
        "delete-users: deletes users who hold admin roles or own role-assignable groups",
        "A manual task asks people to assign the role or to delete these users themselves.",
        ENTRA_ROLE,
        PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,
    ),
    Need(
        "target.azure",
        Kind.AZURE,
        "Owner",
        Where.TARGET,
        "cancel-subscriptions: cancels the tenant's Azure subscriptions",
        "Subscriptions that we see become manual tasks; those that we don't see block the deletion, and the portal "
        "names them.",
        OWN_AZURE,
        OWNER,
    ),
    Need(
        "target.billing",
        Kind.BILLING,
        "Billing account contributor",
        Where.TARGET,
        "cancel-subscriptions: cancels what was bought under a Microsoft Customer Agreement, or ends its renewal",
        "Manual tasks ask people to cancel it.",
        "{azure_portal} > Cost Management + Billing > {account} > Access control (IAM) > Add: role Billing account "
        "contributor, our application's service principal {principal}",
        when=When.BILLING,
    ),
    Need(
        "hosting.consent",
        Kind.CONSENT,
        "Service principal",
        Where.HOSTING,
        "Our application may sign in to the hosting tenant: approvers, mail, external directories.",
        STOPS,
        "az ad sp create --id {client}",
        required=True,
    ),
    Need(
        "hosting.User.Read.All",
        Kind.GRAPH,
        "User.Read.All",
        Where.HOSTING,
        "requests, gates: looks approvers up; User.ReadBasic.All does not show whether an account is enabled",
        STOPS,
        ASSIGN,
        "df021288-bdef-4463-88db-98f22de89214",
        required=True,
    ),
    Need(
        "hosting.Mail.Send",
        Kind.GRAPH,
        "Mail.Send",
        Where.HOSTING,
        "gates, tasks, reminders: mails people from CLOSURE_MAIL_FROM; confine it to that mailbox",
        "No mail goes out, so nobody hears of a gate by mail.",
        ASSIGN,
        "b633e1c5-b582-4048-a93e-9f11b44c7e96",
        required=True,
        when=When.MAIL,
    ),
    Need(
        "hosting.external",
        Kind.AZURE,
        "Contributor",
        Where.HOSTING,
        "delete-tenant: finds and deletes the Azure resource that the external tenant is",
        "A request that names the resource is refused.",
        "az role assignment create --assignee-object-id {principal} --assignee-principal-type ServicePrincipal "
        "--role Contributor --scope {resource}",
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        when=When.EXTERNAL,
    ),
    Need(
        "partner.consent",
        Kind.CONSENT,
        "Admin consent",
        Where.PARTNER,
        "cancel-subscriptions: our application may sign in to the partner's tenant",
        "Manual tasks ask the partner to cancel what it sold.",
        CONSENT,
        when=When.PARTNER,
    ),
    Need(
        "partner.role",
        Kind.PARTNER,
        "Admin agent",
        Where.PARTNER,
        "cancel-subscriptions: reads and cancels what the partner sold to the tenant",
        "Manual tasks ask the partner to cancel what it sold.",
        "Partner Center > Account settings > User management: register our application {client} under App management "
        "and add its service principal to the group AdminAgents of the tenant {tenant}",
        when=When.PARTNER,
    ),
    _host(
        "hosting.seal",
        "Key Vault Secrets User",
        "4633458b-17de-408a-b874-0445c86b69e6",
        "reads the key that seals Records",
        When.VAULT,
    ),
    _host(
        "hosting.records-blobs",
        "Storage Blob Data Contributor",
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        "Records: plans, evidence, audit chain",
        When.STORAGE,
    ),
    _host(
        "hosting.records-tables",
        "Storage Table Data Contributor",
        "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
        "Records: documents",
        When.STORAGE,
    ),
    _host(
        "hosting.records-queues",
        "Storage Queue Data Contributor",
        "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
        "Records: requests and notices",
        When.STORAGE,
    ),
    _host(
        "hosting.host-blobs",
        "Storage Blob Data Owner",
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        "the host's own account: package, leases, large messages of the task hub",
    ),
    _host(
        "hosting.host-tables",
        "Storage Table Data Contributor",
        "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
        "the host's own account: task hub",
    ),
    _host(
        "hosting.host-queues",
        "Storage Queue Data Contributor",
        "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
        "the host's own account: task hub",
    ),
    _host(
        "hosting.scheduler",
        "Durable Task Data Contributor",
        "0ad04412-c4d5-4796-b79c-f76d14c8d402",
        "the task hub of the Durable Task Scheduler",
        When.SCHEDULER,
    ),
    _host(
        "hosting.telemetry",
        "Monitoring Metrics Publisher",
        "3913510d-42f4-4e42-8a64-420c390055eb",
        "telemetry with Entra authentication",
        When.MONITORED,
        required=False,
    ),
)
BY_KEY: Mapping[str, Need] = {need.key: need for need in NEEDS}


def graph(where: Where, *, external: bool = False) -> tuple[Need, ...]:
    """Graph's application permissions that a tenant grants; those for external tenants only where asked for."""
    return tuple(
        need
        for need in NEEDS
        if need.kind is Kind.GRAPH and need.where is where and (external or need.when is not When.EXTERNAL)
    )


def held(need: Need, roles: frozenset[str]) -> bool:
    """Whether a token with these roles may do what the permission is for."""
    return not roles.isdisjoint({need.name, *need.instead})


def command(need: Need, **words: str) -> str:
    """The command that grants it, with what is known put in; what is not known stays as <word>."""
    known = {"id": need.id, **words}
    return need.grant.format_map(_Words((name, value) for name, value in known.items() if value))


class _Words(dict[str, str]):
    def __missing__(self, word: str) -> str:
        return f"<{word}>"
