"""Which kinds of tenants can be closed, and what Azure has to say of one that is a resource of another tenant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenantclosure.errors import RequestRefused
from tenantclosure.model.inventory import Organization
from tenantclosure.names import EXTERNAL_TYPES

WORKFORCE = ("", "AAD")
"""Graph leaves the type out where it does not know better."""
FIELD = "externalDirectory"


def check_kind(organization: Organization, resource: str | None) -> None:
    """The tenant is of a kind that can be closed, and the request names an Azure resource just where it is one.

    Raises RequestRefused.
    """
    if organization.partner_tenant_type:
        raise RequestRefused(
            "tenantId",
            f"The tenant is the directory of a Microsoft partner ({organization.partner_tenant_type}).",
            "Only Partner Center's support can release it; ask them.",
            kind="partner-tenant",
        )
    type_ = organization.tenant_type
    if type_ not in (*WORKFORCE, *EXTERNAL_TYPES):
        raise RequestRefused(
            "tenantId",
            f"The tenant is of the type {type_}, and nothing is known of how such a tenant is closed.",
            "Ask Microsoft Support how to close it.",
            kind="tenant-type",
        )
    if type_ in WORKFORCE:
        if resource is not None:
            raise RequestRefused(
                FIELD,
                "The tenant is a workforce tenant, which is no resource in Azure.",
                f"Remove {FIELD}, or name the external tenant that you mean.",
                kind="tenant-type",
            )
        return
    if resource is None:
        raise RequestRefused(
            FIELD,
            f"The tenant is an external one ({type_}): it is deleted as the Azure resource that it is.",
            f"Add {FIELD}: the resource id of the directory, as the Azure portal shows it under Properties.",
            kind="tenant-type",
        )
    if f"/{EXTERNAL_TYPES[type_]}directories/" not in resource.lower():
        raise RequestRefused(
            FIELD,
            f"The tenant is of the type {type_}, and this resource is of another kind.",
            f"Name the resource under {EXTERNAL_TYPES[type_]}Directories that is this tenant.",
            kind="tenant-type",
        )


def check_resource(tenant: str, found: Mapping[str, Any] | None) -> None:
    """What Azure shows under the resource id is this very tenant. Raises RequestRefused."""
    if found is None:
        raise RequestRefused(
            FIELD,
            "Azure shows no such resource, or this cloud has no such kind of directory.",
            "Copy the resource id from the Azure portal of the tenant that pays for the directory.",
            kind="external-directory-absent",
        )
    if found["tenantId"] != tenant:
        raise RequestRefused(
            FIELD,
            "The resource is another tenant than the one to be closed.",
            "Name the resource of the tenant that tenantId names.",
            status=403,
            kind="tenant-pin",
        )


def no_home() -> RequestRefused:
    """The service has no way into the tenant that holds the resource."""
    return RequestRefused(
        FIELD,
        "The service can't sign in to the hosting tenant, where the resource is.",
        "Ask the deployment's owner to set CLOSURE_HOME_TENANT_ID and how to sign in there (docs/settings.md).",
        status=403,
        kind="external-directory-access",
    )


def no_access(why: str) -> RequestRefused:
    """Azure does not let the service see the resource."""
    return RequestRefused(
        FIELD,
        f"Azure does not let the service see the resource: {why}.",
        "Give our application that right in the hosting tenant, then send the request again.",
        status=403,
        kind="external-directory-access",
    )
