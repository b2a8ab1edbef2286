"""The threat model names every door as it is, and what it points at is there."""

from __future__ import annotations

import re

from tests.test_house import ROOT
from web import limiting
from web.limiting import Caller
from web.route import Route
from web.routes import ROUTES

PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")


def _rows(heading: str) -> list[list[str]]:
    """Cells of the first table below a heading, without its head."""
    lines = PAGE.partition(f"\n{heading}\n")[2].partition("\n#")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return rows[2:]


def _who(route: Route) -> str:
    if route.roles:
        return ", ".join(sorted(route.roles))
    return "an application" if route.application else "a link" if route.link else "anybody"


def test_every_door_stands_in_the_table() -> None:
    """Each route once, with method, path and whom it lets through; none that does not exist."""
    told = [tuple(cell.strip("`") for cell in row[:3]) for row in _rows("## HTTP doors")]

    assert [(route.name, f"{route.method} /{route.path}", _who(route)) for route in ROUTES] == told


def test_every_door_says_what_stops_the_others() -> None:
    """No door of the page is without an answer."""
    rows = [*_rows("## HTTP doors"), *_rows("## Other doors"), *_rows("## What must always hold")]

    assert [] == [row for row in rows if not all(row)]
    assert {4} == {len(row) for row in (*_rows("## HTTP doors"), *_rows("## Other doors"))}


def test_what_enforces_and_what_tests_a_rule_is_there() -> None:
    """Every file that the page names exists, and each rule names one of both kinds."""
    named = re.findall(r"`([\w./-]+\.(?:py|yml|json))`", PAGE)
    rules = _rows("## What must always hold")

    assert [] == [name for name in named if not (ROOT / name).is_file()]
    assert [] == [rule for rule, enforced, tested in rules if ".py`" not in enforced or "tests/" not in tested]


def test_the_limits_are_those_of_the_code() -> None:
    """The table of limits has the numbers that count."""
    told = [int(row[1]) for row in _rows("### How often")]

    assert [limiting.A_MINUTE[caller] for caller in (Caller.KNOWN, Caller.UNKNOWN, Caller.OPEN)] == told
