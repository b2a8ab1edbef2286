"""Readiness: what is left fails its check by name and number; what nobody can read is unknown, never passed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tenantclosure.policy.readiness import UNKNOWN, Facts, blockers, checks

CLEAN = Facts([], False, [], [], [], [])


def test_a_clean_tenant_passes_what_can_be_read() -> None:
    """Every readable check passes, every other one stays unknown, and nothing blocks."""
    rows = checks(CLEAN)
    assert blockers(rows) == []
    assert {row["state"] for row in rows} == {"pass", "unknown"}
    assert [row["check"] for row in rows if row["state"] == "unknown"] == [name for name, _, _ in UNKNOWN]


@pytest.mark.parametrize(
    ("field", "check"),
    [
        ("users_left", "users"),
        ("applications_left", "applications"),
        ("service_principals_left", "enterprise-applications"),
        ("subscriptions_left", "subscriptions"),
        ("azure_left", "azure-subscriptions"),
    ],
)
def test_what_is_left_blocks(field: str, check: str) -> None:
    """One thing left fails its check alone; hundreds are counted in full and shown in part."""
    rows = checks(replace(CLEAN, **{field: [f"left {n}" for n in range(250)]}))
    (blocker,) = blockers(rows)
    assert (blocker["what"], len(blocker["items"])) == (check, 100)
    assert blocker["why"].startswith("250 found")
    assert blocker["remedy"]


def test_sync_blocks() -> None:
    """Directory synchronisation that is on fails its check."""
    (blocker,) = blockers(checks(replace(CLEAN, sync_on=True)))
    assert blocker["what"] == "directory-sync"
