"""Shows a collection as Graph's listings do: in a stable order, in pages, and a little late.

Deletes and creates become visible after the replication lag (tenant-facts C1: "Replication delay for recent deletes
is documented"). A page token is a position that never moves, so that deleting while paging skips nobody. Holes are
jumped over with a path-compressed next pointer: no call walks over the dead again and again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any


class Listing:
    """An ordered, lagging view of objects that have an ``id``."""

    def __init__(self, lag_seconds: Callable[[], float]) -> None:
        self._lag = lag_seconds
        self._slots: list[Any] = []
        self._next: list[int] = [0]
        self._slot_of: dict[str, int] = {}
        self._pending: deque[tuple[float, bool, Any]] = deque()

    def load(self, item: Any) -> None:
        """Put in an item that is visible at once."""
        if item.id in self._slot_of:
            return
        position = len(self._slots)
        self._slot_of[item.id] = position
        self._slots.append(item)
        self._next[position] = position
        self._next.append(position + 1)

    def load_all(self, items: Iterable[Any]) -> None:
        """Load many."""
        for item in items:
            self.load(item)

    def add(self, item: Any) -> None:
        """Put in an item that is visible after the lag."""
        self._pending.append((time.monotonic(), True, item))
        self.settle()

    def remove(self, item: Any) -> None:
        """Take an item out, visibly after the lag."""
        self._pending.append((time.monotonic(), False, item))
        self.settle()  # now and then, so that no page pays for all of them

    def settle(self) -> None:
        """Apply what the lag no longer hides."""
        if not self._pending:
            return
        horizon = time.monotonic() - self._lag()
        while self._pending and self._pending[0][0] <= horizon:
            _, added, item = self._pending.popleft()
            if added:
                self.load(item)
            else:
                self._drop(item.id)

    def count(self) -> int:
        """Return how many are visible now."""
        self.settle()
        return len(self._slot_of)

    def page(self, start: int, size: int) -> tuple[list[Any], int | None]:
        """Return up to ``size`` items from a position, and the next page's position if there is one."""
        self.settle()
        items: list[Any] = []
        end = len(self._slots)
        position = self._live_from(min(start, end))
        while position < end and len(items) < size:
            items.append(self._slots[position])
            position = self._live_from(position + 1)
        return items, position if position < end else None

    def __iter__(self) -> Any:
        self.settle()
        return iter([item for item in self._slots if item is not None])

    def _drop(self, item_id: str) -> None:
        position = self._slot_of.pop(item_id, None)
        if position is not None:
            self._slots[position] = None
            self._next[position] = position + 1

    def _live_from(self, position: int) -> int:
        root = position
        while self._next[root] != root and root < len(self._slots):
            root = self._next[root]
        while position < root:
            self._next[position], position = root, self._next[position]
        return root
