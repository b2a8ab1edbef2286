"""Counts what the simulator saw, so that a rehearsal is judged by the other side's books."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(slots=True)
class Exchange:
    """One outer HTTP request and the final DELETE answers it carries; they count once it is written out."""

    finals: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Span:
    """The time from the first DELETE of a user to the last one that succeeded, in the target: what the quota saw."""

    tokens: float | None
    """What the write bucket held just before the first one was charged; None without a quota."""
    before: int
    """Writes accepted earlier."""
    writes: int = 0


EXCHANGE = web.RequestKey("exchange", Exchange)


@dataclass
class Score:
    """Counters behind ``GET /_sim/score``."""

    requests: int = 0
    writes: int = 0
    deletes: int = 0
    throttled: int = 0
    double_deletes: int = 0
    keeper_touched: int = 0
    protected_touched: int = 0
    foreign_touched: int = 0
    first_delete: float | None = None
    last_delete: float | None = None
    span: Span | None = None
    started: float = field(default_factory=time.time)
    per_second: Counter[int] = field(default_factory=Counter)
    write_calls: Counter[str] = field(default_factory=Counter)
    _delivered: set[str] = field(default_factory=set)

    def sellers_write(self, method: str, path: str) -> None:
        """A write reached Azure Resource Manager or Partner Center, whatever became of it."""
        self.write_calls[f"{method} {path}"] += 1

    def delete_received(self, key: str) -> None:
        """A DELETE came in; it is a double when its final answer had already gone out completely."""
        if key in self._delivered:
            self.double_deletes += 1

    def write_accepted(self, method: str) -> None:
        """A write passed the quota."""
        self.writes += 1
        if method == "DELETE":
            self.deletes += 1
        self.per_second[int(time.time() - self.started)] += 1

    def begin_span(self, tokens: float | None) -> None:
        """The first DELETE of a user is about to be charged."""
        self.span = Span(tokens, self.writes)

    def user_deleted(self) -> None:
        """A user went to the bin."""
        if self.span is not None:
            self.span.writes = self.writes - self.span.before
        self.last_delete = time.time()
        self.first_delete = self.first_delete or self.last_delete

    def delivered(self, exchange: Exchange) -> None:
        """The outer answer was written out completely: its final DELETE answers are known to the client."""
        self._delivered.update(exchange.finals)

    def forget(self, key: str) -> None:
        """A restored object may rightly be deleted again."""
        self._delivered.discard(key)
