"""Changes what our app may do: permissions, roles and consent in a tenant, roles at the sellers, its credentials."""

from __future__ import annotations

from typing import Any

from simulator.entities import ServicePrincipal
from simulator.world import Tenant, World

ROLES = {f"{name}Role": name for name in ("billing", "partner", "azure", "resource")}
CHANGES = {"tenant", "add", "remove", "enabled", "withdrawn", "directoryRoles", *ROLES}
TENANTS = ("target", "home", "partner")
CREDENTIAL = {"issuer", "subject", "audience"}


def change(world: World, sent: Any) -> dict[str, Any]:
    """``POST /_sim/consent``: permissions, Entra roles, enabled or not, consent withdrawn or given again in one tenant
    (``target`` unless told otherwise); roles at the sellers.
    """
    if unknown := set(sent) - CHANGES:
        raise ValueError(f"unknown members {sorted(unknown)}")
    if not all(isinstance(sent[name], bool) for name in ("enabled", "withdrawn", *ROLES) if name in sent):
        raise ValueError("'enabled', 'withdrawn' and the sellers' roles are true or false")
    if sent.get("tenant", "target") not in TENANTS:
        raise ValueError(f"'tenant' is one of {TENANTS}")
    for name in ROLES.keys() & sent.keys():
        setattr(world.roles, ROLES[name], sent[name])
    tenant: Tenant = getattr(world, sent.get("tenant", "target"))
    sp = _own(tenant, sent.get("withdrawn"))
    sp.permissions = (sp.permissions | set(sent.get("add", ()))) - set(sent.get("remove", ()))
    directory = tenant.directory
    if "enabled" in sent:
        sp.accountEnabled = sent["enabled"]
    if "directoryRoles" in sent:
        for members in directory.roles.values():
            members.pop(sp.id, None)
        for template in sent["directoryRoles"]:
            directory.assign_role(template, sp.id)
    return {
        "permissions": sorted(sp.permissions),
        "directoryRoles": directory.roles_of(sp.id),
        "enabled": sp.accountEnabled,
        "withdrawn": sp.id not in directory.service_principals.live,
        **{name: getattr(world.roles, role) for name, role in ROLES.items()},
    }


def credential(world: World, sent: Any) -> dict[str, Any]:
    """``POST /_sim/credential``: take the federated credential away (null), let it name something else, or give it back
    ({}); take the certificate away or register it again.
    """
    if unknown := set(sent) - {"federated", "certificate"}:
        raise ValueError(f"unknown members {sorted(unknown)}")
    federated = sent.get("federated", world.identity.federated)
    if federated is not None and not (isinstance(federated, dict) and set(federated) <= CREDENTIAL):
        raise ValueError(f"'federated' is null or has the keys {sorted(CREDENTIAL)}")
    registered = sent.get("certificate", world.identity.registered)
    if not isinstance(registered, bool):
        raise ValueError("'certificate' is true or false")
    world.identity.federated, world.identity.registered = federated, registered
    return {"federated": federated, "certificate": registered}


def _own(tenant: Tenant, withdrawn: bool | None) -> ServicePrincipal:
    """Our service principal, which lives as long as the consent does."""
    directory = tenant.directory
    family, own = directory.service_principals, directory.own_sp_id or ""
    sp = family.live.get(own)
    if withdrawn is True and sp is not None:
        directory.delete_service_principal(sp)
    elif withdrawn is False and sp is None and own in family.bin:
        sp = family.bin[own]
        directory.restore(family, sp)
    sp = sp or (family.bin.get(own) if withdrawn else None)
    if sp is None:
        raise ValueError("our service principal is not in the tenant any more")
    return sp
