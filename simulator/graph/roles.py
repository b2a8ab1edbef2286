"""Plays directory roles and their assignments (tenant-facts C1)."""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

from simulator.directory import ROLE_NAMES
from simulator.entities import ServicePrincipal, User
from simulator.graph import service_principals, users
from simulator.graph.odata import clauses, context, not_found, not_imitated, properties, renderer
from simulator.graph.router import GraphCall, GraphReply
from simulator.world import World

READ = ("RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory", "Directory.Read.All")


def register(app: web.Application, world: World) -> None:
    """Add the routes."""
    add = world.graph.add
    add("GET", "/directoryRoles", list_roles, roles=READ)
    add("GET", "/directoryRoles(roleTemplateId='{template}')", get_role, roles=READ)
    add("GET", "/directoryRoles(roleTemplateId='{template}')/members", list_members, roles=READ)
    add("GET", "/directoryRoles/{id}", get_role, roles=READ)
    add("GET", "/directoryRoles/{id}/members", list_members, roles=READ)
    add("GET", "/roleManagement/directory/roleAssignments", list_assignments, roles=READ)
    add("GET", "/roleManagement/directory/roleDefinitions", list_definitions, roles=READ)


def _role_id(call: GraphCall, template: str) -> str:
    return str(uuid.uuid5(uuid.UUID(call.tenant.id), template))


def _shape(call: GraphCall, template: str) -> dict[str, Any]:
    return {
        "id": _role_id(call, template),
        "displayName": ROLE_NAMES[template],
        "description": ROLE_NAMES[template],
        "roleTemplateId": template,
        "deletedDateTime": None,
    }


def _template(call: GraphCall) -> str:
    """Return the role a path names; 404 when it was never activated."""
    wanted = call.params.get("template", "").lower()
    wanted = wanted or call.params.get("id", "").lower().removeprefix("roletemplateid=")
    for template in call.tenant.directory.roles:
        if wanted in (template, _role_id(call, template)):
            return template
    raise not_found(wanted)


async def list_roles(call: GraphCall) -> GraphReply:
    """List the activated roles; no paging."""
    rows = [_shape(call, t) for t in call.tenant.directory.roles]
    return GraphReply(200, {"@odata.context": context(call, "directoryRoles"), "value": rows})


async def get_role(call: GraphCall) -> GraphReply:
    """Read one activated role."""
    body = _shape(call, _template(call))
    return GraphReply(200, {"@odata.context": context(call, "directoryRoles/$entity"), **body})


async def list_members(call: GraphCall) -> GraphReply:
    """List the living holders of a role, users and service principals alike; no paging."""
    directory = call.tenant.directory
    rows = []
    for principal in directory.roles[_template(call)]:
        if principal in directory.users.live:
            show = _lenient(call, User, users.DEFAULTS)
            rows.append(show(directory.users.live[principal]))
        elif principal in directory.service_principals.live:
            show = _lenient(call, ServicePrincipal, service_principals.DEFAULTS)
            rows.append(show(directory.service_principals.live[principal]))
    return GraphReply(200, {"@odata.context": context(call, "directoryObjects"), "value": rows})


def _lenient(call: GraphCall, kind: type, defaults: tuple[str, ...]) -> Any:
    """Render a member of mixed kind: a selected property the kind lacks is left out, as Graph does."""
    names = [n.strip() for n in call.query.get("$select", "").split(",") if n.strip()]
    known = [n for n in names if n in properties(kind)]
    if not names:
        return renderer(call, kind, defaults, typed=True)
    return lambda item: (
        {"@odata.type": f"#microsoft.graph.{kind.__name__[0].lower()}{kind.__name__[1:]}"}
        | {n: getattr(item, n) for n in known}
    )


async def list_assignments(call: GraphCall) -> GraphReply:
    """List active role assignments, by role or by principal."""
    wanted = clauses(call)
    if set(wanted) - {"roleDefinitionId", "principalId"}:
        raise not_imitated(f"the filter '{call.query['$filter']}' on role assignments")
    directory = call.tenant.directory
    rows = [
        {"id": assignment, "principalId": principal, "directoryScopeId": "/", "roleDefinitionId": template}
        for template, members in directory.roles.items()
        for principal, assignment in members.items()
        if principal in directory.users.live or principal in directory.service_principals.live
    ]
    rows = [r for r in rows if all(r[name] == value for name, value in wanted.items())]
    return GraphReply(200, {"@odata.context": context(call, "roleManagement/directory/roleAssignments"), "value": rows})


async def list_definitions(call: GraphCall) -> GraphReply:
    """List the roles the simulator knows; a built-in role's definition id is its template id."""
    rows = [
        {"id": template, "templateId": template, "displayName": name, "isBuiltIn": True, "isEnabled": True}
        for template, name in ROLE_NAMES.items()
    ]
    return GraphReply(200, {"@odata.context": context(call, "roleManagement/directory/roleDefinitions"), "value": rows})
