"""When a closure counts as stuck, and every reason to wait that does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tenantclosure.names import Control, Phase, Status
from tenantclosure.policy.stuck import LIMIT, Standing, is_stuck, overdue, watched

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SILENT = Standing(Status.RUNNING, Phase.USERS, Control.RUN, signed=NOW - timedelta(hours=1))
SOON = NOW + timedelta(minutes=5)


@pytest.mark.parametrize(
    "why",
    [
        {"status": Status.ENDED},
        {"control": Control.PAUSE},
        {"gate_answered": False, "answer_by": SOON},
        {"window_open": False},
        {"slowed_until": SOON},
        {"phase": Phase.QUIET, "quiet_until": SOON},
        {"phase": Phase.SYNC_OFF, "signed": NOW - 3 * DAY},
        {"phase": Phase.READINESS, "signed": NOW - DAY / 2},
        {"phase": Phase.SYNC_OFF, "signed": NOW - 30 * DAY, "dates": (SOON,)},
        {"phase": Phase.DELETE_TENANT, "signed": NOW - 30 * DAY, "dates": (NOW - DAY, SOON)},
    ],
)
def test_a_reason_to_wait_is_none_to_worry(why: dict[str, Any]) -> None:
    """People, a pause, a date on record, Microsoft's lags and a closed window are waited for."""
    assert "" == overdue(replace(SILENT, **why), NOW, DAY)


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("no-progress", {}),
        ("restarts", {"restarted": True}),
        ("order-unheard", {"control": Control.PAUSE, "obeyed": False}),
        ("gate-unheard", {"gate_answered": True, "answer_by": SOON}),
        ("gate-unheard", {"gate_answered": False, "answer_by": NOW - timedelta(seconds=1)}),
        ("no-progress", {"slowed_until": NOW - timedelta(seconds=1)}),
        ("no-progress", {"phase": Phase.READINESS, "signed": NOW - 2 * DAY, "dates": (NOW + 400 * DAY,)}),
        ("no-progress", {"phase": Phase.USERS, "dates": (NOW + 400 * DAY,)}),
        ("no-progress", {"phase": Phase.DELETE_TENANT, "signed": NOW - 30 * DAY, "dates": (NOW - DAY,)}),
    ],
)
def test_what_should_have_moved_is_overdue(reason: str, why: dict[str, Any]) -> None:
    """Nobody and no date is waited for; a subscription's date far off hides no standstill of another phase."""
    assert reason == overdue(replace(SILENT, **why), NOW, DAY)


def test_overdue_for_long_enough_is_stuck() -> None:
    """It must stay overdue under the sweep's eyes: a host that was away for a week finds nothing stuck at once."""
    first = watched(None, replace(SILENT, signed=NOW - 7 * DAY), NOW, DAY, 1)
    later = watched(first, replace(SILENT, signed=NOW - 7 * DAY), NOW + LIMIT, DAY, 1)

    assert not is_stuck(first, NOW)
    assert not is_stuck(first, NOW + LIMIT - timedelta(seconds=1))
    assert is_stuck(later, NOW + LIMIT)


def test_any_sign_begins_anew() -> None:
    """Progress that is overdue again later is another standstill."""
    first = watched(None, SILENT, NOW, DAY, 1)
    again = watched(first, replace(SILENT, signed=NOW + timedelta(minutes=1)), NOW + LIMIT, DAY, 1)

    assert again is not None
    assert NOW + LIMIT == again.since
    assert watched(first, replace(SILENT, control=Control.PAUSE), NOW + LIMIT, DAY, 1) is None
