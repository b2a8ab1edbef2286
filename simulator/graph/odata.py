"""Speaks OData for the listings: ``$select``, ``$top``, ``$filter``, paging links and counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from simulator.entities import ODATA_TYPES
from simulator.graph.router import GraphReply
from simulator.listing import Listing
from simulator.world import GraphError

if TYPE_CHECKING:
    from simulator.graph.router import GraphCall

DEFAULT_PAGE = 100
MAX_PAGE = 999
UNSUPPORTED = ("$orderby", "$search", "$expand", "$skip")
CLAUSE = re.compile(r"(\w+) eq (true|false|null|'(?:[^']|'')*')", re.IGNORECASE)
Renderer = Callable[[Any], dict[str, Any]]
HIDDEN = {"internal", "permissions", "mfa_state", "mfa_registered"}


@cache
def properties(kind: type) -> frozenset[str]:
    """Return the properties an entity shows."""
    return frozenset(field.name for field in fields(kind)) - HIDDEN


def not_found(key: str) -> GraphError:
    """Return Graph's answer for an object that is not there (tenant-facts C6)."""
    message = f"Resource '{key}' does not exist or one of its queried reference-property objects are not present."
    return GraphError(404, "Request_ResourceNotFound", message)


def denied(message: str = "Insufficient privileges to complete the operation.") -> GraphError:
    """Return Graph's refusal (tenant-facts C6)."""
    return GraphError(403, "Authorization_RequestDenied", message)


def bad_request(message: str) -> GraphError:
    """Return Graph's answer to a request it does not accept (tenant-facts C6)."""
    return GraphError(400, "Request_BadRequest", message)


def not_imitated(what: str) -> GraphError:
    """Return the simulator's own answer for what it lacks: no guessing."""
    return GraphError(501, "NotImplemented", f"The simulator does not imitate {what}.")


def renderer(call: GraphCall, kind: type, defaults: Sequence[str], *, typed: bool = False) -> Renderer:
    """Return a function that turns an object into JSON with the wanted properties."""
    names = [n.strip() for n in call.query["$select"].split(",")] if call.query.get("$select") else list(defaults)
    lowered = {name.lower(): name for name in properties(kind)}
    chosen: list[str] = []
    for name in names:
        if name.lower() not in lowered:
            raise not_imitated(f"the property '{name}' of {ODATA_TYPES[kind]}")
        chosen.append(lowered[name.lower()])
    mark = {"@odata.type": ODATA_TYPES[kind]} if typed else {}
    if len(chosen) == 1:
        return lambda item: {**mark, chosen[0]: getattr(item, chosen[0])}
    values = attrgetter(*chosen)
    if typed:
        return lambda item: {**mark, **dict(zip(chosen, values(item), strict=True))}
    return lambda item: dict(zip(chosen, values(item), strict=True))


def page_size(call: GraphCall) -> int:
    """Read ``$top``: 1 to 999, 100 when absent (tenant-facts C1)."""
    raw = call.query.get("$top")
    if raw is None:
        return DEFAULT_PAGE
    if not raw.isdigit() or not 1 <= int(raw) <= MAX_PAGE:
        raise bad_request(f"Invalid page size specified: '{raw}'. Must be between 1 and {MAX_PAGE} inclusive.")
    return int(raw)


def context(call: GraphCall, name: str) -> str:
    """Return the ``@odata.context`` of an answer."""
    return f"{call.world.urls.http}/{call.version}/$metadata#{name}"


def page(call: GraphCall, listing: Listing, render: Renderer, name: str) -> GraphReply:
    """Answer one page of a listing with the link to the next."""
    token = call.query.get("$skiptoken", "0")
    if not token.isdigit():
        raise bad_request("The specified skip token is not valid.")
    items, following = listing.page(int(token), page_size(call))
    body: dict[str, Any] = {"@odata.context": context(call, name)}
    if call.query.get("$count", "").lower() == "true" and is_eventual(call):
        body["@odata.count"] = listing.count()
    if following is not None:
        body["@odata.nextLink"] = next_link(call, following)
    body["value"] = [render(item) for item in items]
    return GraphReply(200, body)


def next_link(call: GraphCall, position: int) -> str:
    """Return the absolute address of the following page."""
    query = {**call.query, "$skiptoken": str(position)}
    text = "&".join(f"{quote(k, safe='$')}={quote(v, safe=',$')}" for k, v in query.items())
    return f"{call.world.urls.http}/{call.version}{call.path}?{text}"


def is_eventual(call: GraphCall) -> bool:
    """Whether the caller accepted eventual consistency, as advanced queries demand."""
    return call.headers.get("consistencylevel", "").lower() == "eventual"


def count(call: GraphCall, number: int) -> GraphReply:
    """Answer a ``/$count`` path: plain text, only with ``ConsistencyLevel: eventual``."""
    if not is_eventual(call):
        raise bad_request("$count is not currently supported.")
    return GraphReply(200, str(number))


def clauses(call: GraphCall) -> dict[str, Any]:
    """Read ``$filter`` as ``property eq value`` joined by ``and``; anything else is not imitated."""
    for option in UNSUPPORTED:
        if option in call.query:
            raise not_imitated(f"the query option {option} on {call.path}")
    text = call.query.get("$filter", "").strip()
    found: dict[str, Any] = {}
    for part in filter(None, re.split(r"\s+and\s+", text, flags=re.IGNORECASE)):
        match = CLAUSE.fullmatch(part.strip())
        if match is None:
            raise not_imitated(f"the filter '{text}'")
        raw = match[2]
        words = {"true": True, "false": False, "null": None}
        found[match[1]] = raw[1:-1].replace("''", "'") if raw.startswith("'") else words[raw.lower()]
    return found


def scan(items: Any, wanted: dict[str, Any], kind: type) -> Listing:
    """Filter a small collection; large ones keep an index of their own instead."""
    for name in wanted:
        if name not in properties(kind):
            raise not_imitated(f"filtering {ODATA_TYPES[kind]} by '{name}'")
    result = Listing(lambda: 0.0)
    result.load_all(item for item in items if all(getattr(item, n) == v for n, v in wanted.items()))
    return result
