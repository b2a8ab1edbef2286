"""The families a survey lists: where Graph has them, which properties are asked for, which facts an Item carries.

| Family | Graph (tenant-facts) | `facts` |
|---|---|---|
| users | `/users` (C1) | upn, userType, enabled, synced, restricted (RMAU), creationType |
| applications | `/applications` (C5) | appId |
| service-principals | `/servicePrincipals` (C5) | appId, type, owner (appOwnerOrganizationId), enabled |
| subscriptions | `/directory/subscriptions` (C3) | status, commerceSubscriptionId, skuId, skuPartNumber, isTrial, |
| | | totalLicenses, nextLifecycle, created, ownerId, ownerType, ownerTenantId |
| groups | `/groups` (C5) | none |
| devices | `/devices` (C5) | none |
| domains | `/domains` (C5) | isInitial, isVerified, isDefault |
| access-policies | `/identity/conditionalAccess/policies` (C4) | state |
| licences | `/subscribedSkus` (C3) | skuPartNumber, capabilityStatus, subscriptionIds, enabled, consumed |

`name` is the displayName, otherwise UPN, SKU part number or id (a domain's id is its name). Facts are plain JSON
values: text, numbers, booleans, None where Graph gave nothing, lists of text. Times are ISO 8601 in UTC with a `Z`.
`synced` and `restricted` are True only where Graph says so. A member of another type than documented, and a missing one
that a rail needs, make the row unreadable. Ids of users, applications, service principals, groups and
devices are object ids; a subscription's is Graph's own row id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tenantclosure.model.inventory import Item
from tenantclosure.names import Family

PAGE = 999
"""Largest page of directory objects; 1000 is refused (tenant-facts C1). Domains, SKUs, subscriptions and policies come
in pages of Graph's own size."""


Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One family: how to reach it in the SDK, what to ask for, how a row becomes an Item."""

    path_in_sdk: Callable[[Any], Any]
    """The SDK's request builder."""
    select: tuple[str, ...]
    facts: Callable[[Row], Mapping[str, Any]]
    path: str
    """Below the version; used for point reads and deletes."""
    top: int | None = PAGE
    gap: float = 0.0
    """Seconds between two pages of an API that has a limit of its own."""
    needed: tuple[str, ...] = ("id",)
    """Members without which nobody can say whether the thing has to stay."""

    def item(self, row: Row) -> Item:
        """One JSON object of Graph as an Item. Raises ValueError when it can't be one: a member that is needed is
        missing, or one is not what Graph documents.
        """
        check(row, self.select, self.needed)
        facts = self.facts(row)
        name = row.get("displayName") or facts.get("upn") or facts.get("skuPartNumber") or row["id"]
        return Item(row["id"], str(name), facts)


TYPES: Mapping[str, type] = {
    **dict.fromkeys(("accountEnabled", "onPremisesSyncEnabled", "isManagementRestricted", "isTrial"), bool),
    **dict.fromkeys(("isInitial", "isVerified", "isDefault"), bool),
    **dict.fromkeys(("totalLicenses", "consumedUnits"), int),
    **dict.fromkeys(("subscriptionIds", "verifiedDomains"), list),
    "prepaidUnits": dict,
}
"""Members of Graph's objects that are no text."""


def check(row: Row, members: Iterable[str], needed: Iterable[str] = ()) -> None:
    """Raise ValueError when one of the members is not of its type (null and missing are), or a needed one says nothing.

    A row that is half understood must not pass for one that may go.
    """
    for name in members:
        value = row.get(name)
        if value is not None and type(value) is not TYPES.get(name, str):
            raise ValueError(f"{name} is of another type")
    for name in needed:
        if row.get(name) in (None, ""):
            raise ValueError(f"a row without {name}")


def iso(moment: str | None) -> str | None:
    """ISO 8601 in UTC with `Z`, at most microseconds; a time without zone is UTC, as Graph says of itself.

    Raises ValueError.
    """
    if moment is None:
        return None
    read = datetime.fromisoformat(moment)
    aware = read if read.tzinfo else read.replace(tzinfo=UTC)
    try:
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        raise ValueError("a time before or after all times") from None


def _user(row: Row) -> Mapping[str, Any]:
    return {
        "upn": row.get("userPrincipalName"),
        "userType": row.get("userType"),
        "enabled": row.get("accountEnabled"),
        "synced": row.get("onPremisesSyncEnabled") is True,
        "restricted": row.get("isManagementRestricted") is True,
        "creationType": row.get("creationType"),
    }


def _service_principal(row: Row) -> Mapping[str, Any]:
    return {
        "appId": row.get("appId"),
        "type": row.get("servicePrincipalType"),
        "owner": row.get("appOwnerOrganizationId"),
        "enabled": row.get("accountEnabled"),
    }


def _subscription(row: Row) -> Mapping[str, Any]:
    same = (
        "status",
        "commerceSubscriptionId",
        "skuId",
        "skuPartNumber",
        "isTrial",
        "totalLicenses",
        "ownerId",
        "ownerType",
        "ownerTenantId",
    )
    times = {"nextLifecycle": iso(row.get("nextLifecycleDateTime")), "created": iso(row.get("createdDateTime"))}
    return {name: row.get(name) for name in same} | times


def _licence(row: Row) -> Mapping[str, Any]:
    subscriptions, enabled = row.get("subscriptionIds") or [], (row.get("prepaidUnits") or {}).get("enabled")
    if not all(isinstance(one, str) for one in subscriptions) or not isinstance(enabled, int | None):
        raise ValueError("subscriptionIds or prepaidUnits hold something else")
    return {
        "skuPartNumber": row.get("skuPartNumber"),
        "capabilityStatus": row.get("capabilityStatus"),
        "subscriptionIds": list(subscriptions),
        "enabled": enabled,
        "consumed": row.get("consumedUnits"),
    }


KINDS: Mapping[str, Kind] = {
    Family.USERS: Kind(
        lambda sdk: sdk.users,
        (
            "id",
            "userPrincipalName",
            "displayName",
            "userType",
            "accountEnabled",
            "onPremisesSyncEnabled",
            "isManagementRestricted",
            "creationType",
        ),
        _user,
        "users",
    ),
    Family.APPLICATIONS: Kind(
        lambda sdk: sdk.applications,
        ("id", "appId", "displayName"),
        lambda row: {"appId": row.get("appId")},
        "applications",
        needed=("id", "appId"),
    ),
    Family.SERVICE_PRINCIPALS: Kind(
        lambda sdk: sdk.service_principals,
        ("id", "appId", "displayName", "servicePrincipalType", "appOwnerOrganizationId", "accountEnabled"),
        _service_principal,
        "servicePrincipals",
        needed=("id", "appId"),
    ),
    Family.SUBSCRIPTIONS: Kind(
        lambda sdk: sdk.directory.subscriptions,
        (
            "id",
            "status",
            "commerceSubscriptionId",
            "skuId",
            "skuPartNumber",
            "isTrial",
            "totalLicenses",
            "nextLifecycleDateTime",
            "createdDateTime",
            "ownerId",
            "ownerType",
            "ownerTenantId",
        ),
        _subscription,
        "directory/subscriptions",
        top=None,
    ),
    Family.GROUPS: Kind(lambda sdk: sdk.groups, ("id", "displayName"), lambda _: {}, "groups"),
    Family.DEVICES: Kind(lambda sdk: sdk.devices, ("id", "displayName"), lambda _: {}, "devices"),
    Family.DOMAINS: Kind(
        lambda sdk: sdk.domains,
        ("id", "isInitial", "isVerified", "isDefault"),
        lambda row: {name: row.get(name) for name in ("isInitial", "isVerified", "isDefault")},
        "domains",
        top=None,
        needed=("id", "isInitial"),
    ),
    Family.ACCESS_POLICIES: Kind(
        lambda sdk: sdk.identity.conditional_access.policies,
        ("id", "displayName", "state"),
        lambda row: {"state": row.get("state")},
        "identity/conditionalAccess/policies",
        top=None,
        gap=1.0,  # one request a second and tenant, all applications together (tenant-facts D)
    ),
    Family.LICENCES: Kind(
        lambda sdk: sdk.subscribed_skus,
        ("id", "skuPartNumber", "capabilityStatus", "subscriptionIds", "prepaidUnits", "consumedUnits"),
        _licence,
        "subscribedSkus",
        top=None,
    ),
}
"""Every family of `names.Family`."""
