"""The earliest closing date: a lower bound that the longest road decides, and what people decide has no date."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.model.inventory import Item
from tenantclosure.policy.closing_date import LANES, Outlook, Sold, closing, of_plan, of_standing
from tenantclosure.policy.obstacles import CLOSURE, Obstacle
from tenantclosure.policy.readiness import Facts, Left, checks
from tests.policy.bought import DAY, NOW, iso

HOUR = 1 / 24


def sold(days: float | None, due: float | None = None, name: str = "E5", **members: Any) -> Sold:
    obstacle = Obstacle(name, name, waits=days is not None, **{"provider": "mca", "stage": "non-renewing", **members})
    return Sold(obstacle, None if days is None else iso(days), None if due is None else iso(due))


def date(*subscriptions: Sold, day: float = DAY, **outlook: Any) -> dict[str, Any]:
    return closing(Outlook(subscriptions, **outlook), [], NOW, day)


def days(found: dict[str, Any]) -> float:
    return (datetime.fromisoformat(found["earliest"]) - NOW).total_seconds() / DAY


def test_nothing_to_wait_for_is_now() -> None:
    """A tenant whose end only people hold up can be closed today; there is no path to draw."""
    found = date()
    assert (days(found), found["path"], found["lanes"]) == (0, [], [])
    assert [one["what"] for one in found["undated"]] == ["Deleting the tenant in the portal"]


def test_the_last_subscription_decides() -> None:
    """Its term, Microsoft's days, then two looks an hour apart: one leg after the other, to the second."""
    found = date(sold(320, 200, "Year"), sold(40, 10, "Month"))
    assert days(found) == pytest.approx(320 + HOUR)
    assert [(leg["what"], leg["to"]) for leg in found["path"]] == [
        ("Year", iso(200)),
        ("Year", iso(320)),
        ("Year", iso(320 + HOUR)),
    ]
    assert [leg["from"] for leg in found["path"]] == [NOW.isoformat(), iso(200), iso(320)]
    assert [(lane["what"], lane["critical"]) for lane in found["lanes"]] == [("Year", True), ("Month", False)]


def test_a_quiet_period_counts_from_its_begin() -> None:
    """The days that the request asks for are certain; what of them is over is not waited for again."""
    ahead, begun = date(sold(10), quiet_days=30.0), date(sold(10), quiet_days=30.0, quiet_from=iso(-12))
    assert (days(ahead), days(begun)) == (30, 18)
    assert [leg["what"] for leg in ahead["path"]] == ["Quiet period"]
    assert days(date(quiet_days=30.0, quiet_from=iso(-60))) == 0


def test_up_to_72_hours_are_shown_and_not_counted() -> None:
    """Directory synchronisation takes 72 hours at most, so the tenant may be closed earlier: the bound stays."""
    found = date(sync_on=True)
    ((what, soft, to),) = [(lane["what"], lane["soft"], lane["to"]) for lane in found["lanes"]]
    assert (what, soft, to, days(found)) == ("Directory synchronisation", True, iso(3), 0)


@pytest.mark.parametrize(
    ("stage", "side", "due", "reported", "expected"),
    [
        ("planned", "manual", None, None, 3),
        ("disabled", "manual", 90, None, 3),
        ("disabled", "manual", 1, None, 1),
        ("delete-requested", "manual", 90, -2, 1),
        ("planned", "support", None, None, None),
        ("planned", "unclear", None, None, None),
    ],
)
def test_what_a_person_deletes_takes_three_days(
    stage: str, side: str, due: float | None, reported: float | None, expected: float | None
) -> None:
    """From the report, or from now; what goes by itself before, goes before. Of Support nobody knows anything."""
    tasks = [{"reports": [{"at": iso(reported)}] if reported is not None else []}]
    standing = {"side": side, "dueAt": None if due is None else iso(due), "earliest": None}
    found = date(of_standing(Obstacle("E5", provider="manual", stage=stage), standing, tasks))
    assert days(found) == (0 if expected is None else pytest.approx(expected + HOUR))


@pytest.mark.parametrize(("gone", "expected"), [(None, HOUR), (-0.5 * HOUR, 0.5 * HOUR), (-5, 0)])
def test_what_was_seen_gone_is_proven_an_hour_later(gone: float | None, expected: float) -> None:
    """Only the rest of the hour is missing."""
    standing = {"goneAt": None if gone is None else iso(gone), "earliest": iso(300)}
    found = date(of_standing(Obstacle("E5", provider="mca", stage="deprovisioning"), standing, []))
    assert days(found) == pytest.approx(expected, abs=1 / DAY)


def test_a_plan_has_its_own_dates() -> None:
    """Before the first step the plan's `earliest` counts, and Microsoft's next date divides the way."""
    facts = {"provider": "trial", "earliest": iso(43), "nextLifecycle": iso(10), "why": "a trial"}
    found = date(of_plan(Item("t", "Trial", facts)))
    assert (days(found), [leg["to"] for leg in found["path"]]) == (
        pytest.approx(43 + HOUR, abs=1 / DAY),
        [iso(10), iso(43), iso(43 + HOUR)],
    )
    assert days(date(of_plan(Item("m", "E5", {"provider": "manual", "earliest": None})))) == pytest.approx(3 + HOUR)
    assert days(date(of_plan(Item("s", "Locked", {"provider": "support"})))) == 0


@pytest.mark.parametrize("odd", [None, "", "soon", 5, "9999-12-31T23:59:59Z", iso(-400)])
def test_odd_dates_break_nothing(odd: Any) -> None:
    """Missing, unreadable, endless or long past: there is a date, and it is never before now."""
    standing = {"earliest": odd, "dueAt": odd, "goneAt": odd, "side": "waiting"}
    for stage in ("planned", "deprovisioning", "a word from elsewhere"):
        found = date(of_standing(Obstacle("E5", provider="mca", stage=stage), standing, [{"reports": [{"at": odd}]}]))
        assert days(found) >= 0
        assert all(datetime.fromisoformat(leg["to"]) >= NOW for leg in found["path"])


def test_our_lags_are_short_in_a_rehearsal_and_dates_are_real() -> None:
    """The hour between two looks and the quiet days follow the rehearsal's clock; Microsoft's dates do not."""
    assert date(sold(2), day=0.25)["earliest"] == (NOW + timedelta(days=2)).isoformat(timespec="seconds")
    quiet = datetime.fromisoformat(date(day=60.0, quiet_days=30.0)["earliest"])
    assert quiet == NOW + timedelta(minutes=30)


def test_what_people_decide_has_no_date() -> None:
    """Gates, what somebody has to clear and the portal's Delete are named, with who; ours and dates are not."""
    people = Obstacle("Visio", owner="Microsoft Support")
    facts = Facts(licences=[people, Obstacle("E5", waits=True, earliest=iso(9))], users=Left(3), planned=True)
    found = closing(Outlook(gates=("plan", "delete-tenant"), external=True), checks(facts), NOW, DAY)
    assert [(one["what"], one["who"]) for one in found["undated"]] == [
        ("Approval of the plan", "the approvers"),
        ("Approval of the tenant's end", "the approvers"),
        ("Licence subscriptions", "Microsoft Support"),
    ]
    assert all(CLOSURE not in one["who"] for one in found["undated"])


def test_hundreds_are_counted() -> None:
    """The picture has so many lanes, the latest first; the rest is a number."""
    found = date(*(sold(float(n), name=f"E{n}") for n in range(1, 501)))
    assert ([lane["what"] for lane in found["lanes"]][:2], len(found["lanes"])) == (["E500", "E499"], LANES)
    assert found["more"] == 500 - LANES


DAYS = st.floats(-500, 500) | st.none()


@given(st.lists(st.tuples(DAYS, DAYS), max_size=5), st.floats(0, 365))
def test_no_road_ends_later_than_the_date(pairs: list[tuple[float | None, float | None]], quiet: float) -> None:
    """The date is the end of the longest road: never before a certain one, and the path leads there without a gap."""
    found = date(*(sold(*pair) for pair in pairs), quiet_days=quiet)
    ends = [one for one, _ in pairs if one is not None]
    assert days(found) == pytest.approx(max([0, quiet, *(max(end, 0) + HOUR for end in ends)]), abs=2 / DAY)
    for leg, following in zip(found["path"], found["path"][1:], strict=False):
        assert leg["to"] == following["from"]
