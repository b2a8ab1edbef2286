"""The audit's hash chain: how a line is linked to the one before it, and how a whole chain is checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tenantclosure.policy.canonical import canonical, sha256

START = "0" * 64
"""What the first line links to."""


def link(entry: Mapping[str, Any], previous: str, number: int) -> dict[str, Any]:
    """The entry as a chained line: with its number, the previous line's hash, and its own."""
    body = {**entry, "n": number, "prev": previous}
    return {**body, "hash": sha256(canonical(body))}


def head(tail: bytes) -> tuple[str, int]:
    """Hash of the last line and the number of the next, from the end of the file (empty file: the start).

    What follows a last line that is none links to the start as well: the chain is broken there anyway, and shows it.
    """
    try:
        last = json.loads(tail.splitlines()[-1])
        return str(last["hash"]), int(last["n"]) + 1
    except (ValueError, LookupError, TypeError, RecursionError):
        return START, 0


@dataclass(frozen=True, slots=True)
class Head:
    """A line that is known to be in the chain: its hash, its number, and the length of the file up to its end."""

    hash: str
    number: int
    length: int

    def to_dict(self) -> dict[str, Any]:
        """As it lies in Records."""
        return {"hash": self.hash, "n": self.number, "length": self.length}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Head:
        """Read what `to_dict` wrote."""
        return cls(data["hash"], data["n"], data["length"])


def follows(known: Head, rest: bytes) -> bool:
    """Whether the bytes after a known line are whole lines, each linked to the one before it."""
    if rest and not rest.endswith(b"\n"):
        return False
    return verify(rest.splitlines(), known.hash, known.number + 1).ok


def encode(line: Mapping[str, Any]) -> bytes:
    """One line of the file, newline included."""
    return canonical(dict(line)) + b"\n"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found: `fault` is None when every line is in its place; `line` counts from 1."""

    ok: bool
    lines: int
    head: str
    fault: str | None = None
    line: int | None = None


class Check:
    """Checks a chain line by line: changed, missing, inserted and reordered lines are all found.

    From its first line, or after the line with the hash `previous`, `number` being that of the next.
    """

    def __init__(self, previous: str = START, number: int = 0) -> None:
        self.verdict = Verdict(True, number, previous)

    def take(self, raw: bytes) -> dict[str, Any] | None:
        """The next line as it was written; None when it is not in its place, and then there is no next one."""
        lines, head = self.verdict.lines, self.verdict.head
        line, fault = _read(raw, head, lines)
        if fault is not None:
            self.verdict = Verdict(False, lines, head, fault, lines + 1)
            return None
        self.verdict = Verdict(True, lines + 1, line["hash"])
        return line


def _read(raw: bytes, previous: str, number: int) -> tuple[dict[str, Any], str | None]:
    """A line, and what is wrong with it."""
    try:
        line: dict[str, Any] = json.loads(raw)
        body = {key: value for key, value in line.items() if key != "hash"}
        sound = line["hash"] == sha256(canonical(body)) and raw == canonical(line)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return {}, "is not an audit line"
    if line.get("prev") != previous or line.get("n") != number:
        return line, "does not follow the line before it"
    return line, None if sound else "was changed after it was written"


def verify(lines: Iterable[bytes], previous: str = START, number: int = 0) -> Verdict:
    """What a check of these lines finds."""
    check = Check(previous, number)
    for raw in lines:
        if check.take(raw) is None:
            break
    return check.verdict
