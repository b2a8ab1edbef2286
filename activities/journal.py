"""A shard's evidence: an append blob that says before a wave what will be sent and after it what was answered.

After a crash an id with an intent and no outcome is in doubt: it may have been sent. It is looked up before anything is
sent again, so nothing is deleted twice and no answer is invented (ADR 6). Two workers on one shard can't both write:
each appends at the position it knows, and the second is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tenantclosure.errors import RecordMissing
from tenantclosure.policy.canonical import canonical
from tenantclosure.ports import Records


@dataclass(slots=True)
class Journal:
    """One shard's journal as read and written so far."""

    records: Records
    path: str
    position: int = 0
    outcomes: dict[str, str] = field(default_factory=dict)
    in_doubt: dict[str, None] = field(default_factory=dict)
    tries: Counter[str] = field(default_factory=Counter)
    writes: int = 0
    resent: int = 0
    first_write: str | None = None
    _hash: Any = field(default_factory=hashlib.sha256)

    async def read(self) -> Journal:
        """Take in what earlier attempts wrote."""
        try:
            async for line in self.records.read_lines(self.path):
                self.position += len(line) + 1
                self._hash.update(line + b"\n")
                self._take(json.loads(line))
        except RecordMissing:
            pass
        return self

    async def intend(self, ids: Iterable[str], at: str, *, again: bool) -> None:
        """Say that these ids are about to be sent; `again` when an earlier answer for them was lost."""
        await self._append([{"t": "intent", "ids": list(ids), "at": at, "again": again}])

    async def answered(self, lines: list[dict[str, Any]]) -> None:
        """Keep outcomes ({t: outcome, id, outcome, …}) and passing troubles ({t: trouble, id, …})."""
        if lines:
            await self._append(lines)

    def sha256(self) -> str:
        """Hash of the whole journal."""
        return str(self._hash.hexdigest())

    def counts(self) -> dict[str, int]:
        """Items by outcome."""
        return dict(Counter(self.outcomes.values()))

    async def _append(self, lines: list[dict[str, Any]]) -> None:
        data = b"".join(canonical(line) + b"\n" for line in lines)
        self.position = await self.records.append(self.path, data, self.position)
        self._hash.update(data)
        for line in lines:
            self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        if line["t"] == "intent":
            self.in_doubt.update(dict.fromkeys(line["ids"]))
            self.writes += len(line["ids"])
            self.resent += len(line["ids"]) if line["again"] else 0
            self.first_write = self.first_write or line["at"]
            return
        self.in_doubt.pop(line["id"], None)
        if line["t"] == "outcome":
            self.outcomes[line["id"]] = line["outcome"]
        else:
            self.tries[line["id"]] += 1
