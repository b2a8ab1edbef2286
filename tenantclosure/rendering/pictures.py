"""Geometry of the pictures: outcomes per family as bars, phases as a strip over time, the way to the closing date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tenantclosure.names import Word

WIDTH = 640.0
ROW = 26.0
PARTS = ("removed", "absent", "kept", "refused", "failed")
LEAST = 3.0
"""Nothing that happened is too small to be seen."""
MOST_MARKS = 36
"""Marks that one scale bears."""


def family_bars(counts: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """One bar per family that has items; each fills its own line, because one has ten thousand and another two."""
    bars = []
    for family, tally in counts.items():
        known = sum(tally.get(part, 0) for part in PARTS)
        # `kept` items are not in the plan, so the whole is what was planned and what was kept beside it.
        whole = max(tally.get("planned", 0) + tally.get("kept", 0), known)
        if not whole:
            continue
        seen = [part for part in PARTS if tally.get(part, 0)]
        least = LEAST * len(seen)
        spare = max(WIDTH * known / whole, least) - least
        pieces, at = [], 0.0
        for part in seen:
            width = LEAST + spare * tally[part] / known
            pieces.append({"part": part, "count": tally[part], "x": round(at, 1), "width": round(width, 1)})
            at += width
        bars.append({"family": family, "planned": tally.get("planned", 0), "whole": whole, "pieces": pieces})
    return bars


def phase_strip(timeline: Iterable[Mapping[str, Any]], first: str, last: str) -> list[dict[str, Any]]:
    """When each phase ran, as bars on one scale from the request to the end; a phase done twice has two bars."""
    start = datetime.fromisoformat(first)
    whole = max((datetime.fromisoformat(last) - start).total_seconds(), 1.0)
    running: dict[tuple[str, int], datetime] = {}
    found: list[tuple[str, datetime, datetime | None]] = []
    for line in timeline:
        if line["word"] not in (Word.PHASE_STARTED, Word.PHASE_ENDED):
            continue
        phase, serial = str(line["detail"].get("phase", "")), int(line["detail"].get("serial", 1))
        at = datetime.fromisoformat(line["at"])
        if line["word"] == Word.PHASE_STARTED:
            running.setdefault((phase, serial), at)
        elif (phase, serial) in running:
            found.append((phase, running.pop((phase, serial)), at))
    found += [(phase, began, None) for (phase, _), began in running.items()]
    strip = []
    for row, (phase, began, ended) in enumerate(sorted(found, key=lambda bar: bar[1])):
        x = min(max(WIDTH * (began - start).total_seconds() / whole, 0.0), WIDTH - LEAST)
        until = WIDTH * (((ended or datetime.fromisoformat(last)) - start).total_seconds()) / whole
        strip.append(
            {
                "phase": phase,
                "x": round(x, 1),
                "width": round(min(max(until - x, LEAST), WIDTH - x), 1),
                "y": row * ROW,
                "seconds": round(((ended or datetime.fromisoformat(last)) - began).total_seconds(), 1),
                "open": ended is None,
            }
        )
    return strip


def closing_lanes(closing: Mapping[str, Any] | None, at: str | None) -> dict[str, Any]:
    """{lanes, months, start, end}: what the closing date waits for, as bars on one scale from the look to the last end.

    `months` are where a new month begins (a year, if there are many), so that the length of a bar can be read. `lanes`
    is empty where there is nothing to wait for.
    """
    legs = list(closing["lanes"]) if closing else []
    if not legs or at is None:
        return {"lanes": [], "months": [], "start": at, "end": at}
    start = datetime.fromisoformat(at)
    last = max(datetime.fromisoformat(leg["to"]) for leg in legs)
    whole = max((last - start).total_seconds(), 1.0)

    def place(date: datetime) -> float:
        return min(max(WIDTH * (date - start).total_seconds() / whole, 0.0), WIDTH)

    lanes = []
    for leg in legs:
        x = min(place(datetime.fromisoformat(leg["from"])), WIDTH - LEAST)
        width = min(max(place(datetime.fromisoformat(leg["to"])) - x, LEAST), WIDTH - x)
        lanes.append({**leg, "x": round(x, 1), "width": round(width, 1)})
    months = [round(place(date), 1) for date in _months(start, last)]
    return {"lanes": lanes, "months": months, "start": at, "end": last.isoformat()}


def _months(start: datetime, last: datetime) -> list[datetime]:
    """The first days of the months between two dates; of the years where these are too many, or none at all."""
    months = [
        datetime(number // 12, number % 12 + 1, 1, tzinfo=start.tzinfo)
        for number in range(start.year * 12 + start.month, min(last.year * 12 + last.month, start.year * 12 + 1200))
    ]
    if len(months) > MOST_MARKS:
        months = [month for month in months if month.month == 1]
    return months if len(months) <= MOST_MARKS else []
