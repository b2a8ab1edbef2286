"""Words and dates of the sellers, and the earliest date they allow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tenantclosure.policy.selling import earliest_gone, overdue
from tests.policy.bought import DAY, NOW, csp, iso, mca

PAYG, AAD = {"state": "Enabled", "quotaId": "PayAsYouGo_2014-09-01"}, {"state": "Enabled", "quotaId": "AAD_2015-09-01"}
ENABLED = {"status": "Enabled", "nextLifecycle": iso(200)}


@pytest.mark.parametrize(
    ("provider", "facts", "days"),
    [
        ("manual", ENABLED, None),
        ("support", ENABLED, None),
        ("disputed", ENABLED, None),
        ("self-service", ENABLED, None),
        ("azure", PAYG, 3),
        ("azure", AAD, 90),
        ("azure", {**AAD, "state": "Disabled", "disabledAt": iso(-60)}, 30),
        ("azure", {**PAYG, "state": "Disabled", "disabledAt": iso(-60)}, 0),
        ("azure", {"state": "Deleted"}, 0),
        ("mca", {**ENABLED, "billing": mca(3)}, 90),
        ("mca", {**ENABLED, "billing": mca()}, 320),
        ("mca", {**ENABLED, "billing": mca(termEndDate=None)}, 320),
        ("mca", {"status": "Suspended", "nextLifecycle": iso(40)}, 40),
        ("mca", {"status": "Enabled", "billing": mca(termEndDate=None)}, None),
        ("mca", {**ENABLED, "billing": mca(cancellation="Maybe")}, None),
        ("mca", ENABLED, None),
        ("csp", {**ENABLED, "partner": csp(3)}, 0),
        ("csp", {**ENABLED, "partner": csp(legacy=True)}, 90),
        ("csp", {**ENABLED, "partner": csp()}, 320),
        ("csp", {**ENABLED, "partner": csp(billingType="usage")}, None),
        ("trial", {"status": "Enabled", "nextLifecycle": iso(10)}, 43),
        ("trial", {"status": "Warning", "nextLifecycle": iso(10)}, 13),
        ("trial", {"status": "Enabled"}, None),
        ("manual", {"status": "absent"}, 0),
        ("trial", {"status": "Enabled", "nextLifecycle": "9999-12-31T23:59:59+00:00"}, "9999-12-31T23:59:59+00:00"),
    ],
)
def test_the_earliest_date(provider: str, facts: dict[str, Any], days: float | str | None) -> None:
    """By the durations Microsoft documents, counted from its own dates; without a date nobody can tell."""
    found = earliest_gone(provider, facts, NOW, DAY)
    date = days if isinstance(days, str) else None if days is None else iso(days)
    assert found == (None if date is None else type(NOW).fromisoformat(date))


def test_lags_are_short_in_a_rehearsal_and_dates_are_real() -> None:
    """Days of lag follow the rehearsal's clock; Microsoft's own dates do not."""
    lag = earliest_gone("azure", AAD, NOW, 0.05)
    date = earliest_gone("trial", {"status": "Warning", "nextLifecycle": iso(10)}, NOW, 0.05)
    assert lag is not None and (lag - NOW).total_seconds() == pytest.approx(4.5)
    assert date is not None and (date - NOW).total_seconds() == pytest.approx(10 * DAY + 0.15)


def test_never_is_a_date_that_does_not_come() -> None:
    """The calendar's last day, as some services write "never", is no date that has passed."""
    never = type(NOW).fromisoformat("9999-12-31T23:59:59+00:00")
    assert not overdue(never, NOW, DAY, 120)
    assert overdue(NOW - timedelta(days=122), NOW, DAY, 120)
