"""Where a subscription stands: the stages, what a look makes of them, and what is remembered of it.

Graph is the truth, the APIs are accelerators and people are a normal path (subscription-facts 0, 5, 10). A round is:
`after_look` takes a look into what is remembered, then `subscriptions.next_step` says what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from tenantclosure.names import TaskKind
from tenantclosure.policy.selling import Observed, Provider, Sign, Terms, dated, overdue, state_of, terms_of
from tenantclosure.policy.timing import SLACK


class Goal(StrEnum):
    """How far a phase takes a subscription."""

    CANCELLED = "cancelled"
    DELETED = "deleted"


class Stage(StrEnum):
    """Where a subscription stands (subscription-facts 10.2)."""

    PLANNED = "planned"
    CANCEL_REQUESTED = "cancel-requested"
    """Its end, or the end of its renewal, was accepted or reported and does not show yet."""
    NON_RENEWING = "non-renewing"
    DISABLED = "disabled"
    DELETE_REQUESTED = "delete-requested"
    DEPROVISIONING = "deprovisioning"
    """Seen gone; a second look proves it."""
    DEPROVISIONED = "deprovisioned"


class Side(StrEnum):
    """What a subscription waits for beside its stage."""

    NONE = ""
    WAITING = "waiting"
    MANUAL = "manual"
    SUPPORT = "support"
    UNCLEAR = "unclear"


_P, _C, _N, _D = Stage.PLANNED, Stage.CANCEL_REQUESTED, Stage.NON_RENEWING, Stage.DISABLED
_X, _G, _E = Stage.DELETE_REQUESTED, Stage.DEPROVISIONING, Stage.DEPROVISIONED
TRANSITIONS: Mapping[Stage, Mapping[Sign, Stage]] = {
    stage: dict(zip(Sign, row, strict=True))
    for stage, row in {
        # -   active asked ending disabled deleting gone proven unseen
        _P: (_P, _C, _N, _D, _X, _G, _G, _P),
        _C: (_P, _C, _N, _D, _X, _G, _G, _C),
        _N: (_P, _C, _N, _D, _X, _G, _G, _N),
        _D: (_P, _C, _N, _D, _X, _G, _G, _D),
        _X: (_P, _C, _N, _D, _X, _G, _G, _X),
        _G: (_P, _C, _N, _D, _X, _G, _E, _G),
        _E: (_P, _C, _N, _D, _X, _G, _E, _E),
    }.items()
}
"""Stage and sign to the next stage. Only the second of two looks leads to `deprovisioned`, and nothing is final: what
turns up again is worked again.
"""
_ENDED = frozenset({_D, _X, _G, _E})


def after_look(
    provider: str, seen: Observed, standing: Mapping[str, Any], now: datetime, day_seconds: float
) -> dict[str, Any]:
    """What is remembered of a look: since when it is gone or disabled or strange, and how often it came back.

    Adds goneAt, wasThere, disabledAt, odd ({what, since}), renewal ({at, due, by}: last known to be off), flips and
    flippedAt to the standing. One that is active again after it had ended loses its calls: they can be made anew.
    """
    new, at = dict(standing), now.isoformat()
    shown, odd = shown_by(provider, seen, standing, now, day_seconds)
    stage = stage_of(standing)
    new["goneAt"] = (standing.get("goneAt") or at) if shown == Sign.GONE else None
    new["wasThere"] = bool(standing.get("wasThere")) or shown not in (Sign.GONE, Sign.UNSEEN)
    if shown != Sign.UNSEEN:
        new["disabledAt"] = (standing.get("disabledAt") or at) if shown == Sign.DISABLED else None
    terms = terms_of(provider, seen, now)
    what = odd or (terms is not None and terms.odd) or (terms is not None and terms.locked and "locked") or ""
    before = standing.get("odd") or {}
    new["odd"] = {"what": what, "since": before["since"] if before.get("what") == what else at} if what else None
    new["renewal"] = renewal_off(provider, seen, standing, terms, now, day_seconds)
    resold = standing.get("renewal") is not None and new["renewal"] is None and stage == Stage.NON_RENEWING
    ended = stage in _ENDED or (stage == Stage.NON_RENEWING and provider in (Provider.MCA, Provider.CSP)) or resold
    if shown == Sign.ACTIVE and ended:
        new |= {"flips": standing.get("flips", 0) + 1, "flippedAt": at, "calls": {}}
    return new


def stage_of(standing: Mapping[str, Any]) -> Stage:
    """The stage it had at the last round."""
    try:
        return Stage(standing.get("stage", Stage.PLANNED))
    except ValueError:  # a word from an older version of this program
        return Stage.PLANNED


def shown_by(
    provider: str, seen: Observed, standing: Mapping[str, Any], now: datetime, day_seconds: float
) -> tuple[Sign, str]:
    """The sign of the look alone, and the word that is not documented."""
    state, odd = state_of(provider, seen)
    terms = terms_of(provider, seen, now)
    if state in (Sign.UNSEEN, Sign.GONE):
        return state, odd
    if terms is not None and terms.odd:
        return Sign.UNSEEN, terms.odd
    if state == Sign.DISABLED:
        return (Sign.ACTIVE if terms is not None and terms.paused and terms.renews else state), ""
    if provider == Provider.AZURE:
        cancelled = accepted((standing.get("calls") or {}).get("cancel"))
        return (Sign.DISABLED if cancelled and seen.azure == "Warned" else state), ""
    if provider == Provider.TRIAL:
        late = seen.graph == "Enabled" and overdue(dated(seen.next_lifecycle), now, day_seconds)
        return (
            state if late and not renewal_off(provider, seen, standing, None, now, day_seconds) else Sign.ENDING
        ), ""
    if provider not in (Provider.MCA, Provider.CSP):
        return state, ""
    if terms is None:
        ending = seen.graph == "Warning" or renewal_off(provider, seen, standing, None, now, day_seconds)
        return (Sign.ENDING if ending else state), ""
    stays = (
        terms.renews
        or terms.usage
        or ((terms.open or terms.legacy) and terms.allowed and not (standing.get("calls") or {}))
    )
    return (state if stays else Sign.ENDING), ""


def renewal_off(
    provider: str, seen: Observed, standing: Mapping[str, Any], terms: Terms | None, now: datetime, day_seconds: float
) -> dict[str, Any] | None:
    """{at, due, by} of when renewal was last known to be off: by the seller's own view, otherwise by a person's word.

    What is only remembered is over once Graph's date has moved on: then it has renewed after all.
    """
    if provider not in (Provider.MCA, Provider.CSP, Provider.TRIAL):
        return None
    if terms is not None:
        return None if terms.renews else {"at": now.isoformat(), "due": seen.next_lifecycle, "by": "the seller"}
    known: dict[str, Any] | None = standing.get("renewal")
    told = (standing.get("reports") or {}).get(
        TaskKind.ASK_PARTNER if provider == Provider.CSP else TaskKind.TURN_OFF_RENEWAL
    )
    if known is None and told is not None and later(told["at"], standing.get("flippedAt")):
        known = {"at": told["at"], "due": seen.next_lifecycle, "by": told["by"]}
    if known is None:
        return None
    then, date = dated(known["due"]), dated(seen.next_lifecycle)
    moved = then is not None and date is not None and date - then > timedelta(seconds=SLACK * day_seconds)
    return None if moved and seen.graph == "Enabled" else known


def later(one: str, other: str | None) -> bool:
    """Whether a moment of ours comes after another one, or there is no other."""
    return other is None or datetime.fromisoformat(one) > datetime.fromisoformat(other)


def accepted(call: Mapping[str, Any] | None) -> bool:
    """Whether a call was made and its seller took it."""
    return call is not None and not call.get("refused")
