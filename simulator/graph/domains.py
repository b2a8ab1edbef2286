"""Plays ``/domains`` (tenant-facts C5, A row 12)."""

from __future__ import annotations

from aiohttp import web

from simulator.entities import Domain, User
from simulator.graph.odata import bad_request, clauses, context, not_found, renderer, scan
from simulator.graph.router import GraphCall, GraphReply
from simulator.world import World

FIELDS = tuple(Domain.__dataclass_fields__)
READ = ("Domain.Read.All", "Domain.ReadWrite.All", "Directory.Read.All")
WRITE = ("Domain.ReadWrite.All",)
MAX_RENAMES = 1000


def register(app: web.Application, world: World) -> None:
    """Add the routes."""
    world.graph.add("GET", "/domains", list_domains, roles=READ)
    world.graph.add("GET", "/domains/{id}", get_domain, roles=READ)
    world.graph.add("DELETE", "/domains/{id}", delete_domain, roles=WRITE)
    world.graph.add("POST", "/domains/{id}/forceDelete", force_delete, roles=WRITE)


def _find(call: GraphCall) -> Domain:
    found = call.tenant.directory.domains.get(call.params["id"].lower())
    if found is None:
        raise not_found(call.params["id"])
    return found


def _removable(call: GraphCall) -> tuple[Domain, list[User]]:
    domain = _find(call)
    if domain.isInitial:
        raise bad_request("The initial domain of a company cannot be deleted.")
    suffix = "@" + domain.id
    users = call.tenant.directory.users.live.values()
    return domain, [u for u in users if u.userPrincipalName.lower().endswith(suffix)]


def _remove(call: GraphCall, domain: Domain) -> GraphReply:
    directory = call.tenant.directory
    directory.delete_domain(domain.id)
    if domain.isDefault:
        directory.domains[call.tenant.domain].isDefault = True
    return GraphReply(204)


async def list_domains(call: GraphCall) -> GraphReply:
    """List domain names; no paging."""
    found = list(scan(call.tenant.directory.domains.values(), clauses(call), Domain))
    rows = [renderer(call, Domain, FIELDS)(d) for d in found]
    return GraphReply(200, {"@odata.context": context(call, "domains"), "value": rows})


async def get_domain(call: GraphCall) -> GraphReply:
    """Read one domain name."""
    body = renderer(call, Domain, FIELDS)(_find(call))
    return GraphReply(200, {"@odata.context": context(call, "domains/$entity"), **body})


async def delete_domain(call: GraphCall) -> GraphReply:
    """Delete a domain name nobody uses any more."""
    domain, users = _removable(call)
    if users:
        raise bad_request(f"The domain has {len(users)} references. Remove them before you delete the domain.")
    return _remove(call, domain)


async def force_delete(call: GraphCall) -> GraphReply:
    """Rename the users of a domain to the initial domain, then delete it; fails above 1000 renames."""
    domain, users = _removable(call)
    if len(users) > MAX_RENAMES:
        raise bad_request(f"Force delete supports at most {MAX_RENAMES} references.")
    for user in users:
        call.tenant.directory.rename_user(user, f"{user.userPrincipalName.split('@')[0]}@{call.tenant.domain}")
    if (call.body or {}).get("disableUserAccounts"):
        for user in users:
            user.accountEnabled = False
    return _remove(call, domain)
