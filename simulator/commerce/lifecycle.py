"""The life cycle of every kind of subscription, as one table.

A `Life` changes in two ways only: somebody fires an event at it (a person in the portal, an API call), or its date
comes. Dates are worked out lazily whenever somebody looks: no timers, no threads, and a month may last a second.

Sources: subscription-facts 1 (agreement types), 6 (self-service), 7 (durations), 3 (Azure).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Kind(StrEnum):
    """How something was bought; it decides who may end it and how."""

    MOSA = "mosa"
    MCA = "mca"
    CSP = "csp"
    CSP_LEGACY = "csp-legacy"  # sold by a partner before the new commerce experience
    TRIAL = "trial"
    FREE = "free"
    SELF_SERVICE = "self-service"
    ENTRA_FREE = "entra-free"
    LOCKED = "locked"
    AZURE = "azure"


class State(StrEnum):
    """Where a subscription stands; `SHOWN` gives the word Graph uses for it."""

    ENABLED = "enabled"
    ENDING = "ending"  # enabled, but renewal is off
    PAUSED = "paused"  # a partner suspended it inside its term: still billed
    WARNING = "warning"
    SUSPENDED = "suspended"
    DELETING = "deleting"  # a person pressed Delete; the three days run
    LOCKED_OUT = "locked-out"
    DELETED = "deleted"
    GONE = "gone"


class Event(StrEnum):
    """What can happen to a subscription. DATE is the calendar; all others are somebody's act."""

    DATE = "date"
    CANCEL = "cancel"
    DELETE = "delete"
    RENEWAL_OFF = "renewal-off"
    RENEWAL_ON = "renewal-on"
    PAUSE = "pause"
    ACTIVATE = "activate"
    TAKE_CONTROL = "take-control"
    SUPPORT = "support"


TERM = "term"  # the next date is one term later
KEEP = "keep"  # the date that was set stays
NEVER = None  # no date: nothing happens by itself
LINGER_DAYS = 2.0  # how long a Deleted row stays visible before it vanishes; not documented, see the coverage table

type Wait = float | str | None
type Table = dict[tuple[State, Event], tuple[State, Wait]]

_DELETED: tuple[State, Wait] = (State.DELETED, LINGER_DAYS)
_RENEWING: Table = {
    (State.ENABLED, Event.DATE): (State.ENABLED, TERM),
    (State.ENABLED, Event.RENEWAL_OFF): (State.ENDING, KEEP),
    (State.ENDING, Event.RENEWAL_OFF): (State.ENDING, KEEP),
    (State.ENDING, Event.RENEWAL_ON): (State.ENABLED, KEEP),
    (State.ENABLED, Event.RENEWAL_ON): (State.ENABLED, KEEP),
    (State.ENDING, Event.DATE): (State.WARNING, 30.0),
    (State.WARNING, Event.DATE): (State.SUSPENDED, 90.0),
    (State.SUSPENDED, Event.DATE): _DELETED,
    (State.DELETED, Event.DATE): (State.GONE, NEVER),
}
_DELETABLE: Table = {
    (State.SUSPENDED, Event.DELETE): (State.DELETING, 3.0),
    (State.DELETING, Event.DATE): _DELETED,
}
_SUPPORT: Table = {
    (state, Event.SUPPORT): (State.GONE, NEVER) for state in (State.ENABLED, State.LOCKED_OUT, State.DELETED)
}

TRANSITIONS: dict[Kind, Table] = {
    Kind.MOSA: _RENEWING
    | _DELETABLE
    | {(s, Event.CANCEL): (State.SUSPENDED, 90.0) for s in (State.ENABLED, State.ENDING, State.WARNING)},
    # A person cannot delete a disabled MCA subscription: no DELETE rows here on purpose.
    Kind.MCA: _RENEWING | {(s, Event.CANCEL): (State.SUSPENDED, 90.0) for s in (State.ENABLED, State.ENDING)},
    Kind.CSP: _RENEWING
    | {(s, Event.CANCEL): _DELETED for s in (State.ENABLED, State.ENDING)}
    | {(s, Event.PAUSE): (State.PAUSED, KEEP) for s in (State.ENABLED, State.ENDING)}
    | {
        (State.PAUSED, Event.ACTIVATE): (State.ENABLED, KEEP),
        (State.PAUSED, Event.DATE): (State.SUSPENDED, 120.0),
    },
    # No window and no cancel: the partner suspends it, and 90 days later it is Deleted (subscription-facts 7).
    Kind.CSP_LEGACY: _RENEWING
    | {(s, Event.PAUSE): (State.SUSPENDED, 90.0) for s in (State.ENABLED, State.ENDING)}
    | {(State.SUSPENDED, Event.ACTIVATE): (State.ENABLED, TERM)},
    Kind.TRIAL: _RENEWING
    | _DELETABLE
    | {
        (State.ENABLED, Event.DATE): (State.WARNING, 30.0),
        (State.ENABLED, Event.CANCEL): (State.ENDING, KEEP),
        (State.WARNING, Event.DATE): (State.SUSPENDED, 30.0),
    },
    Kind.FREE: {(State.ENABLED, Event.DELETE): (State.GONE, NEVER)},
    Kind.SELF_SERVICE: _RENEWING | _SUPPORT | {(State.ENABLED, Event.TAKE_CONTROL): _DELETED},
    Kind.ENTRA_FREE: _SUPPORT,
    Kind.LOCKED: _SUPPORT,
    Kind.AZURE: {
        (State.ENABLED, Event.CANCEL): (State.SUSPENDED, 90.0),
        (State.SUSPENDED, Event.ACTIVATE): (State.ENABLED, NEVER),
        (State.SUSPENDED, Event.DELETE): _DELETED,
        (State.SUSPENDED, Event.DATE): _DELETED,
        (State.DELETED, Event.DATE): (State.GONE, NEVER),
    },
}

SHOWN: dict[State, str] = {
    State.ENABLED: "Enabled",
    State.ENDING: "Enabled",
    State.PAUSED: "Suspended",
    State.WARNING: "Warning",
    State.SUSPENDED: "Suspended",
    State.DELETING: "Suspended",
    State.LOCKED_OUT: "LockedOut",
    State.DELETED: "Deleted",
}
FINISHED = frozenset({State.DELETED, State.GONE})
SOLD_BY_PARTNER = (Kind.CSP, Kind.CSP_LEGACY)
USUAL_DAYS: dict[State, Wait] = {
    State.ENABLED: TERM,
    State.ENDING: TERM,
    State.PAUSED: TERM,
    State.WARNING: 30.0,
    State.SUSPENDED: 90.0,
    State.DELETING: 3.0,
    State.DELETED: LINGER_DAYS,
}
"""How long a state lasts that a test puts a subscription into; the others last for ever."""


class NotAllowedError(Exception):
    """This kind of subscription knows no such act in its present state."""


@dataclass
class Life:
    """One subscription's state, the moment it was reached and the date of the next change."""

    kind: Kind
    state: State
    since: datetime
    due: datetime | None = None
    term_days: float = 365.0
    pays: bool = False
    """Only of a trial: a card is on file, so it renews into a paid term instead of expiring."""

    def may(self, event: Event) -> bool:
        """Whether the table has a row for this event now."""
        return (self.state, event) in TRANSITIONS[self.kind]

    @property
    def renews(self) -> bool:
        """Whether it goes on after its term unless somebody acts."""
        return self.kind is not Kind.TRIAL or self.pays

    def put(self, state: State, at: datetime, days: Callable[[float], timedelta], due: float | None = None) -> None:
        """Put it into a state from outside the table, as only a test does; `due` in days, else as long as usual."""
        self.state, self.since = state, at
        wait: Wait = due if due is not None else USUAL_DAYS.get(state, NEVER)
        if wait == TERM:
            wait = NEVER if self.kind in (Kind.AZURE, Kind.FREE, Kind.ENTRA_FREE) else self.term_days
        self.due = None if wait is NEVER else at + days(float(wait))

    def fire(self, event: Event, at: datetime, days: Callable[[float], timedelta]) -> None:
        """Apply one event at one moment; NotAllowedError when the table has no such row."""
        try:
            state, wait = TRANSITIONS[self.kind][self.state, event]
        except KeyError:
            raise NotAllowedError(f"{event} is not possible for {self.kind} in state {self.state}") from None
        if state is not self.state:
            self.since = at
        self.state = state
        if wait == TERM:
            self.due = at + days(self.term_days)
        elif wait is NEVER:
            self.due = None
        elif wait != KEEP:
            self.due = at + days(float(wait))

    def settle(self, now: datetime, days: Callable[[float], timedelta]) -> None:
        """Let every date that has passed take effect, each counted from the date before it."""
        while self.due is not None and self.due <= now:
            if not self.may(Event.DATE):
                self.due = None
                return
            if self.state is State.ENABLED and self.may(Event.RENEWAL_OFF) and self.renews:
                # A renewal. With short days thousands may have passed: jump over them in one step.
                term = days(self.term_days)
                self.due += term * ((now - self.due) // term + 1)
                return
            self.fire(Event.DATE, self.due, days)
