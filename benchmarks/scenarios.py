"""What a run meets: quota, latency, a neighbour, failing answers, a kill in the middle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LATENCY_MS = 100.0
"""Every answer of the simulator takes so long, in every scenario."""
PUBLISHED = "3000/150"
SPENT = "300/15"
"""The published 20 a second with a tenth of its burst: so that a thousand users meet the quota at all."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One set of circumstances, the same for everybody who is measured in it."""

    name: str
    title: str
    quota: str = "off"
    neighbour: float = 0.0
    failing: float = 0.0
    """Part of all DELETEs, alone or in a batch, that are answered 500 and not carried out."""
    kill: bool = False

    @property
    def capacity(self) -> float:
        """Tokens of a full bucket; none without a quota."""
        return 0.0 if self.quota == "off" else float(self.quota.partition("/")[0])

    @property
    def rate(self) -> float | None:
        """Tokens a second that come back; None without a quota."""
        return None if self.quota == "off" else self.capacity / float(self.quota.partition("/")[2])

    def faults(self) -> list[dict[str, Any]]:
        """Rules for the simulator."""
        if not self.failing:
            return []
        match = {"method": "DELETE", "pathRegex": "^(/v1.0|/beta)?/users/"}
        rule = {"match": match, "do": "status", "status": 500, "share": self.failing}
        return [{**rule, "inner": True}, {**rule, "inner": False}]


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("free", "no quota"),
        Scenario("quota", "published quota", quota=PUBLISHED),
        Scenario("spent", "20 a second, burst 300", quota=SPENT),
        Scenario("neighbour", "published quota, a neighbour wants 10 a second", quota=PUBLISHED, neighbour=10.0),
        Scenario("errors", "no quota, 5 % of the deletions answered 500", failing=0.05),
        Scenario("kill", "no quota, killed half-way and started again", kill=True),
    )
}
