"""Finds the handler of a Graph path, whether the call came alone or inside a ``$batch``.

How another room adds a Graph route::

    def register(app, world):
        world.graph.add("GET", "/directory/subscriptions", list_subscriptions, roles=("Organization.Read.All",))
        world.graph.add("GET", "/directory/subscriptions/{id}", get_subscription, versions=("v1.0",))
        world.graph.add("GET", "/directory/subscriptions(commerceSubscriptionId='{id}')", by_alternate_key)

    async def get_subscription(call: GraphCall) -> GraphReply:
        row = call.tenant.commerce.find(call.params["id"])
        if row is None:
            raise GraphError(404, "Request_ResourceNotFound", "...")   # from simulator.world
        return GraphReply(200, row)

* ``{name}`` in a path takes one segment or a part of one; values arrive decoded in ``call.params``.
* ``versions`` defaults to both ``v1.0`` and ``beta``. ``roles``: the caller's token needs any one of them, otherwise
  403 ``Authorization_RequestDenied``; no roles given means no check.
* ``cost`` is the price of a read in resource units (tenant-facts D). ``limit`` names a special small quota
  (``"conditionalAccess"``, ``"reports"``).
* Token, quota, error body, ``request-id`` and score are dealt with around the handler. An unknown path answers 501.
* ``simulator.graph.odata`` has helpers for ``$select`` and paging.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from simulator.score import Exchange
    from simulator.tokens import Caller
    from simulator.world import Tenant, World

VERSIONS = ("v1.0", "beta")


@dataclass(slots=True)
class GraphCall:
    """One Graph request, alone or an item of a batch."""

    world: World
    tenant: Tenant
    caller: Caller
    version: str
    method: str
    path: str
    """Path without the version, as sent (still percent-encoded), such as ``/users/123``."""
    query: dict[str, str]
    headers: dict[str, str]
    """Lower-case names."""
    body: Any
    """The parsed JSON body or None."""
    exchange: Exchange
    """The outer request this call belongs to; the score needs it."""
    params: dict[str, str] = field(default_factory=dict)
    in_batch: bool = False


@dataclass(slots=True)
class GraphReply:
    """The answer: a dict or list is written as JSON, a str as plain text, None as no body."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[GraphCall], Awaitable[GraphReply]]


@dataclass(frozen=True, slots=True)
class Route:
    """One route as registered."""

    method: str
    pattern: str
    handler: Handler
    versions: tuple[str, ...]
    roles: frozenset[str]
    cost: int
    limit: str | None


def parse_query(raw: str) -> dict[str, str]:
    """Read a query string; Graph's option names keep their dollar sign."""
    pairs = (part.partition("=") for part in raw.split("&") if part)
    return {unquote(k): unquote(v.replace("+", " ")) for k, _, v in pairs}


class _Node:
    """A step in the tree of path segments."""

    __slots__ = ("literals", "patterns", "routes")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.patterns: list[tuple[str, re.Pattern[str], _Node]] = []
        self.routes: dict[str, Route] = {}


class GraphRouter:
    """The table of Graph routes."""

    def __init__(self) -> None:
        self._root = _Node()
        self.routes: list[Route] = []

    def add(
        self,
        method: str,
        path: str,
        handler: Handler,
        *,
        versions: tuple[str, ...] = VERSIONS,
        roles: tuple[str, ...] = (),
        cost: int = 1,
        limit: str | None = None,
    ) -> None:
        """Register a handler; see the module docstring."""
        route = Route(method, path, handler, versions, frozenset(roles), cost, limit)
        self.routes.append(route)
        node = self._root
        for segment in path.strip("/").split("/"):
            node = self._step(node, segment)
        node.routes[method] = route

    @staticmethod
    def _step(node: _Node, segment: str) -> _Node:
        if "{" not in segment:
            return node.literals.setdefault(segment.lower(), _Node())
        for text, _, child in node.patterns:
            if text == segment:
                return child
        parts = re.split(r"\{(\w+)\}", segment)
        regex = "".join(f"(?P<{p}>.+?)" if i % 2 else re.escape(p) for i, p in enumerate(parts))
        child = _Node()
        node.patterns.append((segment, re.compile(regex, re.IGNORECASE | re.DOTALL), child))
        # The more literal text a pattern has, the earlier it is tried: "(key='{id}')" before a bare "{id}".
        node.patterns.sort(key=lambda entry: -len(re.sub(r"\{\w+\}", "", entry[0])))
        return child

    def find(self, path: str) -> tuple[dict[str, Route], dict[str, str]]:
        """Return the routes by method at a raw path, and the path's parameters. Empty when there is none."""
        segments = [unquote(s) for s in path.strip("/").split("/")]
        return self._walk(self._root, segments, 0, {})

    def _walk(
        self, node: _Node, segments: list[str], at: int, params: dict[str, str]
    ) -> tuple[dict[str, Route], dict[str, str]]:
        if at == len(segments):
            return node.routes, params
        segment = segments[at]
        child = node.literals.get(segment.lower())
        if child is not None:
            found = self._walk(child, segments, at + 1, params)
            if found[0]:
                return found
        for _, regex, child in node.patterns:
            match = regex.fullmatch(segment)
            if match:
                found = self._walk(child, segments, at + 1, {**params, **match.groupdict()})
                if found[0]:
                    return found
        return {}, {}
