"""Plays ``/organization`` and the switch for directory sync (tenant-facts C2)."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from simulator.clock import iso
from simulator.graph.odata import bad_request, context, denied, not_found, not_imitated
from simulator.graph.router import GraphCall, GraphReply
from simulator.world import Tenant, World

READ = ("Organization.Read.All", "Organization.ReadWrite.All", "User.Read.All", "Directory.Read.All")


def register(app: web.Application, world: World) -> None:
    """Add the routes."""
    world.graph.add("GET", "/organization", list_organization, roles=READ)
    world.graph.add("GET", "/organization/{id}", get_organization, roles=READ)
    world.graph.add("PATCH", "/organization/{id}", patch_organization, roles=("Organization.ReadWrite.All",))


def shape(call: GraphCall) -> dict[str, Any]:
    """Return the organization as Graph shows it; sync true = on, false = was on, null = never."""
    tenant, directory = call.tenant, call.tenant.directory
    body: dict[str, Any] = {
        "id": tenant.id,
        "deletedDateTime": None,
        "displayName": tenant.display_name,
        "tenantType": tenant.tenant_type,
        "createdDateTime": iso(directory.created),
        "countryLetterCode": "DE",
        "partnerTenantType": "resellerPartnerDelegatedAdmin" if tenant is call.world.partner else None,
        "onPremisesSyncEnabled": directory.sync_enabled,
        "onPremisesLastSyncDateTime": None if directory.sync_enabled is None else iso(directory.created),
        "technicalNotificationMails": [],
        "assignedPlans": [],
        "provisionedPlans": [],
        "businessPhones": [],
        "verifiedDomains": _domains(tenant),
    }
    if call.query.get("$select"):
        names = [n.strip() for n in call.query["$select"].split(",")]
        missing = [n for n in names if n not in body]
        if missing:
            raise not_imitated(f"the property '{missing[0]}' of an organization")
        return {n: body[n] for n in names}
    return body


def _domains(tenant: Tenant) -> list[dict[str, Any]]:
    return [
        {
            "capabilities": "Email, OfficeCommunicationsOnline",
            "isDefault": d.isDefault,
            "isInitial": d.isInitial,
            "name": d.id,
            "type": "Managed",
        }
        for d in tenant.directory.domains.values()
        if d.isVerified
    ]


async def list_organization(call: GraphCall) -> GraphReply:
    """List the one organization."""
    return GraphReply(200, {"@odata.context": context(call, "organization"), "value": [shape(call)]})


def _own(call: GraphCall) -> None:
    if call.params["id"].lower() != call.tenant.id:
        raise not_found(call.params["id"])


async def get_organization(call: GraphCall) -> GraphReply:
    """Read the organization by its id."""
    _own(call)
    return GraphReply(200, {"@odata.context": context(call, "organization/$entity"), **shape(call)})


async def patch_organization(call: GraphCall) -> GraphReply:
    """Turn directory sync off; app-only success is unverified, so a setting decides how it answers."""
    _own(call)
    changes = call.body if isinstance(call.body, dict) else {}
    if set(changes) != {"onPremisesSyncEnabled"}:
        raise not_imitated(f"changing {sorted(changes)} of an organization")
    mode = call.world.settings.sync_patch
    if mode == "403":
        raise denied()
    if mode == "400":
        raise bad_request("Property 'onPremisesSyncEnabled' is read-only and cannot be set.")
    if changes["onPremisesSyncEnabled"] is not False:
        raise bad_request("Directory synchronization cannot be turned on here.")
    call.tenant.directory.start_sync_off()
    return GraphReply(204)
