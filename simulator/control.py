"""The control surface ``/_sim``: state, score, faults, drift, tokens and settings, apart from the imitated API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from simulator import consent, people
from simulator.faults import Rule
from simulator.population import new_person
from simulator.robot import on_loopback
from simulator.world import World

type Action = Callable[[World, Any], Any]

SETTINGS = ("lag_ms", "latency_ms", "token_seconds")
CHOICES = {
    "sync_patch": ("allow", "403", "400"),
    "purge_users": ("allow", "403"),
    "lro": ("ends", "never"),
    "cloud": ("microsoftonline.com", "microsoftonline.us", "partner.microsoftonline.cn"),
}
ADDRESSES = {"address": "http", "loginAddress": "login"}
"""Where links of ours lead, for whoever reaches us through a proxy."""
LONGEST = 30 * 86400.0


def parse_quota(text: str | None) -> tuple[int, float] | None:
    """Read ``off`` or ``CAP/WINDOW``; ValueError otherwise."""
    if text in (None, "off"):
        return None
    capacity, _, window = str(text).partition("/")
    quota = int(capacity), float(window)
    if quota[0] < 1 or quota[1] <= 0:
        raise ValueError("a quota is 'off' or CAP/WINDOW, both above zero")
    return quota


def state(world: World) -> dict[str, Any]:
    """Describe the target now, as the other side knows it."""
    tenant, directory = world.target, world.target.directory
    tenant.tick()
    families = ("users", "applications", "service_principals", "groups", "devices")
    synced = directory.synced_listing
    return {
        "tenantId": tenant.id,
        "domain": tenant.domain,
        "tenantGone": tenant.gone,
        "usersRemaining": len(directory.users.live),
        "counts": {
            f: {"live": len(getattr(directory, f).live), "deleted": len(getattr(directory, f).bin)} for f in families
        },
        "domains": sorted(directory.domains),
        "organization": {
            "onPremisesSyncEnabled": directory.sync_enabled,
            "syncedUsers": synced.count(),
            "securityDefaults": directory.security_defaults,
            "authorizationPolicy": directory.authorization_policy,
        },
        "ownServicePrincipal": directory.own_sp_id in directory.service_principals.live,
        "subscriptions": tenant.commerce.summary(),
        "settings": {
            **{n: getattr(world.settings, n) for n in (*SETTINGS, *CHOICES)},
            "quota": world.throttle.quota,
            "neighbour": world.throttle.neighbour.rate,
        },
    }


def deleted(world: World, query: Mapping[str, str]) -> dict[str, list[str]]:
    """Ids of all that was ever deleted in the target, by family and in order; who did it is not told.

    ``?skip=N`` leaves out the first N users: who asks again and again wants only what is new.
    """
    directory = world.target.directory
    return {
        "users": directory.users.deleted[max(0, int(query.get("skip", 0))) :],
        "applications": directory.applications.deleted,
        "servicePrincipals": directory.service_principals.deleted,
        "domains": directory.domains_deleted,
    }


def score(world: World) -> dict[str, Any]:
    """Sum up what the simulator saw."""
    books, users, bought = world.score, world.target.directory.users, world.target.commerce.summary()
    world.throttle.settle()
    neighbour, span = world.throttle.neighbour, books.span
    return {
        "usersTotal": users.total,
        "usersDeleted": users.total - len(users.live),
        "usersKept": len(users.live),
        "subscriptionsTotal": bought["total"],
        "subscriptionsDeleted": bought["deleted"],
        "tenantGone": world.target.gone,
        "doubleDeletes": books.double_deletes,
        "keeperTouched": books.keeper_touched,
        "protectedTouched": books.protected_touched,
        "foreignTouched": books.foreign_touched,
        "writes": books.writes,
        "deletes": books.deletes,
        "throttled": books.throttled,
        "throttledByQuota": {"alone": world.throttle.refused_alone, "inBatches": world.throttle.refused_in_batches},
        "tokensAtFirstDelete": span.tokens if span else None,
        "writesWhileDeleting": span.writes if span else 0,
        "neighbour": {
            "rate": neighbour.rate,
            "asked": neighbour.asked,
            "given": neighbour.given,
            "refused": neighbour.asked - neighbour.given,
        },
        "requests": books.requests,
        "deleteTimes": {"first": books.first_delete, "last": books.last_delete},
        "writesPerSecond": [[second, n] for second, n in books.per_second.items()],
        "writeCalls": dict(books.write_calls),
    }


def _answer(world: World, action: Action, *, body: bool) -> Any:
    """Wrap an action as a route; a ValueError or a missing key is a 400 in words."""

    async def handle(request: web.Request) -> web.Response:
        try:
            sent = await request.json() if body else request.query
            return web.json_response(action(world, sent))
        except (ValueError, KeyError, TypeError) as error:
            return web.json_response({"error": str(error) or type(error).__name__}, status=400)

    return handle


def _set_faults(world: World, sent: Any) -> dict[str, Any]:
    rules = [Rule.parse(raw) for raw in (sent if isinstance(sent, list) else [sent])]
    world.faults.rules.extend(rules)
    return {"rules": len(world.faults.rules)}


def _list_faults(world: World, _: Any) -> list[dict[str, Any]]:
    return [
        {"do": r.do, "status": r.status, "times": r.times, "hits": r.hits, "inner": r.inner} for r in world.faults.rules
    ]


def _clear_faults(world: World, _: Any) -> dict[str, Any]:
    world.faults.rules.clear()
    return {"rules": 0}


def _add_users(world: World, sent: Any) -> dict[str, Any]:
    directory = world.target.directory
    made = []
    for _ in range(int(sent["count"])):
        made.append(directory.create_user(new_person(world.target, directory.users.total)).id)
    return {"created": made}


def _settings(world: World, sent: Any) -> dict[str, Any]:
    unknown = set(sent) - {*SETTINGS, *CHOICES, *ADDRESSES, "quota", "neighbour"}
    if unknown:
        raise ValueError(f"unknown settings {sorted(unknown)}")
    for name, allowed in CHOICES.items():
        if name in sent and sent[name] not in allowed:
            raise ValueError(f"'{name}' is one of {allowed}")
    for name, port in ADDRESSES.items():
        if name in sent and not on_loopback(str(sent[name])):
            raise ValueError(f"'{name}' is an address on the loopback interface")
        if name in sent:
            setattr(world.urls, port, str(sent[name]).rstrip("/"))
    for name in (*SETTINGS, *CHOICES):
        if name in sent:
            setattr(world.settings, name, float(sent[name]) if name in SETTINGS else sent[name])
    if "quota" in sent:
        world.throttle.reset(parse_quota(sent["quota"]))
    if "neighbour" in sent:
        world.throttle.settle()
        world.throttle.neighbour.set(float(sent["neighbour"]))
    settings: dict[str, Any] = state(world)["settings"]
    return settings


def register(app: web.Application, world: World) -> None:
    """Add the routes."""
    reads: dict[str, Action] = {
        "info": lambda w, _: w.info,
        "state": lambda w, _: state(w),
        "score": lambda w, _: score(w),
        "deleted": deleted,
        "faults": _list_faults,
    }
    writes: dict[str, Action] = {
        "faults": _set_faults,
        "users": _add_users,
        "token": people.app_token,
        "user-token": people.user_token,
        "people": people.change,
        "settings": _settings,
        "consent": consent.change,
        "credential": consent.credential,
    }
    for name, action in reads.items():
        app.router.add_get(f"/_sim/{name}", _answer(world, action, body=False))
    for name, action in writes.items():
        app.router.add_post(f"/_sim/{name}", _answer(world, action, body=True))
    app.router.add_delete("/_sim/faults", _answer(world, _clear_faults, body=False))
