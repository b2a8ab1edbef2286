"""Keeps the rules by which the simulator misbehaves on purpose.

A rule: ``{"match": {"method", "pathRegex"}, "do", "status", "code", "retryAfter", "seconds", "times", "inner"}``.
``do`` is one of ``status``, ``reset``, ``dropAnswer``, ``delay``, ``truncate`` (the connection breaks within the
answer), ``garble`` (half an answer that looks whole until it is read as JSON); with ``inner`` it applies to items of a
batch, where ``status``, ``delay`` and ``dropAnswer`` (done, but missing from the responses) make sense.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

DEEDS = ("status", "reset", "dropAnswer", "delay", "truncate", "garble")
INNER_DEEDS = ("status", "dropAnswer", "delay")
KEYS = {"match", "do", "status", "code", "retryAfter", "seconds", "times", "inner"}


@dataclass
class Rule:
    """One way to misbehave, for a number of times (None = always)."""

    do: str
    method: str | None = None
    path: re.Pattern[str] | None = None
    status: int = 500
    code: str | None = None
    retry_after: str | None = None
    seconds: float = 1.0
    times: int | None = 1
    inner: bool = False
    hits: int = 0

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> Rule:
        """Read a rule from JSON; raises ValueError in words for a person."""
        if not isinstance(raw, dict) or set(raw) - KEYS:
            raise ValueError(f"a rule is an object with the keys {sorted(KEYS)}")
        inner = bool(raw.get("inner", False))
        if raw.get("do") not in (INNER_DEEDS if inner else DEEDS):
            raise ValueError(f"'do' is one of {INNER_DEEDS if inner else DEEDS}")
        match = raw.get("match") or {}
        try:
            path = re.compile(match["pathRegex"]) if match.get("pathRegex") else None
        except re.error as error:
            raise ValueError(f"'pathRegex' is no regular expression: {error}") from error
        retry_after = raw.get("retryAfter")
        return cls(
            do=raw["do"],
            method=match.get("method"),
            path=path,
            status=int(raw.get("status", 500)),
            code=raw.get("code"),
            retry_after=None if retry_after is None else str(retry_after),
            seconds=float(raw.get("seconds", 1.0)),
            times=raw.get("times", 1),
            inner=inner,
        )

    def fits(self, method: str, path: str, inner: bool) -> bool:
        """Whether the rule applies to this call."""
        if self.inner is not inner or self.times == 0:
            return False
        return (self.method is None or self.method.upper() == method) and (
            self.path is None or self.path.search(path) is not None
        )


@dataclass
class Faults:
    """The rules in force, first match wins."""

    rules: list[Rule] = field(default_factory=list)

    def take(self, method: str, path: str, *, inner: bool = False) -> Rule | None:
        """Return the rule for this call and use up one of its times."""
        for rule in self.rules:
            if rule.fits(method, path, inner):
                rule.hits += 1
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return None
