"""Shows a closure's progress: a live view on a terminal, one line per change anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cli.errors import Unreachable
from cli.output import plain

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
"""How long a server may be away (a restart) before watching gives up."""
BAR = 16
OUTCOMES = ("removed", "absent", "refused", "failed")
"""What of the planned items is dealt with; kept ones were never planned."""
SHOWN = 5
"""How many tasks or blockers the view names; the rest is counted."""


def follow(
    read: Callable[[], dict[str, Any]],
    console: Console,
    *,
    poll: float = POLL_SECONDS,
    seen: Callable[[dict[str, Any]], bool] = lambda document: False,
) -> dict[str, Any]:
    """Read again and again until the closure is ended, or until `seen`, which gets each document, says stop."""
    from rich.live import Live

    if not console.is_terminal:
        said = ""
        for document in _documents(read, poll):
            line = summary(document)
            if _stage(line) != _stage(said):
                console.print(line, crop=False, soft_wrap=True)
                said = line
            if document.get("status") == "ended" or seen(document):
                return document
    else:
        with Live(console=console, refresh_per_second=4, transient=False) as live:
            for document in _documents(read, poll):
                live.update(render(document))
                if document.get("status") == "ended" or seen(document):
                    return document
    raise AssertionError("documents never end")


def _documents(read: Callable[[], dict[str, Any]], poll: float) -> Iterator[dict[str, Any]]:
    away_since: float | None = None
    while True:
        try:
            document = read()
        except Unreachable:
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > PATIENCE_SECONDS:
                raise
        else:
            away_since = None
            yield document
        time.sleep(poll)


def _stage(line: str) -> str:
    return line.partition("  ")[2].partition("  |")[0]


def summary(document: dict[str, Any]) -> str:
    """One line: time, phase, status, open gate; then what changes all the time."""
    gate = document.get("gate") or {}
    stage = " ".join(
        plain(part)
        for part in (
            document.get("phase") or "-",
            document.get("result") or document.get("status"),
            f"(gate {gate.get('name')} #{gate.get('serial')})" if gate else "",
        )
        if part
    )
    families = _families(document).items()
    counts = ", ".join(f"{plain(name)} {_done(row)}/{row.get('planned', 0)}" for name, row in families)
    return f"{datetime.now(UTC):%H:%M:%SZ}  {stage}  | {counts}"


def render(document: dict[str, Any]) -> RenderableType:
    """The whole view: where it is, what is done, how fast, and what people have to do."""
    from rich.console import Group
    from rich.text import Text

    head = Text(f"{plain(document.get('domain'))}  {plain(document.get('closureId'))}", style="bold")
    state = plain(document.get("result") or document.get("status"))
    line = Text.assemble((state, _colour(state)), "  ", _pace(document))
    parts: list[RenderableType] = [head, line, _phases(plain(document.get("phase")), state)]
    if stuck := document.get("stuck"):
        parts.append(Text(f"Stuck since {plain(stuck.get('since'))}: {plain(stuck.get('reason'))}", style="bold red"))
    if _families(document):
        parts.append(_counts(_families(document)))
    parts += [*_gate(document), *_tasks(document), *_blockers(document)]
    return Group(*parts)


def _pace(document: dict[str, Any]) -> str:
    rate = document.get("rate")
    said = f"{rate:.1f} a second" if isinstance(rate, (int, float)) and rate else ""
    left = time_left(document.get("eta"))
    return ", ".join(part for part in (said, f"about {left} left" if left else "") if part)


def time_left(eta: Any, now: datetime | None = None) -> str:
    """Time until `eta` (ISO 8601, or seconds) in words a person reads at a glance; empty when unknown."""
    if isinstance(eta, str):
        try:
            seconds = (datetime.fromisoformat(eta) - (now or datetime.now(UTC))).total_seconds()
        except (ValueError, TypeError):
            return ""
    elif isinstance(eta, (int, float)):
        seconds = float(eta)
    else:
        return ""
    seconds = max(0, round(seconds))
    if seconds < 90:
        return f"{seconds} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h" if seconds < 172800 else f"{round(seconds / 86400)} days"


def _phases(current: str, state: str) -> RenderableType:
    from rich.text import Text

    from tenantclosure.names import Phase

    undoing = (Phase.GATE_ROLLBACK, Phase.ROLLBACK)  # only of a closure that is rolled back
    order = [str(phase) for phase in Phase if phase not in undoing or current in undoing]
    at = len(order) if state == "closed" else order.index(current) if current in order else -1
    text = Text()
    for number, name in enumerate(order):
        if number < at:
            text.append(f"✓ {name}  ", style="green")
        elif number == at:
            text.append(f"▶ {name}  ", style="bold cyan")
        else:
            text.append(f"· {name}  ", style="dim")
    return text


def _families(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    counts = document.get("counts")
    if not isinstance(counts, dict):
        return {}
    return {name: row for name, row in counts.items() if isinstance(row, dict) and row.get("planned")}


def _done(row: dict[str, Any]) -> int:
    """What is through; kept things are not among the planned ones."""
    return sum(int(row.get(key) or 0) for key in ("removed", "absent", "refused", "failed"))


def _counts(families: dict[str, dict[str, Any]]) -> RenderableType:
    from rich import box
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    outcomes = [name for name in OUTCOMES if any(row.get(name) for row in families.values())]
    grid = Table(box=box.SIMPLE, pad_edge=False)
    grid.add_column("family", no_wrap=True)
    grid.add_column("", min_width=BAR)
    for name in ("planned", *outcomes):
        grid.add_column(name, justify="right", no_wrap=True)
    for name, row in families.items():
        total = max(1, int(row["planned"]))
        bar = ProgressBar(total=total, completed=min(total, _done(row)), width=BAR)
        grid.add_row(plain(name), bar, *(str(row.get(key, 0)) for key in ("planned", *outcomes)))
    return grid


def _gate(document: dict[str, Any]) -> list[RenderableType]:
    from rich.text import Text

    gate = document.get("gate")
    if not isinstance(gate, dict) or not gate.get("name"):
        return []
    missing = gate.get("missing") or {}
    groups = missing.items() if isinstance(missing, dict) else ()
    wanted = ", ".join(f"{count} of {plain(name)}" for name, count in groups)
    said = f"Gate {plain(gate['name'])} is open until {plain(gate.get('answerBy'))}"
    return [Text(f"{said}; missing: {wanted}." if wanted else f"{said}.", style="yellow")]


def _tasks(document: dict[str, Any]) -> list[RenderableType]:
    ids = (document.get("tasks") or {}).get("ids") or []
    return _few([f"To do: {plain(task)}; see `closure tasks`." for task in ids], "yellow")


def _blockers(document: dict[str, Any]) -> list[RenderableType]:
    """What needs somebody in red, what only waits for a date in yellow; then the earliest end of it all."""
    from rich.text import Text

    rows = [row for row in document.get("blockers") or [] if isinstance(row, dict)]
    asked = _few([_blocker(row) for row in rows if not row.get("earliest")], "red")
    waiting = _few([_blocker(row) for row in rows if row.get("earliest")], "yellow")
    earliest = document.get("earliest")
    end = [Text(f"The tenant can't be closed before {plain(earliest)}.")] if earliest else []
    return [*asked, *waiting, *end]


def _blocker(row: dict[str, Any]) -> str:
    what, why, remedy, who, earliest = (
        plain(row.get(key) or "") for key in ("what", "why", "remedy", "who", "earliest")
    )
    clears = "; ".join(part for part in (who and f"Who: {who}", earliest and f"not before {earliest}") if part)
    said = [f"{part.rstrip('.')}." for part in (f"Blocker: {what}: {why}", remedy, clears) if part]
    return " ".join(said)


def _few(lines: list[str], style: str) -> list[RenderableType]:
    from rich.text import Text

    more = [f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return [Text(line, style=style) for line in lines[:SHOWN] + more]


GOOD, WAITING, BAD = "bold green", "bold yellow", "bold red"
COLOURS = {
    "closed": GOOD,
    **dict.fromkeys(("waiting-approval", "waiting", "paused"), WAITING),
    **dict.fromkeys(("blocked", "kept", "vetoed", "expired", "aborted", "failed"), BAD),
}


def _colour(state: str) -> str:
    return COLOURS.get(state, "bold cyan")
