"""Whether a closure is stuck: nothing moves, although it waits for nobody and for no date.

What people decide, a pause, Microsoft's lags, a look that is due at a time on record, and a closed deletion window are
reasons to wait. Everything else must leave a sign on record: a phase begun or ended, a shard's counts, a look. A sign
that is overdue is no proof yet (this host may have been away, a window may just have opened): it must stay overdue for
LIMIT while the sweep looks on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tenantclosure.names import Control, Phase, Status

LIMIT = timedelta(hours=2)
"""How long a sign must be overdue. All tries of one activity, and the wait for Microsoft to come back, take less."""
PATIENCE: dict[str, float] = {
    Phase.SURVEY: 0.25,
    Phase.SYNC_OFF: 4.0,
    Phase.PURCHASES: 1.0,
    Phase.CANCEL: 1.0,
    Phase.DELETE_SUBSCRIPTIONS: 1.0,
    Phase.READINESS: 1.0,
    Phase.DELETE_TENANT: 1.0,
}
"""Days of Microsoft's that pass in a phase without a sign when all is well: a long listing, 72 hours until directory
sync is off, looks that are a day apart at most. In the other phases each step leaves one.
"""
DATED = frozenset({Phase.SYNC_OFF, Phase.PURCHASES, Phase.DELETE_TENANT})
"""Phases that do nothing but wait for what they look at; elsewhere a date far off hides no standstill."""

UNHEARD, UNANSWERED, RESTARTS, SILENT = REASONS = ("order-unheard", "gate-unheard", "restarts", "no-progress")


@dataclass(frozen=True, slots=True)
class Standing:
    """What the sweep sees of a live closure."""

    status: str
    phase: str
    control: str
    signed: datetime
    """The newest sign of progress."""
    obeyed: bool = True
    """Whether the status shows what an operator ordered."""
    gate_answered: bool | None = None
    """Of an open gate: whether Records hold what it comes to. None: no gate is open."""
    answer_by: datetime | None = None
    dates: tuple[datetime, ...] = ()
    """When the open tasks and the subscriptions are looked at next."""
    slowed_until: datetime | None = None
    """Until when Microsoft, or the quota, takes no writes."""
    quiet_until: datetime | None = None
    window_open: bool = True
    restarted: bool = False
    """Whether runs have begun anew since the newest sign."""


def overdue(standing: Standing, now: datetime, day: timedelta) -> str:
    """Why something should have moved by now; empty when there is a reason to wait."""
    if standing.status == Status.ENDED:
        return ""
    if not standing.obeyed:
        return UNHEARD
    if standing.control == Control.PAUSE:
        return ""
    if standing.gate_answered is not None:
        late = standing.answer_by is not None and now > standing.answer_by
        return UNANSWERED if standing.gate_answered or late else ""
    if not standing.window_open:
        return ""
    due = [standing.signed + PATIENCE.get(standing.phase, 0.0) * day]
    due += standing.dates if standing.phase in DATED else ()
    due += [moment for moment in (standing.slowed_until, standing.quiet_until) if moment is not None]
    if now <= max(due):
        return ""
    return RESTARTS if standing.restarted else SILENT


@dataclass(frozen=True, slots=True)
class Watch:
    """Since when something has been overdue, without a newer sign."""

    since: datetime
    signed: datetime
    reason: str
    epoch: int


def watched(before: Watch | None, standing: Standing, now: datetime, day: timedelta, epoch: int) -> Watch | None:
    """What the sweep remembers after this look; None while nothing is overdue."""
    reason = overdue(standing, now, day)
    if not reason:
        return None
    if before is None or before.signed != standing.signed:
        return Watch(now, standing.signed, reason, epoch)
    return Watch(before.since, before.signed, reason, before.epoch)


def is_stuck(watch: Watch | None, now: datetime) -> bool:
    """Whether that has lasted for too long."""
    return watch is not None and now - watch.since >= LIMIT
