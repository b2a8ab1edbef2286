"""Our mirror of the portal's delete page: each check passes, fails, waits or is unknown, with cause, remedy, owner and
date (tenant-facts A).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tenantclosure.names import EXTERNAL_TYPES
from tenantclosure.policy.obstacles import BILLING, CLOSURE, GLOBAL, NOBODY, Obstacle
from tenantclosure.policy.selling import dated

PASS, FAIL, WAITING, UNKNOWN = "pass", "fail", "waiting", "unknown"
STATES = (PASS, FAIL, WAITING, UNKNOWN)
KEPT = "kept-users"
"""The one check that the closure itself was asked not to clear: it ends as `kept`."""
KEEPER = "the keeper"
SHOWN = 100
"""How many names a check and a blocker carry; the rest is counted."""
ROOM = 200_000
"""Characters that all checks, and all blockers, may take on record; with endless names fewer of them are kept."""
DATES = 20
"""How many dates of one check are blockers of their own; later ones are told together."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of one kind: how many, and the first of them by name."""

    count: int = 0
    some: Sequence[Obstacle] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What a look found, or what a plan holds (`planned`: then it is the closure that removes most of it).

    `external` are the counts of what only an external tenant has, None where it can't be read. `domains_demanded`:
    a seller refuses to cancel while custom domains are there.
    """

    tenant_type: str = "AAD"
    sync_on: bool = False
    partner_type: str | None = None
    users: Left = Left()
    kept: Left = Left()
    applications: Left = Left()
    service_principals: Left = Left()
    licences: Sequence[Obstacle] = ()
    products: Sequence[Obstacle] = ()
    azure: Sequence[Obstacle] = ()
    domains: Left = Left()
    domains_demanded: bool = False
    external: Mapping[str, int | None] = field(default_factory=dict)
    planned: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the page. `obstacles` may be fewer than `count`."""

    name: str
    title: str
    state: str
    cause: str = ""
    remedy: str = ""
    owner: str = ""
    count: int = 0
    obstacles: Sequence[Obstacle] = ()

    @property
    def earliest(self) -> str | None:
        """When the check can pass, if only dates stand in its way: the last of them."""
        return _latest(one.earliest for one in self.obstacles) if self.state == WAITING else None

    def to_dict(self, most: int = SHOWN) -> dict[str, Any]:
        """As it lies in Records: {check, title, state, cause, remedy, owner, earliest, count, items}."""
        return {
            "check": self.name,
            "title": self.title,
            "state": self.state,
            "cause": self.cause,
            "remedy": self.remedy,
            "owner": self.owner,
            "earliest": self.earliest,
            "count": self.count,
            "items": [one.to_dict() for one in self.obstacles[:most]],
        }


_COUNTED: tuple[tuple[str, str, str, str, str, str], ...] = (
    (
        "users",
        "Users",
        "users besides the keeper are left",
        "Delete them in the Entra admin center; where a task names them, do what it says.",
        GLOBAL,
        "users",
    ),
    (
        KEPT,
        "Users that the request keeps",
        "users are kept as the request asks, so the tenant can't be deleted",
        "Let the closure end, then file another one without the keep list.",
        "the requester",
        "kept",
    ),
    (
        "applications",
        "App registrations",
        "app registrations are left",
        "Delete them under App registrations.",
        GLOBAL,
        "applications",
    ),
    (
        "enterprise-applications",
        "Enterprise applications",
        "enterprise applications are left and enabled",
        "Delete them, or set Enabled for users to sign in to No; Microsoft's own don't block.",
        GLOBAL,
        "service_principals",
    ),
)
"""Checks of what is counted: name, title, cause, remedy, owner, and the fact they read."""
_SOLD: tuple[tuple[str, str, str, str], ...] = (
    ("subscriptions", "Licence subscriptions", "subscriptions are not deprovisioned", "licences"),
    (
        "self-service-products",
        "Self-service products",
        "products that users signed up for or bought are left",
        "products",
    ),
    (
        "azure-subscriptions",
        "Azure subscriptions",
        "Azure subscriptions are left",
        "azure",
    ),
)
"""Checks of what was bought: name, title, cause, and the fact they read."""
UNREADABLE: tuple[tuple[str, str, str, str, str], ...] = (
    (
        "mfa-providers",
        "Legacy MFA providers",
        "No API shows legacy MFA providers.",
        "The keeper looks under Multifactor authentication > Providers and deletes each one.",
        KEEPER,
    ),
    (
        "invoices",
        "Invoices",
        "No API that we hold shows open invoices.",
        "Pay what is due under Billing > Bills & payments.",
        BILLING,
    ),
    (
        "domain-services",
        "Entra Domain Services",
        "A managed domain is a resource in Azure; the directory does not show it.",
        "Delete the managed domain in its Azure subscription, if there ever was one.",
        "Owner of the Azure subscription",
    ),
    (
        "azure-access",
        "Access to Azure resources",
        "Whether the keeper manages access to Azure resources can't be read.",
        "The keeper sets Access management for Azure resources to Yes under Properties and signs in again.",
        KEEPER,
    ),
    (
        "linkedin",
        "LinkedIn account connections",
        "No API shows LinkedIn account connections.",
        "The keeper sets LinkedIn account connections to No under User settings.",
        KEEPER,
    ),
)
"""What nobody can read: name, title, cause, remedy, owner."""
_WORKFORCE_ONLY = frozenset({"mfa-providers", "invoices", "domain-services"})
_BLADES: Mapping[str, tuple[str, str]] = {
    "user flows": ("user-flows", "External Identities > User flows"),
    "custom policies": ("custom-policies", "Identity Experience Framework > Custom policies"),
    "policy keys": ("policy-keys", "Identity Experience Framework > Policy keys"),
    "identity providers": ("identity-providers", "External Identities > All identity providers"),
}
"""What only external tenants have: the check's name and where the portal shows it."""


def checks(facts: Facts) -> list[Check]:
    """Every row that fits the tenant's type, in the order of the portal's page."""
    external = facts.tenant_type in EXTERNAL_TYPES
    counted = {row[0]: _counted(facts, row) for row in _COUNTED}
    if not facts.kept.count:
        del counted[KEPT]
    sold = [_sold(facts, *row) for row in _SOLD]
    unreadable = [
        Check(name, title, UNKNOWN, cause, remedy, owner)
        for name, title, cause, remedy, owner in UNREADABLE
        if not (external and name in _WORKFORCE_ONLY)
    ]
    rows = list(counted.values())
    if facts.sync_on or not external:
        rows.insert(1, _sync(facts))
    rows += [*sold, _domains(facts), *unreadable]
    if external:
        rows += [_external(name, facts.external.get(name)) for name in _BLADES]
    else:
        rows.append(_partner(facts.partner_type))
    return rows


def ready(rows: Iterable[Check]) -> bool:
    """Whether people can be asked about the tenant's end. What is unknown never holds it, nor what the request keeps:
    that ends the closure before they are asked.
    """
    return not any(row.state in (FAIL, WAITING) and row.name != KEPT for row in rows)


def seconds(rows: Iterable[Check], now: datetime, day_seconds: float) -> float:
    """Until the next date worth looking at; a day at most."""
    dates = [date for row in rows for one in row.obstacles if (date := dated(one.earliest)) is not None]
    return min([day_seconds, *((date - now).total_seconds() for date in dates if date > now)])


def documents(rows: Sequence[Check]) -> list[dict[str, Any]]:
    """The checks as they lie in Records (`Check.to_dict`)."""
    return _fitting(lambda most: [row.to_dict(most) for row in rows])


def blockers(rows: Sequence[Check]) -> list[dict[str, Any]]:
    """What the closure can't clear by itself: {what, why, remedy, who, items, earliest}.

    What needs somebody has no `earliest`; what only waits for a date is an entry of its own beside it.
    """
    blocking = [row for row in rows if row.state in (FAIL, WAITING)]
    return _fitting(lambda most: [entry for row in blocking for entry in _entries(row, most)])


def _fitting(make: Callable[[int], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for most in (SHOWN, SHOWN // 4, SHOWN // 20, 0):
        found = make(most)
        if len(json.dumps(found)) <= ROOM:
            break
    return found


def for_people(row: Check) -> str:
    """What of a failed check somebody other than the closure has to clear, in words; "" if that is nothing."""
    asked = _asked(row)
    if row.state != FAIL or (row.obstacles and not asked) or (not row.obstacles and row.owner == CLOSURE):
        return ""
    count = row.count - (len(row.obstacles) - len(asked))
    return f"{count} found: {_text(row)}" if count else row.cause


def _asked(row: Check) -> list[Obstacle]:
    return [one for one in row.obstacles if not one.waits and one.owner != CLOSURE]


def _entries(row: Check, most: int) -> list[dict[str, Any]]:
    found, why = [], for_people(row)
    if why:
        found.append(_entry(row, _asked(row), most, why, None))
    for earliest, some in _by_date([one for one in row.obstacles if one.waits]):
        why = f"{len(some)} found: {_text(row)}; nothing but time is missing"
        found.append(_entry(row, some, most, why, earliest))
    return found


def _entry(row: Check, some: Sequence[Obstacle], most: int, why: str, earliest: str | None) -> dict[str, Any]:
    return {
        "what": row.name,
        "why": why,
        "remedy": _joined(one.remedy for one in some) or row.remedy,
        "who": _joined(one.owner for one in some) or row.owner,
        "items": [one.name for one in some[:most]],
        "earliest": earliest,
    }


def _by_date(waiting: Sequence[Obstacle]) -> list[tuple[str | None, list[Obstacle]]]:
    groups: dict[str | None, list[Obstacle]] = defaultdict(list)
    for one in sorted(waiting, key=_when):
        date = one.earliest if one.earliest in groups or len(groups) < DATES else list(groups)[-1]
        groups[date].append(one)
    return list(groups.items())


def _when(one: Obstacle) -> float:
    date = dated(one.earliest)
    return 0.0 if date is None else date.timestamp()


def _joined(words: Iterable[str], most: int = 3) -> str:
    """Different words in their order; a few, and how many more there are."""
    found = list(dict.fromkeys(word for word in words if word))
    if len(found) <= 1:
        return "".join(found)
    more = [f"and {len(found) - most} more"] if len(found) > most else []
    return "; ".join([*(word.rstrip(".") for word in found[:most]), *more])


def _latest(dates: Iterable[str | None]) -> str | None:
    return max((date for date in dates if dated(date) is not None), key=lambda date: dated(date) or 0, default=None)


def _text(row: Check) -> str:
    """The cause without its count."""
    return row.cause.partition(" found: ")[2] or row.cause


def _counted(facts: Facts, row: tuple[str, str, str, str, str, str]) -> Check:
    name, title, cause, remedy, owner, fact = row
    left: Left = getattr(facts, fact)
    if not left.count:
        return Check(name, title, PASS)
    if facts.planned and name != KEPT:
        remedy, owner = "The plan removes them, once people have approved it.", CLOSURE
    some = [replace(one, remedy=one.remedy or remedy, owner=one.owner or owner) for one in left.some]
    return Check(name, title, FAIL, f"{left.count} found: {cause}", remedy, owner, left.count, some)


def _sold(facts: Facts, name: str, title: str, cause: str, fact: str) -> Check:
    obstacles: Sequence[Obstacle] = getattr(facts, fact)
    if not obstacles:
        return Check(name, title, PASS)
    # Those that need somebody first, then by date: the first ones are those that are shown.
    order = sorted(obstacles, key=lambda one: (one.waits, _when(one), one.name))
    state = WAITING if all(one.waits for one in order) else FAIL
    owner = _joined(one.owner for one in order if not one.waits) or NOBODY
    remedy = "Each one below says who ends it, how and when." if state == FAIL else "Wait: each one below has its date."
    return Check(name, title, state, f"{len(order)} found: {cause}", remedy, owner, len(order), order)


def _sync(facts: Facts) -> Check:
    name, title = "directory-sync", "Directory synchronisation"
    if not facts.sync_on:
        return Check(name, title, PASS)
    remedy = "Turn it off and wait up to 72 hours."
    if facts.planned:
        remedy = "The plan turns it off, or asks a person where Microsoft refuses that to us; it takes up to 72 hours."
    owner = CLOSURE if facts.planned else "Hybrid Identity Administrator"
    return Check(name, title, FAIL, "directory synchronisation is on", remedy, owner)


def _domains(facts: Facts) -> Check:
    name, title, left = "custom-domains", "Custom domains", facts.domains
    if not left.count:
        return Check(name, title, PASS)
    if not facts.domains_demanded:
        cause = f"{left.count} found: not demanded, they go with the tenant"
        return Check(name, title, PASS, cause, count=left.count, obstacles=left.some)
    remedy, owner = "Remove them under Settings > Domains, what refers to them first.", GLOBAL
    if facts.planned:
        remedy, owner = "The plan removes them before it has subscriptions cancelled.", CLOSURE
    some = [replace(one, remedy=one.remedy or remedy, owner=one.owner or owner) for one in left.some]
    cause = f"{left.count} found: custom domains are left, with which a subscription can't be cancelled"
    return Check(name, title, FAIL, cause, remedy, owner, left.count, some)


def _partner(kind: str | None) -> Check:
    name, title = "partner-directory", "Partner directory"
    if not kind:
        return Check(name, title, PASS)
    cause = f"this is a partner's directory ({kind})"
    return Check(name, title, FAIL, cause, "Ask partner support to end the partnership.", "Microsoft partner support")


def _external(what: str, count: int | None) -> Check:
    name, blade = _BLADES[what]
    title, remedy = what.capitalize(), f"Delete them under {blade}."
    if count is None:
        return Check(name, title, UNKNOWN, f"The {what} can't be read.", remedy, KEEPER)
    if not count:
        return Check(name, title, PASS)
    return Check(name, title, FAIL, f"{count} found: {what} are left", remedy, KEEPER, count)
