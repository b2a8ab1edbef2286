"""Names of what operations see: events in logs, metrics, spans, their attributes, and alerts (docs/operations.md).

An event is a log record with the attribute `event`; dashboards and alert rules ask for these names and no others.
"""

from __future__ import annotations

from enum import StrEnum


class Event(StrEnum):
    """Log events; each record holds the attributes that fit."""

    CLOSURE_ENDED = "closure.ended"
    """Info: `result`. Once."""
    CLOSURE_FAILED = "closure.failed"
    """Error: a closure ended with the result `failed`. Once."""
    CLOSURE_STUCK = "closure.stuck"
    """Error: nothing moves although nobody is waited for: `reason`, `since`. Again every ten minutes."""
    CLOSURE_MOVED = "closure.moved"
    """Info: a closure that was stuck goes on."""
    RUN_RESTARTED = "run.restarted"
    """Warning: a run was gone, and another goes on from Records: `reason`, `epoch`."""
    GATE_EXPIRING = "gate.expiring"
    """Warning: a gate's answer-by or an approval's execute-by is near: `gate`, `limit`, `at`, `secondsLeft`. Again
    every ten minutes.
    """
    MESSAGE_POISON = "message.poison"
    """Error: messages lie in a poison queue: `queue`, `count`. Again every ten minutes while it lasts."""
    RAIL_BROKEN = "rail.broken"
    """Error: a safety check stopped a closure: `rail`, `activity`. Once for each time."""
    SWEEP_FAILED = "sweep.failed"
    """Error: the sweep could not do its work: for one closure, or (without `closureId`) for all."""
    HOST_REFUSED = "host.refused"
    """Error: another host works on the same Records, so this one does nothing. Every minute."""
    CLOSURE_PURGED = "closure.purged"
    """Info: an ended closure's records were deleted after their time: `histories` of its runs too."""
    PURGE_REFUSED = "purge.refused"
    """Warning: storage refused to delete something of a purge, or it failed: `reason`. It is tried again."""


class Metric(StrEnum):
    """Instruments; the name is also the row's in `customMetrics`."""

    ITEMS = "closure.items"
    """Counter: items with a final outcome, by `family`, `operation`, `outcome`, `closureId`."""
    WRITES = "closure.writes"
    """Counter: writes sent to Microsoft, by `family`, `operation`, `closureId`; over time it is the write rate."""
    THROTTLED = "closure.throttled"
    """Counter: answers 429, by `closureId`."""
    ACTIVITY_SECONDS = "closure.activity.duration"
    """Histogram in seconds, by `activity` and `answer` (ok, stop, trouble, failed)."""
    LIVE = "closure.live"
    """Gauge: closures that have not ended, by `status`."""
    STUCK = "closure.stuck"
    """Gauge: 1 for each closure that is stuck, by `closureId`."""
    GATE_AGE = "closure.gate.age"
    """Gauge in seconds: how long a gate has been open, by `closureId`, `gate`."""
    GATE_LEFT = "closure.gate.left"
    """Gauge in seconds: until an open gate's answer-by or an unused approval's execute-by, by `closureId`, `gate`,
    `limit`.
    """
    SWEEP_LAG = "closure.sweep.lag"
    """Gauge in seconds: how much later than a minute after the last sweep this one began."""
    SWEEP_SECONDS = "closure.sweep.duration"
    """Histogram in seconds: how long a sweep took."""
    POISON = "closure.poison"
    """Gauge: messages in a poison queue, at most 32 are counted, by `queue`."""
    PURGED = "closure.purged"
    """Counter: closures whose records were deleted after their time."""


class Span(StrEnum):
    """Spans; a trace belongs to one closure: all of them have `closureId`."""

    CLOSURE = "closure"
    """From filing to end, written when it ends."""
    PHASE = "phase"
    """From a phase's begin to its end, written when it ends: `phase`, `serial`."""
    ACTIVITY = "activity"
    """One try of an activity: `activity`, `phase`, and `family`, `operation`, `shard` where there is one."""
    SWEEP = "sweep"
    """One round of looking after all closures; it belongs to none."""


class Attribute(StrEnum):
    """Keys of attributes of events, metrics and spans, in `customDimensions`. Ids, words and counts: never a person."""

    EVENT = "event"
    CLOSURE = "closureId"
    PHASE = "phase"
    SERIAL = "serial"
    EPOCH = "epoch"
    FAMILY = "family"
    OPERATION = "operation"
    SHARD = "shard"
    OUTCOME = "outcome"
    ACTIVITY = "activity"
    ANSWER = "answer"
    STATUS = "status"
    RESULT = "result"
    REASON = "reason"
    SINCE = "since"
    GATE = "gate"
    LIMIT = "limit"
    """`answer-by` or `execute-by`."""
    AT = "at"
    SECONDS_LEFT = "secondsLeft"
    QUEUE = "queue"
    COUNT = "count"
    RAIL = "rail"
    HISTORIES = "histories"


class Alert(StrEnum):
    """Alert rules, one for each event that needs a person (infra/alerts.json)."""

    CLOSURE_FAILED = "closure-failed"
    CLOSURE_STUCK = "closure-stuck"
    POISON_MESSAGE = "poison-message"
    GATE_EXPIRING = "gate-expiring"
    RAIL_BROKEN = "rail-broken"
    SWEEP_SILENT = "sweep-silent"
    """No sweep for fifteen minutes: `closure.sweep.duration` has no row."""
    PURGE_REFUSED = "purge-refused"


ALERTED: dict[Alert, Event | Metric] = {
    Alert.CLOSURE_FAILED: Event.CLOSURE_FAILED,
    Alert.CLOSURE_STUCK: Event.CLOSURE_STUCK,
    Alert.POISON_MESSAGE: Event.MESSAGE_POISON,
    Alert.GATE_EXPIRING: Event.GATE_EXPIRING,
    Alert.RAIL_BROKEN: Event.RAIL_BROKEN,
    Alert.SWEEP_SILENT: Metric.SWEEP_SECONDS,
    Alert.PURGE_REFUSED: Event.PURGE_REFUSED,
}
"""What each rule looks for."""
