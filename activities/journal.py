"""A shard's evidence: an append blob that says before a wave what will be sent and after it what was answered.

After a crash an id with an intent and no outcome is in doubt: it may have been sent. It is looked up before anything is
sent again, so nothing is deleted twice and no answer is invented (ADR 6). Two workers on one shard can't both write:
each appends at the position it knows, and the second is refused.

What was refused may be tried again (`retry`): its refusal stands until another outcome of the same item comes after it,
so the last line counts and the counts never lose an item. What was kept because it had changed may be tried once it has
changed back. What is removed or absent is never tried again.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tenantclosure import telemetry
from tenantclosure.errors import RailBroken, RecordMissing
from tenantclosure.names import Outcome, Rail
from tenantclosure.policy.canonical import canonical
from tenantclosure.ports import Records
from tenantclosure.signals import Metric

REFUSED = (Outcome.REFUSED, Outcome.FAILED)
AGAIN = (*REFUSED, Outcome.KEPT)
"""Outcomes after which an item may be tried again."""


@dataclass(slots=True)
class Journal:
    """One shard's journal as read and written so far."""

    records: Records
    path: str
    position: int = 0
    outcomes: dict[str, str] = field(default_factory=dict)
    in_doubt: dict[str, None] = field(default_factory=dict)
    tries: Counter[str] = field(default_factory=Counter)
    unsure: set[str] = field(default_factory=set)
    """Ids that were answered with trouble on Microsoft's side, never answered, or sent again: an earlier try may have
    worked.
    """
    refusals: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The outcome line of every id whose last outcome is refused or failed."""
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The same of those that are kept."""
    reopened: set[str] = field(default_factory=set)
    """Ids that are to be tried again and have no newer outcome yet."""
    causes: dict[str, str] = field(default_factory=dict)
    """Why an id was still there when it was last reviewed (policy.refusals)."""
    writes: int = 0
    resent: int = 0
    first_write: str | None = None
    _hash: Any = field(default_factory=hashlib.sha256)

    async def read(self) -> Journal:
        """Take in what earlier attempts wrote. Raises RailBroken at a line that no attempt of ours would write."""
        try:
            async for line in self.records.read_lines(self.path):
                self.position += len(line) + 1
                self._hash.update(line + b"\n")
                try:
                    self._take(json.loads(line))
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                    raise RailBroken(Rail.EVIDENCE, f"The evidence {self.path} holds a line that is none.") from None
        except RecordMissing:
            pass
        return self

    async def intend(self, ids: Iterable[str], at: str, *, again: bool, after: Iterable[dict[str, Any]] = ()) -> None:
        """Say that these ids are about to be sent; `again` when an earlier answer for them was lost. `after` are
        lines of `answered` that are kept before it, in the same append.
        """
        await self._append([*after, {"t": "intent", "ids": list(ids), "at": at, "again": again}])

    async def answered(self, lines: list[dict[str, Any]]) -> None:
        """Keep outcomes ({t: outcome, id, outcome, …}) and passing troubles ({t: trouble, id, …}).

        A review also keeps causes ({t: cause, cause, ids, at}) and what is to be tried again ({t: retry, ids, at}).
        """
        if lines:
            await self._append(lines)

    def settled(self, id_: str) -> bool:
        """Whether nothing more is to be sent for this id."""
        return id_ in self.outcomes and id_ not in self.reopened

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
        telemetry.count(Metric.WRITES, sum(len(line["ids"]) for line in lines if line["t"] == "intent"))
        for outcome, number in Counter(line["outcome"] for line in lines if line["t"] == "outcome").items():
            telemetry.count(Metric.ITEMS, number, outcome=str(outcome))

    def _take(self, line: dict[str, Any]) -> None:
        match line["t"]:
            case "intent":
                self.in_doubt.update(dict.fromkeys(line["ids"]))
                self.unsure.update(line["ids"] if line["again"] else ())
                self.writes += len(line["ids"])
                self.resent += len(line["ids"]) if line["again"] else 0
                self.first_write = self.first_write or line["at"]
            case "cause":
                self.causes.update(dict.fromkeys(line["ids"], line["cause"]))
            case "retry":
                again = [id_ for id_ in line["ids"] if self.outcomes.get(id_) in AGAIN]
                self.reopened.update(again)
                # An earlier try may have worked after all, so it is looked up before it is sent again.
                self.in_doubt.update(dict.fromkeys(id_ for id_ in again if id_ in self.unsure))
            case "outcome":
                self._judge(line)
            case _:
                self.in_doubt.pop(line["id"], None)
                self.tries[line["id"]] += 1
                if line["status"] >= 500:
                    self.unsure.add(line["id"])

    def _judge(self, line: dict[str, Any]) -> None:
        id_, outcome = line["id"], line["outcome"]
        if id_ in self.in_doubt and outcome == Outcome.FAILED:
            self.unsure.add(id_)
        self.in_doubt.pop(id_, None)
        self.reopened.discard(id_)
        self.outcomes[id_] = outcome
        self.refusals.pop(id_, None)
        self.kept.pop(id_, None)
        if outcome in AGAIN:
            (self.kept if outcome == Outcome.KEPT else self.refusals)[id_] = line


async def last_outcomes(records: Records, path: str) -> dict[str, dict[str, Any]]:
    """The last outcome line of every item of a journal; none of one that was never begun."""
    lines: dict[str, dict[str, Any]] = {}
    try:
        async for line in records.read_lines(path):
            entry = json.loads(line)
            if entry["t"] == "outcome":
                lines[entry["id"]] = entry
    except RecordMissing:
        pass
    return lines
