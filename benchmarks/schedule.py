"""Carries the runs out: those that want the machine one after the other, the patient ones side by side."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.runs import STAGGER_SECONDS, Run, in_stages, startable
from cli.demo.processes import ROOT

PATIENCE, LEAST_SECONDS = 4.0, 240.0
"""A run is given up after so many times its estimate, and not before the least."""

type Tell = Callable[[str], None]


def carry_out(runs: Iterable[Run], done: Callable[[dict[str, Any]], None], tell: Tell) -> None:
    """Run all of them; each result is handed to `done` when it is there. Ends every process, whatever happens."""
    for stage in in_stages(runs):
        _together(stage, done, tell)


def _together(waiting: list[Run], done: Callable[[dict[str, Any]], None], tell: Tell) -> None:
    running: dict[Run, tuple[subprocess.Popen[str], float]] = {}
    last_start = float("-inf")
    try:
        while waiting or running:
            now = time.monotonic()
            run = startable(waiting, list(running)) if now - last_start >= STAGGER_SECONDS else None
            if run is not None:
                waiting.remove(run)
                beside = f" beside {len(running)} others" if running else ""
                tell(f"{run.key}: started{beside}, about {run.seconds:.0f} s")
                running[run] = (_start(run), now)
                last_start = now
            for run, (process, begun) in list(running.items()):
                if process.poll() is None and now - begun < max(LEAST_SECONDS, PATIENCE * run.seconds):
                    continue
                del running[run]
                done(_end(run, process))
            time.sleep(0.2)
    finally:
        for process, _ in running.values():
            process.send_signal(signal.SIGTERM)
        for process, _ in running.values():
            process.communicate()


def _start(run: Run) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.one", json.dumps(run.to_dict())]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)


def _end(run: Run, process: subprocess.Popen[str]) -> dict[str, Any]:
    late = process.poll() is None
    if late:
        process.send_signal(signal.SIGTERM)  # it ends its own processes
    said, _ = process.communicate()
    lines = [line for line in said.splitlines() if line.startswith("{")]
    if lines and not late:
        found: dict[str, Any] = json.loads(lines[-1])
        return found
    why = "it did not end in time" if late else f"it ended with exit code {process.returncode} and no result"
    return {"key": run.key, "run": run.to_dict(), "ok": False, "why": why, "took": None}
