"""What every activity has around it: parts with their storage, stops as values, broken rails in the audit.

An activity takes one plain dict and returns one. What a later try may cure is raised; what none can is returned as
`{"stop": reason, "detail": text}`. The answer also says what was asked of storage and of Microsoft (`usage`); what a
try that was raised had asked is lost.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from tenantclosure import telemetry
from tenantclosure.errors import ListingIncomplete, RailBroken, ServiceTrouble, Throttled
from tenantclosure.model.tally import tallying
from tenantclosure.names import Phase, Rail, Status, Word
from tenantclosure.signals import Event, Metric
from tenantclosure.wiring import Parts, prepared

log = logging.getLogger(__name__)

Order = dict[str, Any]
Body = Callable[[Parts, Order], Awaitable[Order]]
Activity = Callable[[Order], Awaitable[Order]]


_WAITING: dict[str, Status] = {
    Phase.PREFLIGHT: Status.PLANNING,
    Phase.SURVEY: Status.PLANNING,
    Phase.GATE_PLAN: Status.WAITING_APPROVAL,
    Phase.GATE_DELETE: Status.WAITING_APPROVAL,
    Phase.SYNC_OFF: Status.WAITING,
    Phase.PURCHASES: Status.WAITING,
    Phase.QUIET: Status.WAITING,
    Phase.CANCEL: Status.WAITING,
    Phase.DELETE_SUBSCRIPTIONS: Status.WAITING,
    Phase.READINESS: Status.WAITING,
    Phase.DELETE_TENANT: Status.WAITING,
    Phase.GATE_ROLLBACK: Status.WAITING_APPROVAL,
}


def phase_status(phase: str, *, decided: bool = False) -> str:
    """What a closure's status shows in a phase; `decided` when the phase's gate waits for nobody any more."""
    status = _WAITING.get(phase, Status.RUNNING)
    return Status.RUNNING if decided and status == Status.WAITING_APPROVAL else status


class Halt(Exception):  # not an error: leaves an activity with a stop
    """Stop the story: `reason` is paused, revoked, window (these wait and come round again), drift, aborted, vetoed,
    expired or failed.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def activity(body: Body) -> Activity:
    """Turn `async def name(parts, order)` into the activity `name(order)`."""

    async def run(order: dict) -> dict:  # plain types only: the Functions indexer refuses dict[str, Any]
        with telemetry.concerning(**telemetry.ordered(order)):
            parts = await prepared()
            with telemetry.activity(body.__name__, order) as one, tallying() as used:
                answer = await judged(parts, order)
                one.answer = "stop" if "stop" in answer else "ok"
        return {**answer, "usage": used} if used else answer

    async def judged(parts: Parts, order: Order) -> Order:
        try:
            return await body(parts, order)
        except Halt as halt:
            return {"stop": halt.reason, "detail": halt.detail}
        except RailBroken as broken:
            if broken.rail == Rail.FENCE:
                return {"stop": "fenced", "detail": broken.detail}
            detail = {"rail": broken.rail, "detail": broken.detail, "activity": body.__name__}
            await parts.ledger.audit(order["closureId"], Word.RAIL_BROKEN, None, detail)
            said = {"rail": str(broken.rail), "activity": body.__name__}
            telemetry.event(log, logging.ERROR, Event.RAIL_BROKEN, "a safety check stopped the closure", **said)
            return {"stop": "rail", "detail": str(broken)}
        except ListingIncomplete as broken:
            await note_blocker(
                parts,
                order["closureId"],
                "listing",
                str(broken),
                "It is tried again; nothing goes on until it is whole.",
            )
            raise
        except ServiceTrouble as trouble:
            telemetry.count(Metric.THROTTLED, int(isinstance(trouble, Throttled)))
            log.warning("%s of %s met trouble and is tried again: %s", body.__name__, order["closureId"], trouble)
            raise
        except Exception:
            log.exception("%s of %s failed", body.__name__, order["closureId"])
            raise

    functools.update_wrapper(run, body, assigned=("__module__", "__name__", "__qualname__", "__doc__"), updated=())
    del run.__wrapped__  # type: ignore[attr-defined]  # the indexer must see the one-argument signature
    return run


async def note_blocker(
    parts: Parts,
    closure: str,
    what: str,
    why: str,
    remedy: str,
    items: list[str] | None = None,
    *,
    earliest: str | None = None,
) -> None:
    """Put a blocker on the closure's row, in place of an earlier one of the same name; audited when it is news, and
    not only a later `earliest`.
    """
    entry = {"what": what, "why": why, "remedy": remedy, "who": "operator", "items": items or [], "earliest": earliest}
    row = await parts.ledger.closure(closure)
    if entry in row["blockers"]:
        return
    news = {**entry, "earliest": None} not in [{**known, "earliest": None} for known in row["blockers"]]

    def edit(row: dict[str, Any]) -> None:
        row["blockers"] = [b for b in row["blockers"] if b["what"] != what] + [entry]

    if news:
        await parts.ledger.audit(closure, Word.BLOCKER_SEEN, None, {"what": what, "why": why})
    await parts.ledger.change(closure, edit)


async def clear_blocker(parts: Parts, closure: str, what: str) -> None:
    """Take a blocker off the row if it is there."""
    row = await parts.ledger.closure(closure)
    if any(b["what"] == what for b in row["blockers"]):
        await parts.ledger.change(
            closure, lambda row: row.update(blockers=[b for b in row["blockers"] if b["what"] != what])
        )
