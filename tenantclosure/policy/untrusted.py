"""What people are told of records that can't be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

WHAT = "records"
SHOWN = 50


def blockers(spoiled: Sequence[str]) -> list[dict[str, Any]]:
    """A blocker that names them, or nothing when there are none. `spoiled` is one sentence for each."""
    if not spoiled:
        return []
    why = f"{len(spoiled)} records are not what this deployment wrote. What they say does not count."
    remedy = "Find out who can write to the storage account, and keep the account as it is for whoever looks into it."
    entry = {"what": WHAT, "why": why, "remedy": remedy, "who": "operator", "items": list(spoiled[:SHOWN])}
    return [{**entry, "earliest": None}]
