"""Plays ``findTenantInformationByTenantId``: what one tenant sees of another (tenant-facts B)."""

from __future__ import annotations

from aiohttp import web

from simulator.graph.odata import context
from simulator.graph.router import GraphCall, GraphReply
from simulator.world import GraphError, World


def register(app: web.Application, world: World) -> None:
    """Add the route."""
    path = "/tenantRelationships/findTenantInformationByTenantId(tenantId='{tenantId}')"
    world.graph.add("GET", path, find_tenant, roles=("CrossTenantInformation.ReadBasic.All",))


async def find_tenant(call: GraphCall) -> GraphReply:
    """Read another tenant's public face; 404 Directory_ObjectNotFound when it is gone."""
    wanted = call.params["tenantId"].lower()
    tenant = call.world.tenants.get(wanted)
    if tenant is None or tenant.gone:
        raise GraphError(404, "Directory_ObjectNotFound", f"Unable to read the company information for '{wanted}'.")
    default = next((d.id for d in tenant.directory.domains.values() if d.isDefault), tenant.domain)
    body = {
        "@odata.context": context(call, "microsoft.graph.tenantInformation"),
        "tenantId": tenant.id,
        "federationBrandName": None,
        "displayName": tenant.display_name,
        "defaultDomainName": default,
    }
    return GraphReply(200, body)
