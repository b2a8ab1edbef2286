"""The file of results: one line of JSON for each run that has ended, written at once, so that a bench can go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def append(file: Path, result: dict[str, Any]) -> None:
    """Add one result."""
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(result) + "\n")


def read(file: Path) -> dict[str, dict[str, Any]]:
    """Good results by their key; a failed run is done again, and so is one whose line a crash cut off."""
    found: dict[str, dict[str, Any]] = {}
    if not file.exists():
        return found
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            result = json.loads(line)
        except ValueError:
            continue
        if result.get("ok"):
            found[str(result["key"])] = result
    return found
