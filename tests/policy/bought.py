"""Looks at subscriptions, and what is remembered of them, for the tests of the policy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tenantclosure.policy.selling import Observed
from tenantclosure.policy.stages import after_look
from tenantclosure.policy.subscriptions import Step, next_step

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAY = 86400.0


def iso(days: float) -> str:
    """So many days from now."""
    return (NOW + timedelta(days=days)).isoformat()


def mca(window: float | None = None, **changes: Any) -> dict[str, Any]:
    """A billing row; its window shuts after `window` days, None: it is shut."""
    base = {
        "status": "Active",
        "cancellation": "NotAllowed" if window is None else "Allowed",
        "cancellationAllowedEndDate": None if window is None else iso(window),
        "autoRenew": "On",
        "termEndDate": iso(200),
        "operationStatus": "None",
        "allowed": True,
    }
    return {**base, **changes}


def csp(until: float | None = None, **changes: Any) -> dict[str, Any]:
    """A row at Partner Center; it can be cancelled for `until` days, None: never."""
    base = {
        "status": "active",
        "cancellationAllowedUntilDate": None if until is None else iso(until),
        "autoRenewEnabled": True,
        "commitmentEndDate": iso(200),
        "legacy": False,
        "billingType": "license",
    }
    return {**base, **changes}


def on(due: float | None = 200, **changes: Any) -> Observed:
    """Graph shows it Enabled."""
    return Observed(graph="Enabled", next_lifecycle=None if due is None else iso(due), **changes)


def off(due: float | None = 30, **changes: Any) -> Observed:
    """Graph shows it Suspended."""
    return Observed(graph="Suspended", next_lifecycle=None if due is None else iso(due), **changes)


def called(
    kind: str, status: int = 202, *, ago: float = 0, stage: str = "planned", code: str = "", **more: Any
) -> dict[str, Any]:
    """A standing after one call."""
    refused = status >= 400 and status != 404
    call = {"refused": refused, "why": f"{status} {code}", "status": status, "code": code, "at": iso(-ago)}
    return {"calls": {kind: call}, "actedAt": iso(-ago), "stage": stage, "since": iso(-ago), **more}


def told(kind: str, *, ago: float = 0, **more: Any) -> dict[str, Any]:
    """A standing after a person's report on a task."""
    return {"reports": {kind: {"by": "kim@fabrikam.com", "at": iso(-ago)}}, "since": iso(-ago), **more}


def decide(
    provider: str,
    goal: str,
    seen: Observed,
    standing: Mapping[str, Any] | None = None,
    *,
    now: datetime = NOW,
    **options: Any,
) -> Step:
    """One round: the look is remembered, then the next step is read."""
    remembered = after_look(provider, seen, standing or {}, now, DAY)
    return next_step(provider, goal, seen, remembered, now, DAY, **options)
