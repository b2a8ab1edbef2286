"""One seed from its schedule to the verdict, and how a failing one is told."""

from __future__ import annotations

import tempfile
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import judge
from tests.chaos.rehearsal import rehearse
from tests.chaos.schedule import draw


@dataclass
class Told:
    """What became of one seed."""

    seed: int
    result: str = ""
    faults: list[str] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    resent: int = 0
    seconds: float = 0.0


def carry_out(seed: int, keep: Path | None = None) -> Told:
    """One seed in a folder of its own; `keep` is where its logs and storage stay."""
    try:
        with tempfile.TemporaryDirectory(prefix=f"chaos-{seed}-", dir=keep, delete=keep is None) as folder:
            seen = rehearse(draw(seed), Path(folder))
        found = judge.faults(seen)
    except Exception:  # a rehearsal that breaks off is a failed one
        return Told(seed, "broke off", [traceback.format_exc()])
    result = str(seen.document["result"] or "did not end")
    return Told(seed, result, found, seen.hits, int(seen.report.get("resent", 0)), seen.seconds)


def failure(told: Told) -> str:
    """All that is needed to look into it."""
    words = [f"FAILED {draw(told.seed)}", *(f"  -> {fault}" for fault in told.faults)]
    return "\n".join([*words, f"  replay: make chaos SEED={told.seed}"])
