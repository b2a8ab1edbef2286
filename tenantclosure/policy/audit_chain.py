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
    """Hash of the last line and the number of the next, from the end of the file (empty file: the start)."""
    if not tail:
        return START, 0
    last = json.loads(tail.rstrip(b"\n").rpartition(b"\n")[2])
    return str(last["hash"]), int(last["n"]) + 1


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


def verify(lines: Iterable[bytes]) -> Verdict:
    """Check a chain from its first line: changed, missing, inserted and reordered lines are all found."""
    previous, number = START, 0
    for raw in lines:
        number += 1
        try:
            line = json.loads(raw)
            body = {key: value for key, value in line.items() if key != "hash"}
            sound = line["hash"] == sha256(canonical(body)) and raw == canonical(line)
        except (ValueError, KeyError, AttributeError, TypeError):
            return Verdict(False, number - 1, previous, "is not an audit line", number)
        if line.get("prev") != previous or line.get("n") != number - 1:
            return Verdict(False, number - 1, previous, "does not follow the line before it", number)
        if not sound:
            return Verdict(False, number - 1, previous, "was changed after it was written", number)
        previous = line["hash"]
    return Verdict(True, number, previous)
