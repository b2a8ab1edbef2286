"""One subscription from Enabled to Deleted: who sold it decides the route, what Graph shows decides the next step.

Graph is the truth, the APIs are accelerators and people are a normal path (subscription-facts 0, 5, 10).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from tenantclosure.model.inventory import Item
from tenantclosure.names import TaskKind
from tenantclosure.policy.timing import PROOF_GAP, moment, poll_after

FREE_PRODUCTS = frozenset(
    {
        "FLOW_FREE",
        "POWER_BI_STANDARD",
        "RIGHTSMANAGEMENT_ADHOC",
        "POWERAPPS_VIRAL",
        "POWERAPPS_DEV",
        "CCIBOTS_PRIVPREV_VIRAL",
        "WINDOWS_STORE",
        "STREAM",
        "TEAMS_EXPLORATORY",
    }
)
"""SKUs people sign up for themselves; they never end by themselves (tenant-facts C3, subscription-facts 6)."""


class Provider(StrEnum):
    """The channel that ends a subscription."""

    AZURE = "azure"
    MCA = "mca"
    CSP = "csp"
    SELF_SERVICE = "self-service"
    FREE = "free"
    TRIAL = "trial"
    MANUAL = "manual"


class Goal(StrEnum):
    """How far a phase takes a subscription."""

    CANCELLED = "cancelled"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Observed:
    """A fresh look. `graph` and `azure` are state words, `absent` when the row is gone, None when it has no
    such side.
    """

    graph: str | None = None
    next_lifecycle: str | None = None
    azure: str | None = None
    billing: Mapping[str, Any] | None = None
    partner: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next: `kind` is done, wait, call or task; `what` names the call or the task; `days` is the wait."""

    kind: str
    stage: str
    what: str = ""
    days: float = 0.0
    reason: str = ""
    next_at: str | None = None


def provider_of(item: Item, tenant: str, billing_names: frozenset[str], *, azure: bool = False) -> Provider:
    """Which channel owns a subscription row."""
    if azure:
        return Provider.AZURE
    facts = item.facts
    owner = str(facts.get("ownerTenantId") or "").lower()
    if owner and owner != tenant.lower():
        return Provider.CSP
    if str(facts.get("skuPartNumber", "")).upper() in FREE_PRODUCTS:
        return Provider.FREE
    if str(facts.get("ownerType") or "").lower() == "user":
        return Provider.SELF_SERVICE
    if str(facts.get("commerceSubscriptionId") or "").lower() in billing_names:
        return Provider.MCA
    if facts.get("isTrial"):
        return Provider.TRIAL
    return Provider.MANUAL


def next_step(
    provider: str, goal: str, seen: Observed, standing: Mapping[str, Any], now: datetime, day_seconds: float
) -> Step:
    """The next step of one subscription. `standing` is what the ledger kept: calls, goneAt, actedAt (ISO)."""
    gone = seen.azure == "Deleted" if provider == Provider.AZURE else seen.graph in ("Deleted", "absent")
    if gone:
        return _prove(standing, now, day_seconds)
    if provider == Provider.AZURE:
        return _azure(goal, seen, standing, now, day_seconds)
    if seen.graph in ("Suspended", "LockedOut"):
        return _disabled(provider, goal, seen, standing, now, day_seconds)
    return _active(provider, goal, seen, standing, now, day_seconds)


def _prove(standing: Mapping[str, Any], now: datetime, day_seconds: float) -> Step:
    first = standing.get("goneAt")
    if first is None:
        return Step("wait", "deprovisioning", days=PROOF_GAP, reason="first read without it; a second one proves it")
    passed = (now - datetime.fromisoformat(first)).total_seconds() / day_seconds
    if passed < PROOF_GAP:
        return Step(
            "wait", "deprovisioning", days=PROOF_GAP - passed, reason="first read without it; a second one proves it"
        )
    return Step("done", "deprovisioned", reason="two reads at least an hour apart show it deleted")


def _azure(goal: str, seen: Observed, standing: Mapping[str, Any], now: datetime, day_seconds: float) -> Step:
    wait = _wait(standing, now, day_seconds)
    if seen.azure not in ("Disabled", "Expired"):
        if "cancel" not in standing.get("calls", {}):
            return Step("call", "active", "cancel-azure")
        if standing["calls"]["cancel"]["refused"]:
            return Step(
                "task", "active", TaskKind.CANCEL_SUBSCRIPTION, days=wait, reason=standing["calls"]["cancel"]["why"]
            )
        return Step("wait", "cancel-requested", days=wait, reason="cancelled; Azure has not shown it yet")
    if goal == Goal.CANCELLED:
        return Step("done", "disabled", reason="Azure shows it disabled")
    return Step(
        "task", "disabled", TaskKind.DELETE_AZURE, days=wait, reason="only the portal deletes a cancelled subscription"
    )


def _disabled(
    provider: str, goal: str, seen: Observed, standing: Mapping[str, Any], now: datetime, day_seconds: float
) -> Step:
    if goal == Goal.CANCELLED:
        return Step("done", "disabled", reason=f"Graph shows it {seen.graph}")
    wait = _wait(standing, now, day_seconds)
    if seen.graph == "LockedOut":
        return Step("task", "disabled", TaskKind.ASK_SUPPORT, days=wait, reason="locked out: only Support removes it")
    if provider in (Provider.MANUAL, Provider.TRIAL):
        return Step(
            "task", "disabled", TaskKind.DELETE_SUBSCRIPTION, days=wait, reason="a person deletes disabled ones"
        )
    if provider in (Provider.FREE, Provider.SELF_SERVICE):
        return Step(
            "task", "disabled", TaskKind.DELETE_FREE_PRODUCT, days=wait, reason="a person deletes disabled ones"
        )
    return Step("wait", "disabled", days=wait, reason="goes at the end of its term", next_at=seen.next_lifecycle)


def _active(
    provider: str, goal: str, seen: Observed, standing: Mapping[str, Any], now: datetime, day_seconds: float
) -> Step:
    wait = _wait(standing, now, day_seconds)
    if provider == Provider.MANUAL:
        return Step("task", "active", TaskKind.CANCEL_SUBSCRIPTION, days=wait, reason="no API cancels this agreement")
    if provider == Provider.FREE:
        return Step("task", "active", TaskKind.DELETE_FREE_PRODUCT, days=wait, reason="no API deletes free products")
    if provider == Provider.SELF_SERVICE:
        return Step(
            "task", "active", TaskKind.TAKE_CONTROL, days=wait, reason="bought by a user: take control, then cancel"
        )
    if provider == Provider.TRIAL:
        return _ends_by_itself(goal, seen, wait, "a trial ends by itself")
    if provider == Provider.MCA:
        return _window(
            goal, seen, standing, wait, now, _mca_window(seen), "a person turns renewal off", TaskKind.TURN_OFF_RENEWAL
        )
    return _window(
        goal, seen, standing, wait, now, _csp_window(seen), "only the partner can end it", TaskKind.ASK_PARTNER
    )


@dataclass(frozen=True, slots=True)
class _Window:
    known: bool
    until: str | None
    renews: bool
    ends: str | None


def _mca_window(seen: Observed) -> _Window:
    row = seen.billing
    if row is None:
        return _Window(False, None, False, None)
    until = row.get("cancellationAllowedEndDate") if row.get("cancellation") == "Allowed" else None
    return _Window(True, until, row.get("autoRenew") != "Off", row.get("termEndDate"))


def _csp_window(seen: Observed) -> _Window:
    row = seen.partner
    if row is None:
        return _Window(False, None, False, None)
    return _Window(
        True, row.get("cancellationAllowedUntilDate"), bool(row.get("autoRenewEnabled")), row.get("commitmentEndDate")
    )


def _window(
    goal: str,
    seen: Observed,
    standing: Mapping[str, Any],
    wait: float,
    now: datetime,
    window: _Window,
    why: str,
    task: str,
) -> Step:
    calls = standing.get("calls", {})
    if not window.known:
        return Step("task", "active", task, days=wait, reason=why)
    cancelled = calls.get("cancel")
    if cancelled is None and window.until is not None and now <= moment(window.until):
        return Step("call", "active", "cancel")
    if cancelled is not None and not cancelled["refused"]:
        return Step("wait", "cancel-requested", days=wait, reason="cancelled; Graph has not shown it yet")
    if window.renews:
        stopped = calls.get("stop-renewal")
        if stopped is None:
            return Step("call", "active", "stop-renewal")
        if stopped["refused"]:
            return Step("task", "active", task, days=wait, reason=stopped["why"])
        return Step("wait", "renewal-off-requested", days=wait, reason="renewal turned off; not shown yet")
    return _ends_by_itself(goal, seen, wait, "does not renew; the window for cancelling is shut", window.ends)


def _ends_by_itself(goal: str, seen: Observed, wait: float, why: str, ends: str | None = None) -> Step:
    if goal == Goal.CANCELLED:
        return Step("done", "non-renewing", reason=why)
    return Step("wait", "non-renewing", days=wait, reason=why, next_at=ends or seen.next_lifecycle)


def _wait(standing: Mapping[str, Any], now: datetime, day_seconds: float) -> float:
    acted = standing.get("actedAt")
    since = 0.0 if acted is None else max(0.0, (now - datetime.fromisoformat(acted)).total_seconds() / day_seconds)
    return poll_after(since)
