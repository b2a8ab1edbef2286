"""From the results of runs to rows, tables, demands, plots and pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import pages, plots, results
from benchmarks.checks import checks
from benchmarks.cold import heaviest
from benchmarks.contender import last_line, read_outcomes
from benchmarks.figures import Row, Spread, rows
from benchmarks.ours import outcomes
from benchmarks.runs import Run
from benchmarks.table import COLUMNS, cells, markdown
from cli.errors import CliError

GOOD = {
    "seconds": 20.0,
    "perSecond": 500.0,
    "deleteSeconds": 19.0,
    "optimumShare": None,
    "wrong": 0,
    "lost": 0,
    "throttledShare": 0.0,
    "requestsPerItem": 0.05,
    "peakMb": 150.0,
    "events": None,
    "eventsPerThousand": None,
    "largestHistory": None,
}


def result(name: str, users: int = 10_000, scenario: str = "free", number: int = 1, **figures: Any) -> dict[str, Any]:
    run = Run(name, users, scenario, number)
    return {"key": run.key, "run": run.to_dict(), "ok": True, "figures": {**GOOD, **figures}}


def table(*found: dict[str, Any]) -> dict[str, Row]:
    return {row.label: row for row in rows(found)}


def passed(*found: dict[str, Any], loaded: dict[str, Any] | None = None) -> dict[str, bool | None]:
    return {check.what: check.passed for check in checks(rows(found), loaded)}


def test_many_runs_are_a_median_with_its_ends() -> None:
    """The middle of three, with the least and the most; what nobody measured is nothing."""
    assert Spread(2.0, 1.0, 9.0) == Spread.of([9, 1, 2, None])
    assert Spread.of([None]) is None


def test_rows_compare_with_ours_and_the_floor() -> None:
    """Ratios are of medians, within the same scenario and number of users."""
    found = table(
        *(result("ours", number=n, perSecond=pace) for n, pace in enumerate((300, 400, 500), 1)),
        result("bare_loop", perSecond=800),
        result("sdk_loop", 1_000, perSecond=8),
    )

    assert (1.0, 0.5) == (found["ours"].to_ours, found["ours"].to_floor)
    assert (2.0, 1.0) == (found["bare_loop"].to_ours, found["bare_loop"].to_floor)
    assert (None, None) == (found["sdk_loop"].to_ours, found["sdk_loop"].to_floor)


def test_failed_runs_are_told_and_not_counted() -> None:
    """A run that broke off has no figures; the row says how many did."""
    broken = {**result("ours", number=2), "ok": False, "why": "died", "figures": None}
    row = table(result("ours"), broken)["ours"]

    assert (2, 1, 500.0) == (row.runs, row.failed, row.middle("perSecond"))
    assert "2, 1 failed" == cells(row)[COLUMNS.index("runs")]


def test_markdown_leaves_out_empty_columns() -> None:
    """A scenario's table has the columns that say something, and spreads where values differ."""
    text = markdown(rows([result("ours"), result("ours", number=2, seconds=22.0), result("bare_loop")]))

    assert "**no quota**" in text
    assert "21.0 s (20.0 s–22.0 s)" in text
    assert "history events" not in text
    assert 1 == len({line.count("|") for line in text.splitlines() if line.startswith("|")})


def test_demands_say_what_was_not_measured() -> None:
    """Without figures nothing passes and nothing fails."""
    assert {None} == set(passed().values())


@pytest.mark.parametrize(
    ("share", "throttled", "wrong", "expected"),
    [(0.985, 0.0005, 0, True), (0.979, 0.001, 1, False)],
)
def test_demands_with_the_quota(share: float, throttled: float, wrong: int, expected: bool) -> None:
    """The worst of the runs counts, for the share of the optimum, the 429s and what was told wrongly."""
    bad = result("ours", scenario="quota", optimumShare=share, throttledShare=throttled, wrong=wrong, lost=wrong)
    good = result("ours", scenario="quota", number=2, optimumShare=0.99)
    found = passed(bad, good)

    assert {expected} == {known for what, known in found.items() if what.startswith("10,000 users with quota")}


def test_demands_without_a_quota() -> None:
    """0.7 of the floor and five times serial $batch."""
    found = passed(
        result("ours", perSecond=700), result("bare_loop", perSecond=1000), result("serial_batch", perSecond=141)
    )

    assert found["no quota, users/s over the bare loop's"] is True
    assert found["no quota, users/s over serial $batch"] is False


def test_demands_on_growth() -> None:
    """Memory, time per user and histories are compared between sizes."""
    found = passed(
        result("ours", seconds=20, peakMb=150, events=500, largestHistory=200),
        result("ours", 100_000, seconds=221, events=2_300, largestHistory=1_900),
        result("ours", 1_000_000, seconds=2_500, peakMb=180, events=20_000, largestHistory=2_001),
    )

    assert found["host's peak memory, 1,000,000 users over 10,000"] is True
    assert found["time per user, 100,000 users over 10,000"] is False
    assert found["history events more per 1,000 users, 10,000 to 100,000"] is True
    assert found["largest history of an orchestrator"] is False


def test_demands_on_answers_under_load() -> None:
    """Five times the idle p99 is the most."""
    found = passed(loaded={"closures": 10, "api": {"ratio": 5.0}, "page": {"ratio": 5.1}})

    assert found["API p99 with ten closures over idle"] is True
    assert found["page p99 with ten closures over idle"] is False


def test_a_few_closures_are_no_load() -> None:
    """What the quick bench measures with three closures says nothing about ten."""
    found = passed(loaded={"closures": 3, "api": {"ratio": 1.0}, "page": {"ratio": 1.0}})

    assert found["API p99 with ten closures over idle"] is None


def test_a_page_gets_its_table_between_two_comments(tmp_path: Path) -> None:
    """What stands around them stays, what stood between them goes; a second time nothing changes."""
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{pages.BEGIN}\nold\n{pages.END}\n\nafter\n", encoding="utf-8")
    pages.write(page, "| new |")
    once = page.read_text(encoding="utf-8")
    pages.write(page, "| new |")

    assert f"# Title\n\n{pages.BEGIN}\n\n| new |\n\n{pages.END}\n\nafter\n" == once
    assert once == page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["", pages.BEGIN, f"{pages.END} {pages.BEGIN}", f"{pages.BEGIN} {pages.END}" * 2])
def test_a_page_without_its_place_is_left_alone(page: str) -> None:
    """Nothing is written where the comments are missing, the wrong way round or there twice."""
    with pytest.raises(ValueError, match="once each"):
        pages.put(page, "text")


def test_our_report_is_read_in_the_words_of_a_contender() -> None:
    """Users only, deletions only; a name may hold a comma; a later line counts."""
    lines = [
        "family,operation,id,name,outcome,status,code,reason,requestId,at",
        'users,delete,1,"Doe, J.",removed,204,,,,',
        "users,delete,2,b,absent,404,,,,",
        "users,delete,3,c,refused,403,,,,",
        "users,delete,3,c,removed,204,,,,",
        "users,block,4,d,failed,500,,,,",
        "users,delete,5,e,failed,500,,,,",
        "domains,delete,6,f,removed,204,,,,",
    ]

    assert {"1": "deleted", "2": "gone", "3": "deleted", "5": "failed"} == outcomes(lines)


def test_a_killed_program_leaves_half_a_line(tmp_path: Path) -> None:
    """What it wrote whole is its report, the broken line is not; no file is no report."""
    file = tmp_path / "outcomes.ndjson"
    file.write_text('{"id": "1", "reported": "deleted"}\n{"id": "2", "rep', encoding="utf-8")

    assert {"1": "deleted"} == read_outcomes(file)
    assert {} == read_outcomes(tmp_path / "none")


def test_a_program_without_a_last_line_is_an_error(tmp_path: Path) -> None:
    """Its last JSON line is what it says of itself; without one there is nothing to judge."""
    log = tmp_path / "tool.log"
    log.write_text('warming up\n{"provenAt": 1}\n{"provenAt": 2}\nbye\n', encoding="utf-8")
    assert {"provenAt": 2} == last_line(log)

    log.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(CliError, match="without a line of JSON"):
        last_line(log)


def test_a_bench_goes_on_from_what_was_written(tmp_path: Path) -> None:
    """Good results are kept by their names; a failed run and a line that a crash cut off are done again."""
    file = tmp_path / "runs.ndjson"
    assert {} == results.read(file)
    results.append(file, result("ours"))
    results.append(file, {"key": "other", "ok": False, "why": "died"})
    with file.open("a", encoding="utf-8") as out:
        out.write('{"key": "cut", "ok": tr')

    assert ["ours 10000 free #1"] == list(results.read(file))


def test_the_heaviest_imports_are_summed_by_package() -> None:
    """`-X importtime` tells microseconds of each module by itself; its heading is no module."""
    said = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:      1500 |       1500 |   yaml.loader\n"
        "import time:       500 |       2000 | yaml\n"
        "import time:      4000 |       4000 | azure.functions.http\n"
    )

    assert [("azure.functions", 4.0), ("yaml.loader", 1.5), ("yaml", 0.5)] == [
        (one["package"], one["ms"]) for one in heaviest(said)
    ]


@pytest.mark.slow
def test_plots_are_the_same_for_the_same_figures(tmp_path: Path) -> None:
    """Two pictures, twice drawn, byte for byte; a figure that lost users says so."""
    found = rows(
        [
            result("ours"),
            result("ours", 100_000),
            result("serial_batch", lost=3),
            result("ours", scenario="quota", optimumShare=0.99),
        ]
    )
    first, again = plots.draw(found, tmp_path / "a"), plots.draw(found, tmp_path / "b")

    assert ["speed.svg", "memory.svg"] == [file.name for file in first]
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in again]
    assert "3 lost or told wrongly" in first[0].read_text(encoding="utf-8")
