"""Names the objects of a directory and their properties as Graph spells them.

Attributes carry Graph's own names so that ``$select`` is a plain attribute lookup; slots keep 100,000 users small.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class User:
    """A user (tenant-facts C1)."""

    id: str
    userPrincipalName: str
    displayName: str
    givenName: str | None = None
    surname: str | None = None
    mail: str | None = None
    mailNickname: str | None = None
    userType: str = "Member"
    accountEnabled: bool = True
    onPremisesSyncEnabled: bool | None = None
    onPremisesImmutableId: str | None = None
    onPremisesDomainName: str | None = None
    onPremisesSamAccountName: str | None = None
    onPremisesDistinguishedName: str | None = None
    onPremisesUserPrincipalName: str | None = None
    onPremisesLastSyncDateTime: str | None = None
    isManagementRestricted: bool | None = None
    creationType: str | None = None
    createdDateTime: str | None = None
    signInSessionsValidFromDateTime: str | None = None
    assignedLicenses: list[dict[str, Any]] = field(default_factory=list)
    usageLocation: str | None = None
    jobTitle: str | None = None
    businessPhones: tuple[str, ...] = ()
    mobilePhone: str | None = None
    officeLocation: str | None = None
    preferredLanguage: str | None = None
    externalUserState: str | None = None
    deletedDateTime: str | None = None
    mfa_state: str = "disabled"
    mfa_registered: bool = False


@dataclass(slots=True)
class Application:
    """An app registration (tenant-facts C5)."""

    id: str
    appId: str
    displayName: str
    signInAudience: str = "AzureADMyOrg"
    publisherDomain: str | None = None
    createdDateTime: str | None = None
    identifierUris: tuple[str, ...] = ()
    deletedDateTime: str | None = None


@dataclass(slots=True)
class ServicePrincipal:
    """An enterprise application (tenant-facts C5)."""

    id: str
    appId: str
    displayName: str
    servicePrincipalType: str = "Application"
    appOwnerOrganizationId: str | None = None
    accountEnabled: bool = True
    appDisplayName: str | None = None
    signInAudience: str | None = None
    createdDateTime: str | None = None
    tags: tuple[str, ...] = ()
    servicePrincipalNames: tuple[str, ...] = ()
    deletedDateTime: str | None = None
    internal: bool = False
    permissions: frozenset[str] = frozenset()


@dataclass(slots=True)
class Group:
    """A group; inventory only."""

    id: str
    displayName: str
    mail: str | None = None
    mailEnabled: bool = False
    mailNickname: str | None = None
    securityEnabled: bool = True
    isAssignableToRole: bool | None = None
    groupTypes: tuple[str, ...] = ()
    description: str | None = None
    createdDateTime: str | None = None
    onPremisesSyncEnabled: bool | None = None
    deletedDateTime: str | None = None


@dataclass(slots=True)
class Device:
    """A device; inventory only."""

    id: str
    deviceId: str
    displayName: str
    accountEnabled: bool = True
    operatingSystem: str = "Windows"
    operatingSystemVersion: str = "10.0.22631"
    trustType: str = "AzureAd"
    isManaged: bool | None = None
    deletedDateTime: str | None = None


@dataclass(slots=True)
class Domain:
    """A domain name (tenant-facts C5)."""

    id: str
    authenticationType: str = "Managed"
    isAdminManaged: bool = True
    isDefault: bool = False
    isInitial: bool = False
    isRoot: bool = True
    isVerified: bool = True
    supportedServices: tuple[str, ...] = ("Email", "OfficeCommunicationsOnline")


ODATA_TYPES: dict[type, str] = {
    User: "#microsoft.graph.user",
    Application: "#microsoft.graph.application",
    ServicePrincipal: "#microsoft.graph.servicePrincipal",
    Group: "#microsoft.graph.group",
    Device: "#microsoft.graph.device",
    Domain: "#microsoft.graph.domain",
}
