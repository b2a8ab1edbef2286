"""What changed since the plan was frozen: the difference between it and a fresh listing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Drift:
    """`added` stop the phase and are asked about; `gone` are recorded; `left` are planned and still there."""

    added: tuple[str, ...]
    gone: int
    left: tuple[str, ...]


def compare(planned: frozenset[str], spared: frozenset[str], listed: Iterable[str]) -> Drift:
    """Compare the ids of the plan with a complete fresh listing."""
    seen = frozenset(listed)
    return Drift(
        added=tuple(sorted(seen - planned - spared)),
        gone=len(planned - seen),
        left=tuple(sorted(planned & seen)),
    )
