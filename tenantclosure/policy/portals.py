"""Deep links into Microsoft's portals, for the tenant's cloud.

Only shapes that are published are built; where none is for a cloud, the link leads to the portal's start page and the
task's steps lead on from there.

- Entra views: `https://entra.microsoft.com/{tenant}/#view/{extension}/{blade}` (CIPP and Maester link so; the tenant in
  the path opens that tenant and no other). Blades: Manage tenants (DirectorySwitchBlade), roles (AllRolesBlade, in
  Microsoft's docs), users, enterprise applications and one of them by object id, external collaboration settings,
  overview. For 21Vianet they are published at entra.microsoftonline.cn without the tenant, for the US Government
  clouds at portal.azure.us.
- Microsoft 365 admin center: `/Adminportal/Home#/subscriptions` (Your products) and `#/support` in Microsoft's docs of
  the global cloud. The page of a single product is published for some ways of buying only (`webdirect/{id}`), so
  tasks lead to the list. The US Government centers and 21Vianet's own one: their start pages (Microsoft's docs).
- Azure portal: `#@{tenant}/resource/subscriptions/{id}/overview`, in all clouds.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import quote, urlsplit


class Place(StrEnum):
    """Where a task is done."""

    PRODUCTS = "products"
    SUPPORT = "support"
    AZURE_SUBSCRIPTION = "azure-subscription"
    OVERVIEW = "overview"
    MANAGE_TENANTS = "manage-tenants"
    APPLICATION = "application"
    USERS = "users"
    ROLES = "roles"
    COLLABORATION = "collaboration"


_VIEWS: Mapping[str, str] = {
    Place.OVERVIEW: "Microsoft_AAD_IAM/TenantOverview.ReactView",
    Place.MANAGE_TENANTS: "Microsoft_AAD_IAM/DirectorySwitchBlade/subtitle/",
    Place.USERS: "Microsoft_AAD_IAM/UsersManagementMenuBlade/~/AllUsers",
    Place.ROLES: "Microsoft_AAD_IAM/AllRolesBlade",
    Place.COLLABORATION: "Microsoft_AAD_IAM/AllowlistPolicyBlade",
    Place.APPLICATION: "Microsoft_AAD_IAM/StartboardApplicationsMenuBlade/~/AppAppsPreview",
}
_APPLICATION = "Microsoft_AAD_IAM/ManagedAppMenuBlade/~/Overview/objectId/"
_ADMIN: Mapping[str, str] = {
    Place.PRODUCTS: "/Adminportal/Home#/subscriptions",
    Place.SUPPORT: "/Adminportal/Home#/support",
}
_ADMIN_STARTS: Mapping[str, str] = {
    "portal.office365.us": "/adminportal/home",
    "portal.apps.mil": "/adminportal/home",
    "portal.partner.microsoftonline.cn": "/AdminPortal/Home#/homepage",
}
"""Admin centers of which only the start page is published, by host."""


def link(place: str, portals: Mapping[str, str], tenant: str, target: str = "") -> str:
    """The address of a place; `portals` are the cloud's bases {portal, admin, azure_portal} without trailing slash.

    `target` is the Azure subscription's id, or the enterprise application's object id where there is one.
    """
    if place in _ADMIN:
        admin = portals["admin"]
        return admin + _ADMIN_STARTS.get(urlsplit(admin).hostname or "", _ADMIN[place])
    if place == Place.AZURE_SUBSCRIPTION:
        return f"{portals['azure_portal']}/#@{tenant}/resource/subscriptions/{quote(target, safe='')}/overview"
    view = _VIEWS[place]
    if place == Place.APPLICATION and _guid(target):
        view = _APPLICATION + target
    host = urlsplit(portals["portal"]).hostname or ""
    if host.endswith(".us"):
        return f"{portals['azure_portal']}/#view/{view}"
    return f"{portals['portal']}/#view/{view}" if host.endswith(".cn") else f"{portals['portal']}/{tenant}/#view/{view}"


def _guid(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4 and all(char in "0123456789abcdef-" for char in text.lower())
