"""The status view says that a closure is stuck, since when and why."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from cli.progress import render

DOCUMENT: dict[str, Any] = {
    "closureId": "0b0a1c2d-0000-4000-8000-000000000001-1",
    "domain": "contoso.onmicrosoft.com",
    "status": "running",
    "phase": "delete-users",
    "counts": {},
}


@pytest.mark.parametrize("stuck", [None, {"since": "2026-11-01T12:00:00.000Z", "reason": "no-progress"}])
def test_status_shows_the_flag(stuck: dict[str, str] | None) -> None:
    """A line of its own while the flag is up, and none otherwise."""
    paper = StringIO()
    console = Console(file=paper, width=120)
    console.print(render({**DOCUMENT, "stuck": stuck}))
    shown = paper.getvalue()

    assert bool(stuck) == ("Stuck since 2026-11-01T12:00:00.000Z: no-progress" in shown)
