"""Draws the results as SVG: speed without a quota and time under it, and memory by size."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.figures import Row
from benchmarks.runs import OURS
from benchmarks.scenarios import SCENARIOS

mpl.use("svg")
# The same figures give the same file, and texts stay texts.
mpl.rcParams |= {"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False}
mpl.rcParams |= {"axes.spines.right": False, "figure.constrained_layout.use": True}

MINE, OTHER, BAD = "#0b6e4f", "#8a8f98", "#b3261e"


def draw(rows: Iterable[Row], folder: Path) -> list[Path]:
    """Write what there are figures for; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    found = list(rows)
    made = [_speed(found, folder / "speed.svg"), _memory(found, folder / "memory.svg")]
    return [file for file in made if file is not None]


def _speed(rows: list[Row], file: Path) -> Path | None:
    import matplotlib.pyplot as plt

    fast, paced = _free(rows), _group(rows, "quota") or _group(rows, "spent")
    panels = [(name, group) for name, group in (("free", fast), ("quota", paced)) if group]
    if not panels:
        return None
    figure, axes = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 3.2), squeeze=False)
    for axis, (name, group) in zip(axes[0], panels, strict=True):
        labels = [f"{row.label}\n{row.users:,} users" for row in group]
        if name == "free":
            _bars(axis, group, labels, "perSecond")
            axis.set_xscale("log")
            axis.set_xlabel("users a second, first delete to proof (log)")
        else:
            _bars(axis, group, labels, "deleteSeconds")
            _mark_optimum(axis, group)
            axis.set_xlabel("seconds, first to last deletion; line: optimum")
        axis.set_title(SCENARIOS[group[0].scenario].title, loc="left")
    return _save(figure, file)


def _free(rows: list[Row]) -> list[Row]:
    """Each program once: with ten thousand users where it was run so, otherwise with what it was."""
    best: dict[str, Row] = {}
    for row in _all(rows, "free"):
        known = best.get(row.label)
        if known is None or abs(row.users - 10_000) < abs(known.users - 10_000):
            best[row.label] = row
    return sorted(best.values(), key=lambda row: row.middle("perSecond") or 0)


def _all(rows: list[Row], scenario: str) -> list[Row]:
    return [row for row in rows if row.scenario == scenario and row.middle("seconds") is not None]


def _group(rows: list[Row], scenario: str) -> list[Row]:
    return sorted(_all(rows, scenario), key=lambda row: -(row.middle("deleteSeconds") or 0))


def _bars(axis: Any, group: list[Row], labels: list[str], name: str) -> None:
    values = [row.middle(name) or 0.0 for row in group]
    around = [[row.values[name] for row in group]][0]
    errors = [
        [value - spread.least if spread else 0.0 for value, spread in zip(values, around, strict=True)],
        [spread.most - value if spread else 0.0 for value, spread in zip(values, around, strict=True)],
    ]
    colours = [MINE if row.label == OURS else OTHER for row in group]
    axis.barh(labels, values, color=colours, xerr=errors, error_kw={"ecolor": "#333333", "capsize": 2, "lw": 0.8})
    for place, (row, value) in enumerate(zip(group, values, strict=True)):
        spoiled = (row.most("wrong") or 0) + (row.most("lost") or 0)
        note = f" {value:,.0f}" if value >= 10 else f" {value:.1f}"
        note += f"  {spoiled:,.0f} lost or told wrongly" if spoiled else ""
        axis.text(value, place, note, va="bottom", fontsize=7.5, color=BAD if spoiled else "#333333")
    axis.margins(x=0.25)


def _mark_optimum(axis: Any, group: list[Row]) -> None:
    for place, row in enumerate(group):
        share, took = row.middle("optimumShare"), row.middle("deleteSeconds")
        if share is not None and took is not None:
            axis.plot([share * took] * 2, [place - 0.4, place + 0.4], color=BAD, lw=1.2)


def _memory(rows: list[Row], file: Path) -> Path | None:
    import matplotlib.pyplot as plt

    mine = sorted((row for row in _all(rows, "free") if row.label == OURS), key=lambda row: row.users)
    if len(mine) < 2:
        return None
    figure, axis = plt.subplots(figsize=(4.6, 2.6))
    axis.plot([row.users for row in mine], [row.middle("peakMb") or 0 for row in mine], marker="o", color=MINE)
    axis.set_xscale("log")
    axis.set_ylim(bottom=0)
    axis.set_xlabel("users (log)")
    axis.set_title("peak memory of the host alone, MB", loc="left")
    return _save(figure, file)


def _save(figure: Any, file: Path) -> Path:
    import matplotlib.pyplot as plt

    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
    return file
