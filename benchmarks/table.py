"""The results as tables: for a terminal, and as Markdown for the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.table import Table

from benchmarks.figures import Row, Spread
from benchmarks.scenarios import SCENARIOS

COLUMNS = (
    "program",
    "users",
    "runs",
    "first delete to proof",
    "users/s",
    "x ours",
    "x bare loop",
    "of the quota's optimum",
    "wrongly reported",
    "left",
    "lost",
    "429",
    "requests/user",
    "peak memory",
    "history events",
    "per 1,000 users",
)
NOTHING = "–"


def _spread(spread: Spread | None, form: Callable[[float], str]) -> str:
    if spread is None:
        return NOTHING
    least, most = form(spread.least), form(spread.most)
    middle = form(spread.middle)
    return middle if least == most else f"{middle} ({least}–{most})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _fine_percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _ratio(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}"


def cells(row: Row) -> tuple[str, ...]:
    """One row's texts, as COLUMNS has them; a median, and the least and most when they differ."""
    value = row.values.get
    runs = f"{row.runs}, {row.failed} failed" if row.failed else str(row.runs)
    return (
        row.label,
        f"{row.users:,}",
        runs,
        _spread(value("seconds"), lambda seconds: f"{_number(seconds)} s"),
        _spread(value("perSecond"), _number),
        _ratio(row.to_ours),
        _ratio(row.to_floor),
        _spread(value("optimumShare"), _percent),
        _spread(value("wrong"), lambda count: f"{count:,.0f}"),
        _spread(value("left"), lambda count: f"{count:,.0f}"),
        _spread(value("lost"), lambda count: f"{count:,.0f}"),
        _spread(value("throttledShare"), _fine_percent),
        _spread(value("requestsPerItem"), lambda count: f"{count:.2f}"),
        _spread(value("peakMb"), lambda size: f"{size:,.0f} MB"),
        _spread(value("events"), lambda count: f"{count:,.0f}"),
        _spread(value("eventsPerThousand"), _number),
    )


def tables(rows: Iterable[Row]) -> list[Table]:
    """One table for each scenario."""
    made = []
    for name, group in by_scenario(rows).items():
        table = Table(title=SCENARIOS[name].title, title_justify="left")
        for number, column in enumerate(COLUMNS):
            table.add_column(column, justify="left" if number == 0 else "right")
        for row in group:
            table.add_row(*cells(row))
        made.append(table)
    return made


def by_scenario(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows under their scenario, smaller tenants first."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.scenario, []).append(row)
    return {name: sorted(found[name], key=lambda row: row.users) for name in SCENARIOS if name in found}


def markdown(rows: Iterable[Row], columns: Iterable[str] = COLUMNS) -> str:
    """The tables for a page; columns in which a table has nothing are left out."""
    wanted, texts = tuple(columns), []
    for name, group in by_scenario(rows).items():
        table = [dict(zip(COLUMNS, cells(row), strict=True)) for row in group]
        shown = [column for column in wanted if any(line[column] != NOTHING for line in table)]
        rule = [":--" if column == COLUMNS[0] else "--:" for column in shown]
        lines = [shown, rule, *([line[column] for column in shown] for line in table)]
        drawn = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        texts.append(f"**{SCENARIOS[name].title}**\n\n{drawn}")
    return "\n\n".join(texts)
