"""What a fresh look at a subscription says: the words and dates of Graph and of the seller's side, read with suspicion.

A word outside the documented enums is never taken for one of them: it leads to no call (subscription-facts 2, 4, 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from tenantclosure.policy.timing import SLACK, moment

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
GRACE, DISABLED_FOR, TRIAL_FOR = 30.0, 90.0, 30.0
"""Days a direct or partner subscription stays in grace and disabled after its term; each stage of a trial
(subscription-facts 7).
"""
DELETE_TAKES = 3.0
"""Days from a person's Delete until it is deprovisioned; and from a cancel until Azure offers Delete
(subscription-facts 3, 7).
"""
AZURE_FOR = 90.0
"""Days until a cancelled Azure subscription goes by itself (subscription-facts 3)."""
MOST_LICENCES = 25
"""An old direct agreement (MOSA) with more licences can't be cancelled by a person (subscription-facts 1)."""
DELETABLE_OFFERS = ("payasyougo", "freetrial")
"""How the quota ids of Azure offers begin whose cancelled subscriptions a person can delete (subscription-facts 3)."""


class Provider(StrEnum):
    """Who ends a subscription: a channel with an API, or people."""

    AZURE = "azure"
    CSP = "csp"
    MCA = "mca"
    SELF_SERVICE = "self-service"
    FREE = "free"
    TRIAL = "trial"
    MANUAL = "manual"
    SUPPORT = "support"
    DISPUTED = "disputed"


class Sign(StrEnum):
    """What a look shows, together with what was done: the columns of the transition table."""

    ACTIVE = "active"
    ASKED = "asked"
    """Active still, but its end was accepted by the seller or reported by a person."""
    ENDING = "ending"
    """Active or in grace, and does not renew."""
    DISABLED = "disabled"
    DELETING = "deleting"
    """Disabled still, but its deletion was accepted or reported."""
    GONE = "gone"
    PROVEN = "proven"
    """Gone, and a look at least an hour ago found it gone as well."""
    UNSEEN = "unseen"
    """Nothing can be told: a word nobody documented, or no access to the only side it has."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A fresh look. `graph` and `azure` are state words, `absent` when the row is gone, None when there is no such
    side. `billing` and `partner` are the seller's facts; {"status": "absent"} when gone, None when there is no such
    side or it can't be read: then `no_access` says why. `quota` is the Azure offer.
    """

    graph: str | None = None
    next_lifecycle: str | None = None
    licences: int | None = None
    azure: str | None = None
    quota: str | None = None
    billing: Mapping[str, Any] | None = None
    partner: Mapping[str, Any] | None = None
    no_access: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the seller's side says of a subscription that still runs.

    `odd` names a word nobody documented; `open` whether it can be cancelled now; `locked` whether a write is under way;
    `ended` the seller's word if it has ended there; `allowed` False: writing to it is not allowed to us; `legacy` and
    `usage`: a partner's subscription from before the new commerce, or one without a term; `paused`: suspended by the
    partner inside its term, which ends nothing (subscription-facts 4).
    """

    odd: str = ""
    open: bool = False
    renews: bool = True
    ends: str | None = None
    locked: bool = False
    ended: str = ""
    allowed: bool = True
    legacy: bool = False
    usage: bool = False
    paused: bool = False


_GRAPH = {
    "Enabled": Sign.ACTIVE,
    "Warning": Sign.ACTIVE,
    "Suspended": Sign.DISABLED,
    "LockedOut": Sign.DISABLED,
    "Deleted": Sign.GONE,
    "absent": Sign.GONE,
}
_AZURE = {
    "Enabled": Sign.ACTIVE,
    "Warned": Sign.ACTIVE,
    "PastDue": Sign.ACTIVE,
    "Disabled": Sign.DISABLED,
    "Expired": Sign.DISABLED,
    "Deleted": Sign.GONE,
    "absent": Sign.GONE,
}
_BILLING = {
    **dict.fromkeys(("active", "autorenew", "warned", "expiring", "expired"), Sign.ACTIVE),
    **dict.fromkeys(("disabled", "suspended", "cancelled", "canceled"), Sign.DISABLED),
    **dict.fromkeys(("deleted", "absent"), Sign.GONE),
}
_PARTNER = {
    **dict.fromkeys(("active", "expired", "pending"), Sign.ACTIVE),
    **dict.fromkeys(("suspended", "disabled"), Sign.DISABLED),
    **dict.fromkeys(("deleted", "absent"), Sign.GONE),
}


def dated(value: object) -> datetime | None:
    """A date of Microsoft's; None when it is missing or none."""
    try:
        return moment(value) if isinstance(value, str) else None
    except ValueError:
        return None


def seller_deleted(row: Mapping[str, Any]) -> bool:
    """Whether a row of ARM billing or Partner Center says of itself that it is deleted."""
    return str(row.get("status") or "").lower() in ("deleted", "absent")


def state_of(provider: str, seen: Observed) -> tuple[Sign, str]:
    """Active, disabled, gone or unseen by the side that proves it, and the words that are in no enum.

    Graph proves what has a row there, the seller's side everything else; Azure's own rows are never in Graph.
    """
    words: list[tuple[Sign | None, str]] = []
    if seen.graph is not None:
        words.append((_GRAPH.get(seen.graph), f"Graph shows it as {seen.graph or 'nothing'}"))
    if seen.azure is not None:
        words.append((_AZURE.get(seen.azure), f"Azure shows it as {seen.azure or 'nothing'}"))
    if seen.graph is None and provider != Provider.AZURE:
        for row, enum, name in ((seen.billing, _BILLING, "billing"), (seen.partner, _PARTNER, "Partner Center")):
            if row is not None:
                status = row.get("status")
                words.append((enum.get(str(status).lower()), f"{name} shows it as {status or 'nothing'}"))
    odd = "; ".join(text for sign, text in words if sign is None)
    if odd or not words:
        return Sign.UNSEEN, odd and f"{odd}, a word that is not documented"
    signs = [sign for sign, _ in words if sign is not None]
    for sign in (Sign.ACTIVE, Sign.DISABLED):
        if sign in signs:
            return sign, ""
    return Sign.GONE, ""


def terms_of(provider: str, seen: Observed, now: datetime) -> Terms | None:
    """The seller's terms; None when no side of a seller's can be seen."""
    if provider == Provider.MCA and seen.billing is not None and str(seen.billing.get("status")).lower() != "absent":
        return _mca_terms(seen.billing, now)
    if provider == Provider.CSP and seen.partner is not None and str(seen.partner.get("status")).lower() != "absent":
        return _csp_terms(seen.partner, now)
    return None


def _mca_terms(row: Mapping[str, Any], now: datetime) -> Terms:
    cancellation, renewal, status = row.get("cancellation"), row.get("autoRenew"), row.get("status")
    until = row.get("cancellationAllowedEndDate")
    end = dated(until)
    odd = [
        text
        for wrong, text in (
            (cancellation not in (None, "Allowed", "NotAllowed"), f"cancellation is {cancellation}"),
            (until is not None and end is None, f"the date until which it can be cancelled is {until}"),
            (renewal not in (None, "On", "Off"), f"autoRenew is {renewal}"),
            (status is not None and str(status).lower() not in _BILLING, f"its status is {status}"),
        )
        if wrong
    ]
    ended = _BILLING.get(str(status).lower()) in (Sign.DISABLED, Sign.GONE)
    return Terms(
        odd=f"billing says that {' and '.join(odd)}, which is not documented" if odd else "",
        open=cancellation == "Allowed" and (until is None or (end is not None and now <= end)),
        renews=renewal != "Off",
        ends=row.get("termEndDate") if dated(row.get("termEndDate")) else None,
        locked=row.get("operationStatus") == "LockedForUpdate",
        ended=str(status) if ended else "",
        allowed=row.get("allowed") is True,
    )


def _csp_terms(row: Mapping[str, Any], now: datetime) -> Terms:
    until, renewal, status = row.get("cancellationAllowedUntilDate"), row.get("autoRenewEnabled"), row.get("status")
    word, end = str(status).lower(), dated(until)
    odd = [
        text
        for wrong, text in (
            (until is not None and end is None, f"the date until which it can be cancelled is {until}"),
            (renewal not in (None, True, False), f"autoRenewEnabled is {renewal}"),
            (status is not None and word not in _PARTNER, f"its status is {status}"),
        )
        if wrong
    ]
    return Terms(
        odd=f"Partner Center says that {' and '.join(odd)}, which is not documented" if odd else "",
        open=end is not None and now <= end,
        renews=renewal is not False,
        ends=row.get("commitmentEndDate") if dated(row.get("commitmentEndDate")) else None,
        ended=str(status) if word in ("deleted", "disabled") else "",
        legacy=bool(row.get("legacy")),
        usage=str(row.get("billingType") or "").lower() == "usage",
        paused=word == "suspended" and not row.get("legacy"),
    )


def button(quota: str | None) -> bool:
    """Whether the portal offers Delete for a cancelled Azure subscription of this offer; an unknown one may have it."""
    return not quota or quota.lower().startswith(DELETABLE_OFFERS)


def earliest_gone(provider: str, facts: Mapping[str, Any], now: datetime, day_seconds: float) -> datetime | None:
    """The earliest date on which a subscription can be gone if everybody acts at once; None when only people can tell.

    `facts` are the row's as Graph lists it (status, nextLifecycle) or Azure (state, quotaId), with `billing` and
    `partner` for the seller's facts and `disabledAt` for when Azure was first seen disabled. Microsoft's dates are real
    ones; our lags are in Microsoft's days, which a rehearsal makes shorter.
    """

    def after(start: datetime, days: float) -> datetime:
        try:
            return max(start + timedelta(seconds=days * day_seconds), now)
        except OverflowError:  # "never", as some services write it
            return start

    status, due = facts.get("status"), dated(facts.get("nextLifecycle"))
    if status in ("Deleted", "absent") or facts.get("state") == "Deleted":
        return now
    if provider == Provider.AZURE:
        since = dated(facts.get("disabledAt")) or now
        return after(since, DELETE_TAKES if button(facts.get("quotaId")) else AZURE_FOR)
    if provider in (Provider.MCA, Provider.CSP):
        seen = Observed(billing=facts.get("billing"), partner=facts.get("partner"))
        if status == "Suspended":
            return due and after(due, 0)
        terms = terms_of(provider, seen, now)
        if terms is None or terms.odd or terms.usage or status == "LockedOut":
            return None
        if terms.legacy or (provider == Provider.MCA and terms.open):
            return after(now, DISABLED_FOR)
        if terms.open or terms.ended:
            return now
        ends = dated(terms.ends) or due
        return ends and after(ends, DISABLED_FOR if status == "Warning" else GRACE + DISABLED_FOR)
    if provider == Provider.TRIAL:
        if status == "Suspended":
            return after(now, DELETE_TAKES)
        return due and after(due, (0 if status == "Warning" else TRIAL_FOR) + DELETE_TAKES)
    return None


def overdue(date: datetime | None, now: datetime, day_seconds: float, days: float = 0.0) -> bool:
    """Whether a date of Microsoft's lies more than so many days and its slack back."""
    return date is not None and now - date > timedelta(seconds=(days + SLACK) * day_seconds)
