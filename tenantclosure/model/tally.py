"""What one activity asks of Azure Storage and of Microsoft, counted where the requests leave this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_open: ContextVar[dict[str, int] | None] = ContextVar("tally", default=None)


@contextmanager
def tallying() -> Iterator[dict[str, int]]:
    """Count into this dict what is tallied meanwhile in the same task, and in tasks that it starts."""
    counts: dict[str, int] = {}
    token = _open.set(counts)
    try:
        yield counts
    finally:
        _open.reset(token)


def tally(what: str) -> None:
    """Count one request (names: policy.usage); nothing happens while nobody counts."""
    counts = _open.get()
    if counts is not None:
        counts[what] = counts.get(what, 0) + 1
