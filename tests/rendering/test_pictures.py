"""Geometry of the pictures: nothing vanishes, nothing leaves its frame."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.rendering.pictures import LEAST, MOST_MARKS, PARTS, WIDTH, closing_lanes, family_bars, phase_strip
from tests.rendering.sample import report

COUNT = st.integers(0, 10**6)


@given(st.fixed_dictionaries({"planned": COUNT, **dict.fromkeys(PARTS, COUNT)}))
def test_a_bar_stays_in_its_line_and_shows_each_outcome(tally: dict[str, int]) -> None:
    """Whatever the counts, pieces follow each other within the width and each outcome that happened has one."""
    bars = family_bars({"users": tally})
    pieces = [piece for bar in bars for piece in bar["pieces"]]

    assert [part for part in PARTS if tally[part]] == [piece["part"] for piece in pieces]
    for piece in pieces:
        assert 0 <= piece["x"] <= WIDTH
        assert 0 < piece["width"]
        assert piece["x"] + piece["width"] <= WIDTH + 0.2


def test_a_phase_is_drawn_where_it_ran() -> None:
    """From twenty to fifty minutes of an hour is half of the strip, beginning at a third."""
    made = report()
    (bar,) = phase_strip(made["timeline"], made["createdAt"], made["endedAt"])

    assert ("delete-users", 213.3, 320.0, 1800.0, False) == tuple(
        bar[key] for key in ("phase", "x", "width", "seconds", "open")
    )


def test_a_phase_that_never_ended_reaches_to_the_end() -> None:
    """What was broken off is drawn as open."""
    made = report()
    (bar,) = phase_strip(made["timeline"][:2], made["createdAt"], made["endedAt"])

    assert bar["open"]
    assert round(WIDTH) == round(bar["x"] + bar["width"])


DATES = st.integers(0, 6 * 10**9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC).isoformat())


@given(st.lists(st.tuples(DATES, DATES), max_size=4), DATES)
def test_a_lane_stays_in_its_picture(pairs: list[tuple[str, str]], at: str) -> None:
    """Whatever the dates, also backwards and before the look, every lane's bar can be seen inside the frame."""
    legs = [{"what": "E5", "from": start, "to": end} for start, end in pairs]
    picture = closing_lanes({"lanes": legs}, at)

    assert len(legs) == len(picture["lanes"])
    for lane in picture["lanes"]:
        assert 0 <= lane["x"] and LEAST <= lane["width"] and lane["x"] + lane["width"] <= WIDTH + 0.2
    assert len(picture["months"]) <= MOST_MARKS
    assert all(0 <= x <= WIDTH for x in picture["months"])


def test_lanes_share_one_scale_with_months() -> None:
    """Half of the time is half of the width; the first of each month is marked."""
    legs = [
        {"what": name, "from": "2026-11-01T12:00:00Z", "to": to}
        for name, to in (("Year", "2027-01-30T12:00:00Z"), ("Half", "2026-12-16T12:00:00Z"))
    ]
    picture = closing_lanes({"lanes": legs}, "2026-11-01T12:00:00Z")

    assert [(0.0, 640.0), (0.0, 320.0)] == [(lane["x"], lane["width"]) for lane in picture["lanes"]]
    assert [209.8, 430.2] == picture["months"]
    assert [] == closing_lanes(None, None)["lanes"] == closing_lanes({"lanes": []}, "2026-11-01T12:00:00Z")["lanes"]
