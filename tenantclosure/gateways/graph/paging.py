"""Walks a Graph listing to its very end, or says where it broke.

This is the one place where a gateway waits and tries again: a listing can't be resumed from outside, because a nextLink
is the server's secret and old ones expire. A throttled page (429, or 503 with Retry-After) is asked for at most `TRIES`
times, sleeping on the injected clock for as long as Graph said; a wait above `LONGEST_WAIT` breaks the listing at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from tenantclosure.errors import ListingIncomplete, ServiceTrouble, Throttled
from tenantclosure.gateways.answers import trouble
from tenantclosure.gateways.http import Reply
from tenantclosure.ports import Clock

TRIES = 3
"""Requests for one page, the first included."""
LONGEST_WAIT = 60.0
"""Seconds an activity may sleep (ports.Clock.sleep)."""
NEXT = "@odata.nextLink"

Row = dict[str, Any]


async def rows(
    client: Any,
    path: Callable[[Any], Any],
    clock: Clock,
    *,
    name: str,
    base_url: str,
    select: Iterable[str] = (),
    top: int | None = None,
    first: str | None = None,
    gap: float = 0.0,
) -> AsyncIterator[list[Row]]:
    """Every page of the SDK collection at `path` as a list of JSON objects, following `@odata.nextLink` verbatim.

    `first` replaces the builder's own address; `gap` seconds lie between two pages. A page may be shorter than `$top`,
    even empty: only a missing nextLink is the end. Raises ListingIncomplete, with what was seen so far, on any error,
    an unreadable page, a page without `value`, a nextLink that leaves our Graph and one that came before.
    """
    from tenantclosure.gateways.graph.sdk import reach, stays

    start = reach(client, path)
    seen, links, link = 0, set[str](), first
    while True:
        builder = start if link is None else start.with_url(link)
        try:
            reply = await _page(client, builder, select, top, clock)
        except ServiceTrouble as error:
            raise ListingIncomplete(name, seen, str(error)) from error
        body = reply.body if reply.ok and isinstance(reply.body, dict) else {}
        value = body.get("value")
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise ListingIncomplete(name, seen, str(trouble("a page that is none", reply)))
        yield value
        seen += len(value)
        link = body.get(NEXT)
        if link is None:
            return
        if not isinstance(link, str) or not stays(link, base_url):
            raise ListingIncomplete(name, seen, "a nextLink leads away from our Graph")
        if link in links:
            raise ListingIncomplete(name, seen, "a nextLink came twice")
        links.add(link)
        if gap:
            await clock.sleep(gap)


async def _page(client: Any, builder: Any, select: Iterable[str], top: int | None, clock: Clock) -> Reply:
    from tenantclosure.gateways.graph.sdk import ask

    for _ in range(TRIES - 1):
        try:
            return await ask(client, builder, select, top)
        except Throttled as error:
            if error.retry_after > LONGEST_WAIT:
                raise
            await clock.sleep(error.retry_after)
    return await ask(client, builder, select, top)
