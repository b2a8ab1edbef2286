"""Keeps the rules by which the simulator misbehaves on purpose.

A rule: ``{"match": {"method", "pathRegex", "queryRegex"}, "do", "status", "code", "retryAfter", "seconds", "times",
"share", "lasts", "inner"}``. ``do`` is one of ``status``, ``reset``, ``dropAnswer``, ``delay``, ``truncate`` (the
connection breaks within the answer), ``garble`` (half an answer that looks whole until it is read as JSON); with
``inner`` it applies to items of a batch, where ``status``, ``delay`` and ``dropAnswer`` (done, but missing from the
responses) make sense. ``share`` hits that part of what matches, at random from the seed; ``lasts`` ends the rule so
many seconds after it was made. With either of the two, ``times`` is without limit unless it is given.
"""

from __future__ import annotations

import math
import random
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

DEEDS = ("status", "reset", "dropAnswer", "delay", "truncate", "garble")
INNER_DEEDS = ("status", "dropAnswer", "delay")
KEYS = {"match", "do", "status", "code", "retryAfter", "seconds", "times", "share", "lasts", "inner"}


@dataclass
class Rule:
    """One way to misbehave, for a number of times (None = always)."""

    do: str
    method: str | None = None
    path: re.Pattern[str] | None = None
    query: re.Pattern[str] | None = None
    status: int = 500
    code: str | None = None
    retry_after: str | None = None
    seconds: float = 1.0
    times: int | None = 1
    share: float = 1.0
    until: float = math.inf
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
        share, lasts = float(raw.get("share", 1.0)), float(raw.get("lasts", math.inf))
        if not 0 < share <= 1 or not lasts > 0:
            raise ValueError("'share' is above 0 and at most 1, 'lasts' are seconds above 0")
        retry_after = raw.get("retryAfter")
        return cls(
            do=raw["do"],
            method=match.get("method"),
            path=_regex(match, "pathRegex"),
            query=_regex(match, "queryRegex"),
            status=int(raw.get("status", 500)),
            code=raw.get("code"),
            retry_after=None if retry_after is None else str(retry_after),
            seconds=float(raw.get("seconds", 1.0)),
            times=raw.get("times", 1 if (share, lasts) == (1.0, math.inf) else None),
            share=share,
            until=time.monotonic() + lasts,
            inner=inner,
        )

    def fits(self, method: str, path: str, query: str, *, inner: bool) -> bool:
        """Whether the rule applies to this call."""
        if self.inner is not inner or self.times == 0 or time.monotonic() >= self.until:
            return False
        if self.method is not None and self.method.upper() != method:
            return False
        return (self.path is None or self.path.search(path) is not None) and (
            self.query is None or self.query.search(unquote(query)) is not None
        )


def _regex(match: dict[str, Any], name: str) -> re.Pattern[str] | None:
    try:
        return re.compile(match[name]) if match.get(name) else None
    except re.error as error:
        raise ValueError(f"'{name}' is no regular expression: {error}") from error


@dataclass
class Faults:
    """The rules in force, first match wins."""

    rules: list[Rule] = field(default_factory=list)
    dice: random.Random = field(default_factory=random.Random)
    """Its own generator: what a share hits depends on the seed and the order of what matched, on nothing else."""

    def take(self, method: str, path: str, query: str = "", *, inner: bool = False) -> Rule | None:
        """Return the rule for this call and use up one of its times."""
        for rule in self.rules:
            if rule.fits(method, path, query, inner=inner) and (rule.share == 1 or self.dice.random() < rule.share):
                rule.hits += 1
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return None
