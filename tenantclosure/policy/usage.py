"""What a closure uses: the counters that orchestrators and activities keep, and what the engine makes of them.

```text
histories    histories begun: one for each instance, one more whenever it starts over
activities   calls of an activity, each try counted
timers       durable timers; the engine cuts one of more than three days in pieces
children     sub-orchestrations started
wakes        events that ended a wait
blobWrites, blobReads, blobLists, tables, queues   requests to Azure Storage for Records
requests     requests to Microsoft's services (a batch is one)
```
"""

from __future__ import annotations

import math
from collections.abc import Mapping

Usage = dict[str, int]

ENGINE = ("histories", "activities", "timers", "children", "wakes")
"""Each begins an episode of its own, unless the engine hands over several answers at once."""
STORAGE = ("blobWrites", "blobReads", "blobLists", "tables", "queues")
PIECE = 3 * 86400.0
"""Longest timer in seconds that the SDK does not cut (durable-facts 1.3)."""


def added(*usages: Mapping[str, int]) -> Usage:
    """The sum of each counter."""
    total: Usage = {}
    for usage in usages:
        for name, count in usage.items():
            total[name] = total.get(name, 0) + count
    return total


def episodes(usage: Mapping[str, int]) -> int:
    """How often orchestrators were replayed, at most."""
    return sum(usage.get(name, 0) for name in ENGINE)


def history_events(usage: Mapping[str, int]) -> int:
    """Events in all histories, at most: two for each history's ends, two around each episode, and those of the work.

    Events that came while nobody waited for them, and that no wait took later, are not in it.
    """
    pairs = sum(usage.get(name, 0) for name in ("histories", "activities", "timers", "children"))
    return 2 * pairs + usage.get("wakes", 0) + 2 * episodes(usage)


def storage_transactions(usage: Mapping[str, int]) -> int:
    """Requests to Azure Storage for Records."""
    return sum(usage.get(name, 0) for name in STORAGE)


def timers_of(seconds: float) -> int:
    """How many of the engine's timers one wait takes."""
    return max(1, math.ceil(seconds / PIECE))
