"""How often one caller may knock: by who they are if that is proven, otherwise by address. More is refused with 429.

Counted in the memory of each instance, so n instances together let n times as many through. Callers fall into a fixed
number of boxes by a keyed hash: made-up callers take no memory, and nobody can choose whose box they share.

The address is the last one in `X-Forwarded-For`: App Service's front end adds it. Whatever stands before it is the
client's own word. Where a proxy of yours stands in front, that proxy is everybody's address.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import math
import secrets
import time
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from tenantclosure.errors import RequestRefused
from web.problems import refuse

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.strategies import FixedWindowRateLimiter

log = logging.getLogger(__name__)


class Caller(StrEnum):
    """Who is counted together."""

    KNOWN = "known"
    """One person or application that has proven who it is."""
    UNKNOWN = "unknown"
    """One address, at a door that asks who is there: links, callbacks, refused sign-ins."""
    OPEN = "open"
    """One address, at what is nobody's secret: the pages' files and the API description."""


A_MINUTE = {Caller.KNOWN: 3000, Caller.UNKNOWN: 300, Caller.OPEN: 600}
"""Requests. A browser looks for news twelve times a minute and page; a script that reads a large plan asks more. A mail
scanner that fetches the links of all approvers several times comes from one address.
"""
BOXES = 1 << 14
NETWORK = 64
"""Bits of an IPv6 address that count: whoever has one address has its whole network."""
NOWHERE = "nowhere"
"""The address of requests that came with none."""
STATUS = 429
_SECRET = secrets.token_bytes(32)


def count(caller: Caller, who: str) -> None:
    """Count one request of `who`. Raises RequestRefused (429) above the limit."""
    counter, limit = _counter(), _limit(A_MINUTE[caller])
    box = (str(caller), _box(who))
    if counter.hit(limit, *box):
        return
    if counter.hit(_limit(1), "told", str(caller)):
        log.warning("too many requests of one caller (%s); said at most once a minute", caller)
    wait = max(1, math.ceil(counter.get_window_stats(limit, *box).reset_time - time.time()))
    raise refuse(
        STATUS, "too-many-requests", "Too many requests in a minute.", f"Try again in {wait} seconds.", retryAfter=wait
    )


def refused_for_pace(error: RequestRefused) -> bool:
    """Whether it is this file's refusal; of those no record is kept."""
    return error.status == STATUS


def address_of(headers: Mapping[str, str]) -> str:
    """Where a request came from, as the platform saw it; of an IPv6 address its network."""
    last = headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    if last.startswith("["):
        last = last[1:].partition("]")[0]
    elif last.count(":") == 1:  # App Service appends the port
        last = last.partition(":")[0]
    try:
        address = ipaddress.ip_address(last.partition("%")[0])
    except ValueError:
        return NOWHERE
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, NETWORK), strict=False))
        address = address.ipv4_mapped
    return str(address)


def forget() -> None:
    """Forget who was counted (tests)."""
    _counter.cache_clear()


@cache
def _counter() -> FixedWindowRateLimiter:
    # Imported when the first request comes: a cold start for an activity needs none of it.
    from limits.storage import MemoryStorage
    from limits.strategies import FixedWindowRateLimiter

    return FixedWindowRateLimiter(MemoryStorage())


@cache
def _limit(amount: int) -> RateLimitItem:
    from limits import RateLimitItemPerMinute

    return RateLimitItemPerMinute(amount)


def _box(who: str) -> str:
    hashed = hashlib.blake2b(who.encode("utf-8", "surrogatepass"), key=_SECRET, digest_size=8).digest()
    return str(int.from_bytes(hashed) % BOXES)
