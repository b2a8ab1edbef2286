"""Refused decisions go on record: with the closure when we know who tried, otherwise on the chain of the day.

A flood of them must not grow the record without end: above so many lines a minute they are only logged. No line holds a
token or anything made from one.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict, deque

from tenantclosure.names import Gate, Word
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts
from web.closures import known_row
from web.route import Trail

log = logging.getLogger(__name__)

MOST = 30
"""Lines a minute, in this process, on closures' chains together and on the days' chains together."""
SECONDS = 60.0
_written: dict[str, deque[float]] = defaultdict(deque)
_seconds = time.monotonic


async def note(parts: Parts, trail: Trail, why: str, via: str, named: JSON) -> None:
    """Record one refusal. `why` is the problem's kind, `via` the door, `named` what the request's path says.

    Never raises: the caller is answered in any case.
    """
    gate = next((str(gate) for gate in Gate if gate in (trail.gate, named.get("gate"))), "")
    detail: JSON = {"why": why, "gate": gate, "via": via}
    try:
        row = await known_row(parts, str(named.get("closureId", ""))) if trail.who and not trail.closure else None
        closure = row["closureId"] if row else trail.closure  # a made-up id must not begin a chain
        if trail.who and closure:
            chain = closure
        else:
            chain = door_chain(f"{parts.clock.now():%Y-%m-%d}")
            if named.get("closureId"):
                detail["closureId"] = str(named["closureId"])[:80]
        if not _room("closure" if chain == closure else "doors"):
            log.warning("a decision was refused (%s, %s); too many a minute to record each", why, via)
            return
        await parts.ledger.audit(chain, Word.DECISION_REFUSED, trail.who, detail)
    except Exception:  # the refusal stands all the same
        log.warning("a refused decision (%s, %s) could not be recorded", why, via, exc_info=True)


def door_chain(day: str) -> str:
    """The chain of a day (UTC, YYYY-MM-DD) on which refusals of unknown callers are kept."""
    return f"doors-{day}"


def _room(kind: str) -> bool:
    """Whether one more line may be written this minute."""
    now, written = _seconds(), _written[kind]
    while written and now - written[0] >= SECONDS:
        written.popleft()
    if len(written) >= MOST:
        return False
    written.append(now)
    return True


def forget() -> None:
    """Forget what was written (tests)."""
    _written.clear()
