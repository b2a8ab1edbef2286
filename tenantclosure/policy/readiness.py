"""Our mirror of the portal's delete page: each check passes, fails or is unknown, with cause and remedy
(tenant-facts A).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

UNKNOWN = (
    (
        "mfa-providers",
        "Legacy MFA providers can't be read by any API.",
        "The portal's check page names them if there are any.",
    ),
    ("invoices", "Open invoices can't be read by any API we hold.", "Pay what is due under Billing."),
    ("azure-access", "Whether the keeper manages access for Azure resources can't be read.", "The checklist sets it."),
    ("linkedin", "LinkedIn account connections can't be read by any API.", "Turn them off under User settings."),
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a fresh look found: names of everything that is left."""

    users_left: Sequence[str]
    sync_on: bool
    applications_left: Sequence[str]
    service_principals_left: Sequence[str]
    subscriptions_left: Sequence[str]
    azure_left: Sequence[str]


def checks(facts: Facts) -> list[dict[str, Any]]:
    """All checks as {check, state, cause, remedy, items}; state is pass, fail or unknown."""
    rows = [
        _check("users", facts.users_left, "users besides the keeper are left", "Remove or release them, then resume."),
        _check(
            "directory-sync",
            ["onPremisesSyncEnabled"] if facts.sync_on else [],
            "directory synchronisation is on",
            "Turn it off and wait up to 72 hours.",
        ),
        _check("applications", facts.applications_left, "app registrations are left", "Delete them."),
        _check(
            "enterprise-applications",
            facts.service_principals_left,
            "enterprise applications are left",
            "Delete or disable them.",
        ),
        _check(
            "subscriptions",
            facts.subscriptions_left,
            "subscriptions are not deprovisioned",
            "See their manual tasks and dates.",
        ),
        _check("azure-subscriptions", facts.azure_left, "Azure subscriptions are left", "Cancel and delete them."),
    ]
    rows += [
        {"check": name, "state": "unknown", "cause": cause, "remedy": remedy, "items": []}
        for name, cause, remedy in UNKNOWN
    ]
    return rows


def blockers(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The failed checks as blockers: {what, why, remedy, who, items, earliest}."""
    return [
        {
            "what": row["check"],
            "why": row["cause"],
            "remedy": row["remedy"],
            "who": "operator",
            "items": list(row["items"]),
            "earliest": None,
        }
        for row in rows
        if row["state"] == "fail"
    ]


def _check(name: str, left: Sequence[str], cause: str, remedy: str) -> dict[str, Any]:
    state = "fail" if left else "pass"
    return {
        "check": name,
        "state": state,
        "cause": f"{len(left)} found: {cause}" if left else "",
        "remedy": remedy if left else "",
        "items": list(left)[:100],
    }
