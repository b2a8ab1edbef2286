"""Puts things into the target that no API creates: what it buys, and what its rows then show (`/_sim`)."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from aiohttp import web

from simulator.commerce.lifecycle import Kind, State
from simulator.commerce.models import Subscription
from simulator.commerce.products import FOR_SALE, build, guid
from simulator.commerce.seeding import PAY_AS_YOU_GO, add_azure
from simulator.commerce.wire import json_object
from simulator.world import World

type Body = dict[str, Any]

NUMBERS = ("licences", "due", "window", "term")
FLAGS = ("reducible", "pays", "legacy")
APIS = ("graph", "arm", "partner")


def sell(world: World, sent: Body) -> Body:
    """A licence subscription of this kind; ValueError in words for a person."""
    _known(sent, {"kind", "state", *NUMBERS, *FLAGS})
    kind = _one_of(Kind, sent.get("kind"), "kind")
    changes: Body = {name: _number(sent, name) for name in NUMBERS if sent.get(name) is not None}
    changes |= {name: _flag(sent, name) for name in FLAGS if name in sent}
    if changes.pop("legacy", False):
        if kind is not Kind.CSP:
            raise ValueError("only what a partner sells ('csp') can be 'legacy'")
        kind = Kind.CSP_LEGACY
    if kind not in FOR_SALE:
        raise ValueError(f"'kind' is one of {sorted(FOR_SALE)}")
    if "state" in sent:
        changes["state"] = _one_of(State, sent["state"], "state")
    row = build(world, world.target, _dice(world), replace(FOR_SALE[kind], **changes), world.clock.now())
    world.target.commerce.sell(row)
    return {"subscriptionId": row.id, "commerceId": row.commerce_id}


def change(world: World, key: str, sent: Body) -> Body:
    """What only a test does to a row: another state, a word in place of its true one, other properties."""
    _known(sent, {"state", "due", "shown", *APIS})
    row = world.target.commerce.find(key)
    if not isinstance(row, Subscription):
        raise ValueError(f"there is no licence subscription '{key}'")
    if "due" in sent and "state" not in sent:
        raise ValueError("'due' goes with 'state'")
    if not isinstance(sent.get("shown", ""), str | None):
        raise ValueError("'shown' is a word, or null")
    lies = {api: sent[api] for api in APIS if api in sent}
    if not all(isinstance(properties, dict | None) for properties in lies.values()):
        raise ValueError(f"{', '.join(APIS)} are objects with properties, or null")
    if "state" in sent:
        due = _number(sent, "due") if sent.get("due") is not None else None
        commerce = world.target.commerce
        row.life.put(_one_of(State, sent["state"], "state"), commerce.settle(), commerce.days, due)
    row.shown = sent.get("shown", row.shown)
    for api, properties in lies.items():
        row.lies[api] = properties or {}
    return {"subscriptionId": row.id, "status": row.status, "shown": row.shown, "lies": row.lies}


def add_azure_subscription(world: World, sent: Body) -> Body:
    """An Azure subscription with so many resources."""
    _known(sent, {"name", "quotaId", "resources"})
    count = _number(sent, "resources") if "resources" in sent else 0
    names = [f"resource-{number}" for number in range(1, int(count) + 1)]
    now: datetime = world.clock.now()
    name, quota = str(sent.get("name", "Azure")), str(sent.get("quotaId", PAY_AS_YOU_GO))
    item = add_azure(world.target.commerce, world.target, name, quota, now, *names, id_=guid(_dice(world)))
    return {"id": item.id}


def _dice(world: World) -> random.Random:
    """A stream of its own for each thing that is added, so that the order alone decides its ids."""
    return random.Random(f"planted-{world.options.seed}-{len(world.target.commerce.everything())}")


def _known(sent: Body, members: set[str]) -> None:
    if unknown := set(sent) - members:
        raise ValueError(f"unknown members {sorted(unknown)}; known are {sorted(members)}")


def _number(sent: Body, name: str) -> float:
    value = sent[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"'{name}' is a number")
    return value


def _flag(sent: Body, name: str) -> bool:
    value = sent[name]
    if not isinstance(value, bool):
        raise ValueError(f"'{name}' is true or false")
    return value


def _one_of[T](words: Callable[[Any], T], value: Any, name: str) -> T:
    try:
        return words(value)
    except ValueError as error:
        raise ValueError(f"'{name}': {error}") from None


def register(app: web.Application, world: World) -> None:
    """Add the routes."""

    def answering(act: Callable[[web.Request, Body], Body]) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            sent = await json_object(request)
            try:
                if sent is None:
                    raise ValueError("the body must be a JSON object")
                return web.json_response(act(request, sent))
            except ValueError as error:
                return web.json_response({"error": str(error)}, status=400)

        return handle

    app.router.add_post("/_sim/subscriptions", answering(lambda _, sent: sell(world, sent)))
    app.router.add_post(
        "/_sim/subscriptions/{id}", answering(lambda request, sent: change(world, request.match_info["id"], sent))
    )
    app.router.add_post("/_sim/azure", answering(lambda _, sent: add_azure_subscription(world, sent)))
