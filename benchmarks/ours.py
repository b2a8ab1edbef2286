"""One closure of ours: a simulated tenant, the local host, and people who approve, from the request to the report."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.judging import figures, judge
from benchmarks.memory import peak
from benchmarks.runs import Run
from benchmarks.scenarios import LATENCY_MS
from benchmarks.tenant import DAY_SECONDS, PROFILE, Tenant
from cli.client import Api, closure_path
from cli.demo import stage
from cli.demo.choices import Choices
from cli.demo.people import People
from cli.demo.processes import ROOT, Child, Processes
from cli.errors import CliError, Unreachable
from cli.server import DEV_HEADER, Connection, principal
from tenantclosure.names import Family, Outcome, Phase

START_SECONDS = 120.0
LOOK_SECONDS = 0.5
CALM_SECONDS = 2.0
"""Between two looks at the closure while users are deleted: each costs the host a dozen reads."""
HALF = 0.5
WORDS: dict[str, str] = {Outcome.REMOVED: "deleted", Outcome.ABSENT: "gone"}
"""Our outcomes in the words of a contender; any other says that the user is still there."""


class Host:
    """The local host on one state folder and one port, so that it can be killed and started again."""

    def __init__(
        self, processes: Processes, folder: Path, tenant: dict[str, Any], quota: str, extra: dict[str, str]
    ) -> None:
        self._processes, self._folder = processes, folder
        choices = _choices(quota)
        policy = folder / "policy.json"
        policy.write_text(json.dumps(stage.approval_policy(DAY_SECONDS)), encoding="utf-8")
        self._environment = {**stage.clean_environment(), **stage.settings(tenant, choices, policy), **extra}
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._starts = 0
        self._peak = 0
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._starts += 1
        command = [sys.executable, "-m", "benchmarks.host", "--app-dir", str(ROOT)]
        command += ["--state-dir", str(self._folder / "host"), "--port", str(self._port)]
        log = self._folder / f"host-{self._starts}.log"
        environment = {**self._environment, "BENCH_HISTORIES": str(self._histories(self._starts))}
        self.child: Child = self._processes.start("local host", command, environment, log)
        self.child.wait_for(lambda line: line if line.startswith("Listening on ") else None, START_SECONDS)

    def kill(self) -> None:
        """kill -9; its storage writes its own last words and ends."""
        self.look()
        os.kill(self.child.pid, signal.SIGKILL)

    def look(self) -> int:
        """The most bytes the host alone has held, over all its starts."""
        self._peak = max(self._peak, peak(self.child.pid))
        return self._peak

    def histories(self) -> tuple[int, int]:
        """(events in all histories over all starts, events in the largest one).

        Of a start that was killed the last second may lack.
        """
        told = [json.loads(self._histories(start).read_text(encoding="ascii")) for start in range(1, self._starts + 1)]
        return sum(one["events"] for one in told), max(one["largest"] for one in told)

    def _histories(self, start: int) -> Path:
        return self._folder / f"histories-{start}.json"

    def api(self, person: str = stage.OPERATOR) -> Api:
        """The API as one person sees it."""
        return Api(Connection(self.url, True, {DEV_HEADER: principal(person)}))


class Closure:
    """A closure that was filed, with the people who see to its gates."""

    def __init__(self, host: Host, api: Api, target: dict[str, Any]) -> None:
        self._api = api
        self.id = str(api.post("/api/closures", stage.request(target))["closureId"])
        self.people = People(host.url, self.id, target, Console(quiet=True), approve_all=True)

    def look(self, *, decide: bool = True) -> dict[str, Any] | None:
        """Its document, after the people have seen it; None while the host is away."""
        try:
            document: dict[str, Any] = self._api.get(closure_path(self.id))
            if decide:
                self.people.look(document)
        except Unreachable:
            return None
        return document


def measure(run: Run, folder: Path, processes: Processes) -> dict[str, Any]:
    """Close one tenant and judge it; the row of figures. Raises CliError."""
    with Tenant.of(run, processes, folder) as tenant:
        host = Host(processes, folder, tenant.info, run.told.quota, {})
        with host.api() as api:
            closure = Closure(host, api, tenant.info)
            _order_robot(tenant, host.url, closure.id)
            at_proof = _follow(run, tenant, host, closure)
            report = api.get(closure_path(closure.id, "report"), format="json")
            with (folder / "report.csv").open("wb") as file:
                file.writelines(api.parts(closure_path(closure.id, "report"), format="csv"))
        with (folder / "report.csv").open(encoding="utf-8-sig", newline="") as lines:
            reported = outcomes(lines)
        if report["result"] != "closed":
            raise CliError(f"The closure ended as {report['result']}: {report.get('why') or report['blockers']}")
        proven_at = datetime.fromisoformat(report["confirmed"][Family.USERS]["at"]).timestamp()
        most = host.look()
        host.child.stop()  # it writes the last of its counts
        events, largest = host.histories()
        seen = {**tenant.seen(at_proof, proven_at, most), "events": events, "largestHistory": largest}
        return figures(run.told, seen, judge(reported, tenant.deleted(), at_proof["usersKept"] - 1))


def _follow(run: Run, tenant: Tenant, host: Host, closure: Closure) -> dict[str, Any]:
    """Until the closure has ended; returns the simulator's books as they stood when the users were proven gone."""
    phase, at_proof, killed, looked = "", None, not run.told.kill, 0.0
    while True:
        host.look()
        if not (killed and at_proof is None and phase == Phase.USERS and time.monotonic() - looked < CALM_SECONDS):
            looked = time.monotonic()
            document = closure.look()
            if document is None:
                host.child.check()
            else:
                before, phase = phase, str(document.get("phase") or "")
                if before == Phase.USERS and phase != Phase.USERS:
                    at_proof = tenant.score()
                if document.get("status") == "ended":
                    return at_proof or tenant.score()
        if phase == Phase.USERS:
            score = tenant.score()
            if not killed and score["usersDeleted"] >= HALF * run.users:
                killed = True
                host.kill()
                host.start()
        time.sleep(LOOK_SECONDS)


def outcomes(lines: Iterable[str]) -> dict[str, str]:
    """Every user of our CSV with what it says, in the words of a contender; a later line counts."""
    table = csv.DictReader(lines)
    wanted = (row for row in table if row["family"] == Family.USERS and row["operation"] == "delete")
    return {row["id"]: WORDS.get(row["outcome"], "failed") for row in wanted}


def _order_robot(tenant: Tenant, url: str, closure: str) -> None:
    """The keeper at the portal, who does what no API can."""
    tasks = url + closure_path(closure, "tasks")
    headers = {DEV_HEADER: principal(stage.OPERATOR)}
    done = f"{tasks}/{{task}}/done"
    tenant.order(
        "robot", {"enabled": True, "tasksUrl": tasks, "doneUrl": done, "headers": headers, "delaySeconds": 0.5}
    )


def _choices(quota: str) -> Choices:
    return Choices(
        users=0,
        seed=0,
        profile=PROFILE,
        quota=quota,
        approve_all=True,
        once=True,
        as_json=True,
        day_seconds=DAY_SECONDS,
        latency_ms=LATENCY_MS,
        keep_state=False,
        state_dir=None,
        output=None,
        port=0,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
