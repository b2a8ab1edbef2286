"""What is run: who, how many users, in which scenario, how often, and what it will take about."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from benchmarks.scenarios import SCENARIOS, Scenario

OURS = "ours"
FLOOR = "bare_loop"
SERIAL = "serial_batch"
SEED = 7
CORES = float(os.cpu_count() or 1)
STAGGER_SECONDS = 8.0
"""Between two starts side by side: a start and a burst want the processor, the wait for tokens does not."""
SIDE_BY_SIDE = 6
"""Runs at once at most: each has a host, a storage and a simulator of its own."""

PACE = {"ours": 900.0, "bare_loop": 1500.0, "serial_batch": 170.0, "sdk_loop": 8.0, "sdk_gather": 150.0, "m365": 1.0}
"""Users a second without a quota, assumed for the estimate only."""
AROUND = {"ours": 45.0}
"""Seconds besides the deletions: start, survey, gates, what comes after the users; the others have little."""
LITTLE = 8.0
LISTINGS, PAGE_SECONDS = 5, 0.12
"""How often a closure lists all users, and what a page of a thousand takes."""
SHARE_OF_A_CORE = {"ours": 0.3, "m365": 1.0, "sdk_loop": 0.4}
"""What a run takes of the processor while a quota, or its own slowness, holds it back."""
M365_AT_BEST = "in one process"
JUDGED = ("errors", "kill")
"""What counts here is what the report is worth, so three run side by side."""
MILLION = 1_000_000
BESIDE_A_MILLION = 0.8
"""Cores left to others while a million users go: those must be gone in flat memory, not in a set time."""
SLOW = ("m365", "sdk_loop")
"""Held back by itself, so it loses nothing when others run beside it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one program."""

    contender: str
    users: int
    scenario: str
    number: int = 1
    setting: str = "default"
    """Name of the contender's settings."""

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        return f"{self.label} {self.users} {self.scenario} #{self.number}"

    @property
    def label(self) -> str:
        """The program as tables name it."""
        return self.contender if self.setting == "default" else f"{self.contender} ({self.setting})"

    @property
    def told(self) -> Scenario:
        """The circumstances."""
        return SCENARIOS[self.scenario]

    @property
    def seconds(self) -> float:
        """About how long it takes."""
        pace, scenario = PACE.get(self.contender, 20.0), self.told
        if self.setting == M365_AT_BEST:
            pace = PACE["sdk_loop"]
        work = self.users / pace
        if scenario.rate:
            work = max(work, (self.users - scenario.capacity) / (scenario.rate - scenario.neighbour))
        if self.contender == OURS:
            work += LISTINGS * PAGE_SECONDS * self.users / 1000
        return AROUND.get(self.contender, LITTLE) + work + (15.0 if scenario.kill else 0.0)

    @property
    def cores(self) -> float:
        """What it needs of the machine; all of it when it goes as fast as it can."""
        if self.users >= MILLION:
            return CORES - BESIDE_A_MILLION
        if self.setting == M365_AT_BEST:
            return SHARE_OF_A_CORE["sdk_loop"]
        if self.told.rate or self.contender in SLOW:
            return SHARE_OF_A_CORE.get(self.contender, 0.2)
        return CORES / 3 if self.scenario in JUDGED else CORES

    @property
    def stage(self) -> int:
        """0: the machine for itself; 1: side by side; 2: the million, and beside it who waits for a neighbour."""
        if self.users >= MILLION or self.told.neighbour:
            return 2
        return 0 if self.cores >= CORES else 1

    def to_dict(self) -> dict[str, Any]:
        """As the file of results has it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        return cls(**raw)


def series(
    contenders: Iterable[str], users: int, scenario: str, times: int, settings: Mapping[str, Iterable[str]]
) -> list[Run]:
    """Each contender with each of its settings in turn, so many times over: the machine's moods are shared."""
    return [
        Run(name, users, scenario, number, setting)
        for number in range(1, times + 1)
        for name in contenders
        for setting in settings.get(name, ("default",))
    ]


def whole(runs: int, settings: Mapping[str, Iterable[str]]) -> list[Run]:
    """Everything `make bench` runs, the fast ones first."""
    three, own = (OURS, SERIAL, FLOOR), (OURS, SERIAL, FLOOR, "sdk_gather", "sdk_loop")
    some = max(1, min(3, runs))
    return [
        *series(three, 10_000, "free", runs, settings_of(three, settings)),
        *series(three, 3_000, "errors", some, settings_of(three, settings)),
        *series(three, 3_000, "kill", some, settings_of(three, settings)),
        *series((*own, "m365"), 1_000, "free", 1, settings),
        *series(own, 1_000, "errors", 1, settings),
        *series(own, 1_000, "spent", 1, settings),
        *series(three, 10_000, "quota", runs, settings_of(three, settings)),
        *series(three, 5_000, "neighbour", some, settings_of(three, settings)),
        *series((OURS,), 100_000, "free", 1, {}),
        *series((OURS,), 1_000_000, "free", 1, {}),
    ]


def quick(settings: Mapping[str, Iterable[str]]) -> list[Run]:
    """What `make bench-quick` runs: every program and every kind of trouble once, small."""
    three = (OURS, SERIAL, FLOOR)
    return [
        *series(three, 1_000, "free", 1, {}),
        *series(three, 700, "spent", 1, {}),
        *series(three, 300, "errors", 1, {}),
        *series((OURS, FLOOR), 1_000, "kill", 1, {}),
        *series(("sdk_gather", "sdk_loop"), 100, "free", 1, {}),
        *series(("m365",), 10, "free", 1, {}),
    ]


def settings_of(names: Iterable[str], settings: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Their last settings only: the best ones where somebody chose."""
    return {name: tuple(settings[name])[-1:] for name in names if name in settings}


def in_stages(runs: Iterable[Run]) -> list[list[Run]]:
    """By stage; those that share the machine with the longest first, so that none is left at the end."""
    found: list[list[Run]] = [[], [], []]
    for run in runs:
        found[run.stage].append(run)
    return [found[0], *(sorted(shared, key=lambda run: -run.seconds) for shared in found[1:])]


def startable(waiting: list[Run], running: list[Run]) -> Run | None:
    """The first waiting run that fits beside the running ones."""
    free = CORES - sum(run.cores for run in running)
    if len(running) >= SIDE_BY_SIDE:
        return None
    return next((run for run in waiting if run.cores <= free + 1e-9 or not running), None)


def estimate(runs: Iterable[Run]) -> float:
    """Seconds for all of them, by starting and ending them on paper."""
    return sum(_on_paper(stage) for stage in in_stages(runs))


def _on_paper(waiting: list[Run]) -> float:
    now, last_start = 0.0, -STAGGER_SECONDS
    running: list[tuple[float, Run]] = []
    while waiting or running:
        run = startable(waiting, [one for _, one in running])
        if run is not None:
            last_start = now = max(now, last_start + STAGGER_SECONDS)
            waiting.remove(run)
            running.append((now + run.seconds, run))
        else:
            first = min(running, key=lambda one: one[0])
            running.remove(first)
            now = max(now, first[0])
    return now
