"""kill -9 of the host at each phase's boundary and in its middle: the same end as of a closure nobody troubled."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tenantclosure.names import Phase
from tests.chaos import judge
from tests.chaos.judge import Seen
from tests.chaos.proxy import Broken, Request
from tests.chaos.rehearsal import rehearse
from tests.chaos.schedule import Schedule
from tests.chaos.trouble import Trouble

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

WRITE = re.compile(r"^(PUT|POST|PATCH|MERGE) ")
MARK = re.compile(r"RowKey='mark:(started-)?([a-z-]+):001'")
STORY = tuple(phase for phase in Phase if phase not in (Phase.GATE_ROLLBACK, Phase.ROLLBACK))
MIDDLE = 3
"""The write of a phase, counted from its beginning, that counts as its middle."""
EVERYTHING = Schedule(23, "hybrid", users=45, quiet_days=3, lag_ms=50, quota="off", lanes=2, strokes=())
"""A tenant that passes through every phase: synchronised, with a quiet period, all kinds of sellers, applications."""


class AtEveryBoundary(Trouble):
    """Kills once at the write of each phase's mark and once at its third write, by turns before and after it is done.

    The report has no mark: its boundary is the row's last write.
    """

    struck: dict[str, list[str]]

    def watch(self, request: Request) -> Callable[[], None] | None:
        if not WRITE.match(request.line):
            return None
        mark = MARK.search(request.line)
        if mark and mark[1] and mark[2] in STORY:
            self.current, self.count = mark[2], 0
            return None
        self.count += 1
        if mark and mark[2] in STORY:
            return self._strike("boundary", mark[2])
        if self.count >= MIDDLE and self.current:
            return self._strike("middle", self.current)
        return None

    current = ""

    def _strike(self, where: str, phase: str) -> Callable[[], None] | None:
        if f"{where} of {phase}" in self.hits:
            return None
        self.hits[f"{where} of {phase}"] += 1
        # The first phase is struck before its mark and after its third write, the second the other way round, ...
        if (STORY.index(Phase(phase)) + (where == "middle")) % 2:
            return self.kill
        self.kill()
        raise Broken


def test_killed_everywhere_it_ends_the_same(tmp_path: Path) -> None:
    """About thirty kills, each with the task hub lost, change nothing: books, outcomes, approvals are the same."""
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(rehearse, EVERYTHING, _made(tmp_path / name), 300.0, trouble)
            for name, trouble in (("calm", Trouble), ("killed", AtEveryBoundary))
        ]
    calm, killed = (run.result() for run in runs)

    assert [] == judge.faults(calm)
    assert [] == judge.faults(killed)
    assert _end(calm) == _end(killed)
    boundaries = {f"boundary of {phase}" for phase in STORY if phase != Phase.REPORT}
    assert boundaries <= killed.hits.keys()
    assert 0 == calm.hits["kill"]
    assert set() == {f"middle of {phase}" for phase in STORY} - killed.hits.keys()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _end(seen: Seen) -> dict[str, Any]:
    """What a closure leaves behind, without times and ids of runs."""
    told = ("usersTotal", "usersDeleted", "usersKept", "subscriptionsDeleted", "tenantGone", *judge.ZERO)
    return {
        "score": {name: seen.score[name] for name in told},
        "deleted": {family: sorted(ids) for family, ids in seen.deleted.items()},
        "counts": seen.report["counts"],
        "approvals": sorted(
            (d["gate"], d["serial"], d["person"]["upn"], d["decision"]) for d in seen.report["approvals"]
        ),
        "subscriptions": sorted((s["id"], s["stage"], s["outcome"]) for s in seen.report["subscriptions"]),
    }
