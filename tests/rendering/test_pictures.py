"""Geometry of the pictures: nothing vanishes, nothing leaves its frame."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.rendering.pictures import PARTS, WIDTH, family_bars, phase_strip
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
