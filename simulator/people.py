"""Says who is who in the hosting tenant: hands out people's and apps' tokens, and takes people away."""

from __future__ import annotations

from typing import Any

from simulator.entities import User
from simulator.world import World

CHANGES = {"upn", "enabled", "deleted"}


def issue_token(
    world: World, tenant_id: str, seconds: float, app_id: str | None = None, roles: Any = None, audience: str = ""
) -> str:
    """Issue an app's token as the sign-in would, even when the app is missing there by now."""
    tenant = world.tenants.get(tenant_id.lower())
    if tenant is None:
        raise ValueError(f"no tenant {tenant_id} here")
    wanted = (app_id or world.client_id).lower()
    family = tenant.directory.service_principals
    everywhere = [*family.live.values(), *family.bin.values()]
    sp = tenant.directory.sp_by_app_id(wanted) or next((s for s in everywhere if s.appId == wanted), None)
    if sp is None:
        raise ValueError(f"app {wanted} was never in tenant {tenant_id}")
    return world.tokens.app_token(world, tenant, sp, audience or world.urls.http, seconds, roles)


def app_token(world: World, sent: Any) -> dict[str, Any]:
    """``POST /_sim/token``."""
    seconds = float(sent.get("expiresIn", world.settings.token_seconds))
    more = sent.get("appId"), sent.get("roles"), sent.get("audience", "")
    return {"token": issue_token(world, sent["tenantId"], seconds, *more)}


def user_token(world: World, sent: Any) -> dict[str, Any]:
    """``POST /_sim/user-token``: a person of the hosting tenant signs in to our app, or to the one asked for."""
    user = world.home.directory.find_user(str(sent["upn"]))
    if user is None or not user.accountEnabled:
        raise ValueError(f"{sent['upn']} can't sign in: there is no such enabled account in the hosting tenant")
    seconds = float(sent.get("expiresIn", world.settings.token_seconds))
    app_id = str(sent.get("appId") or world.client_id)
    audience, roles = str(sent.get("audience") or world.client_id), sent.get("roles", [])
    return {"token": world.tokens.user_token(world, world.home, user, audience, seconds, roles, app_id)}


def change(world: World, sent: Any) -> dict[str, Any]:
    """``POST /_sim/people``: disable or delete somebody of the hosting tenant, or take that back."""
    if set(sent) - CHANGES:
        raise ValueError(f"a change has the keys {sorted(CHANGES)}")
    if not all(isinstance(sent.get(name, True), bool) for name in ("enabled", "deleted")):
        raise ValueError("'enabled' and 'deleted' are true or false")
    directory, upn = world.home.directory, str(sent["upn"])
    user, binned = directory.find_user(upn), _in_bin(world, upn)
    if user is None and binned is None:
        raise ValueError(f"{upn} was never in the hosting tenant")
    if sent.get("deleted") is True and user is not None:
        directory.delete_user(user)
    elif sent.get("deleted") is False and binned is not None and user is None:
        directory.restore(directory.users, binned)
    person = user or binned
    assert person is not None
    person.accountEnabled = sent.get("enabled", person.accountEnabled)
    deleted = person.id in directory.users.bin
    return {"upn": upn, "objectId": person.id, "enabled": person.accountEnabled, "deleted": deleted}


def _in_bin(world: World, upn: str) -> User | None:
    """Whoever bore this name when they were deleted; the bin puts the object id in front of it."""
    for user in world.home.directory.users.bin.values():
        if user.userPrincipalName.removeprefix(user.id.replace("-", "")).lower() == upn.lower():
            return user
    return None
