"""One run of another program, by its contract: a process with `--target`, `--outcomes` and its settings.

It signs in, deletes everybody but the keeper, proves the end by a fresh listing, writes one line for each user as the
tool itself tells it ({"id", "reported": "deleted" | "failed" | "gone"}), and prints one last line of JSON with
`provenAt`. A program that was killed is started again with a second file of outcomes: of two lines the later counts.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.judging import figures, judge
from benchmarks.memory import peak_of_family
from benchmarks.runs import Run
from benchmarks.tenant import Tenant
from cli.demo import stage
from cli.demo.processes import Child, ProcessDied, Processes
from cli.errors import CliError

LOOK_SECONDS = 0.25
HALF = 0.5


def measure(run: Run, folder: Path, processes: Processes, module: str, settings: dict[str, str]) -> dict[str, Any]:
    """Let `python -m module` empty a tenant and judge it; the row of figures. Raises CliError."""
    with Tenant.of(run, processes, folder) as tenant:
        target = folder / "target.json"
        target.write_text(json.dumps(tenant.info), encoding="utf-8")
        command = [sys.executable, "-m", module, "--target", str(target)]
        for name, value in settings.items():
            command += ["--setting", f"{name}={value}"]
        reported: dict[str, str] = {}
        kill, starts, peak = run.told.kill, 0, 0
        while True:
            starts += 1
            file = folder / f"outcomes-{starts}.ndjson"
            child = processes.start(
                run.contender,
                [*command, "--outcomes", str(file)],
                stage.clean_environment(),
                folder / f"tool-{starts}.log",
            )
            killed, most = _until_end(run, tenant, child, kill=kill and starts == 1)
            peak = max(peak, most)
            reported |= read_outcomes(file)
            if not killed:
                break
        last = last_line(child.log)
        score = tenant.score()
        seen = tenant.seen(score, float(last["provenAt"]), peak)
        return figures(run.told, seen, judge(reported, tenant.deleted(), score["usersKept"] - 1))


def _until_end(run: Run, tenant: Tenant, child: Child, *, kill: bool) -> tuple[bool, int]:
    """(whether it was killed, most memory); raises ProcessDied when it ends with an exit code of its own."""
    most = 0
    while True:
        most = max(most, peak_of_family(child.pid))
        score = tenant.score()
        if kill and score["usersDeleted"] >= HALF * run.users:
            os.killpg(child.pid, signal.SIGKILL)
            return True, most
        try:
            child.check()
        except ProcessDied as ended:
            if ended.code == 0:
                return False, most
            raise
        time.sleep(LOOK_SECONDS)


def read_outcomes(file: Path) -> dict[str, str]:
    """The report of a tool; a last line that the kill cut off is no report."""
    found: dict[str, str] = {}
    if not file.exists():
        return found
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        found[str(entry["id"])] = str(entry["reported"])
    return found


def last_line(log: Path) -> dict[str, Any]:
    """The JSON object a program printed last."""
    for line in reversed(log.read_text(encoding="utf-8", errors="replace").splitlines()):
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            return found
    raise CliError(f"{log.name} ends without a line of JSON.")
