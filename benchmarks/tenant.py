"""One simulated tenant for one run: a simulator of its own, and its books read from outside."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, Self

import httpx

from benchmarks.runs import SEED, Run
from benchmarks.scenarios import LATENCY_MS, Scenario
from cli.demo import stage
from cli.demo.processes import Processes

PROFILE = "bare"
"""People, and nothing else to close: everybody who is measured deletes the same."""
DAY_SECONDS = 0.02
START_SECONDS = 240.0
"""A million people take a while to make up."""


class Tenant:
    """A running simulator; `info` is its ready line."""

    def __init__(self, processes: Processes, folder: Path, scenario: Scenario, users: int, tenants: int = 1) -> None:
        command = [sys.executable, "-m", "simulator", "--port", "0", "--seed", str(SEED), "--users", str(users)]
        command += ["--profile", PROFILE, "--quota", scenario.quota, "--latency-ms", f"{LATENCY_MS:g}"]
        command += ["--neighbour", f"{scenario.neighbour:g}", "--tenants", str(tenants)]
        command += ["--day-seconds", f"{DAY_SECONDS:g}", "--state-dir", str(folder / "simulator")]
        child = processes.start("simulator", command, stage.clean_environment(), folder / "simulator.log")
        self.info: dict[str, Any] = child.wait_for(_ready, START_SECONDS)
        self._web = httpx.Client(base_url=str(self.info["url"]), timeout=120.0, trust_env=False)
        self._looks: list[tuple[float, int, int]] = []
        if rules := scenario.faults():
            self.order("faults", rules)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._web.close()

    @classmethod
    def of(cls, run: Run, processes: Processes, folder: Path) -> Self:
        """The tenant of a run."""
        return cls(processes, folder, run.told, run.users)

    def order(self, what: str, body: Any) -> Any:
        """POST to the control surface."""
        return self._web.post(f"/_sim/{what}", json=body).raise_for_status().json()

    def score(self) -> dict[str, Any]:
        """The books now; every look is remembered for the neighbour's sake."""
        found: dict[str, Any] = self._web.get("/_sim/score").raise_for_status().json()
        self._looks.append((time.time(), int(found["usersDeleted"]), int(found["neighbour"]["given"])))
        return found

    def deleted(self) -> list[str]:
        """Ids of the users who were really deleted."""
        return list(self._web.get("/_sim/deleted").raise_for_status().json()["users"])

    def neighbour_rate(self) -> float:
        """Writes a second that the neighbour got while users were deleted."""
        end = self._looks[-1][1] if self._looks else 0
        while_deleting = [(at, given) for at, deleted, given in self._looks if 0 < deleted < end]
        if len(while_deleting) < 2:
            return 0.0
        (first, before), (last, after) = while_deleting[0], while_deleting[-1]
        return (after - before) / (last - first)

    def seen(self, score: dict[str, Any], proven_at: float, peak: int) -> dict[str, Any]:
        """What `judging.figures` wants, but for the report: from the books as they stood at the proof."""
        return {
            "deleted": score["usersDeleted"],
            "left": score["usersKept"] - 1,
            "firstDelete": score["deleteTimes"]["first"],
            "lastDelete": score["deleteTimes"]["last"],
            "provenAt": proven_at,
            "requests": score["requests"],
            "writes": score["writes"],
            "throttled": score["throttled"],
            "tokensAtFirstDelete": score["tokensAtFirstDelete"],
            "neighbourRate": self.neighbour_rate(),
            "peakBytes": peak,
        }


def _ready(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line) if line.startswith("{") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) and "tenantId" in found else None
