"""How fast API and page answer while ten closures work at their quotas on one host, against the same host at rest.

At rest the ten closures wait for their first approval; then all are approved, and measured again when each has deleted
users for a while. One person looks at one thing at a time, ten times a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx

from benchmarks.ours import Closure, Host
from benchmarks.scenarios import SCENARIOS
from benchmarks.tenant import Tenant
from cli.demo import stage
from cli.demo.processes import Processes
from cli.errors import CliError
from cli.server import DEV_HEADER, principal
from tenantclosure.names import Phase

CLOSURES = 10
SCENARIO = "spent"
BURST_SECONDS = 20.0
"""After the last one began: the bursts are over, and everybody waits for tokens."""
PACE_SECONDS = 0.1
READY_SECONDS = 300.0


def measure(folder: Path, closures: int = CLOSURES, looks: int = 300) -> dict[str, Any]:
    """{closures, api, page}: each {idle, loaded: {p50, p99} in ms, ratio of the p99}. Raises CliError."""
    scenario = SCENARIOS[SCENARIO]
    # Twenty a second and tenant: enough users for the burst, for both measurements, and for a slow machine.
    users = int(scenario.capacity + 20 * (BURST_SECONDS + 4 * PACE_SECONDS * looks + 120))
    with Processes() as processes, Tenant(processes, folder, scenario, users, closures) as tenant:
        first = tenant.info
        targets = [first, *({**first, **sibling} for sibling in first["siblings"])]
        allowed = {"CLOSURE_ALLOWED_TENANTS": ",".join(str(target["tenantId"]) for target in targets)}
        host = Host(processes, folder, first, scenario.quota, allowed)
        with host.api() as api:
            filed = [Closure(host, api, target) for target in targets]
            _until(filed, lambda document: bool((document.get("gate") or {}).get("digest")), decide=False)
            idle = _look(host, filed[0].id, looks)
            _until(filed, lambda document: document.get("phase") == Phase.USERS, decide=True)
            time.sleep(BURST_SECONDS)
            loaded = _look(host, filed[0].id, looks)
            busy = [document for one in filed if (document := one.look(decide=False))]
    if any(document.get("phase") != Phase.USERS for document in busy):
        raise CliError("A closure was through with its users before the measurement was over.")
    return {"closures": closures, "looks": looks, **{what: _compare(idle[what], loaded[what]) for what in idle}}


def _until(filed: list[Closure], reached: Callable[[dict[str, Any]], bool], *, decide: bool) -> None:
    deadline, waiting = time.monotonic() + READY_SECONDS, list(filed)
    while waiting:
        waiting = [one for one in waiting if not reached(one.look(decide=decide) or {})]
        if time.monotonic() > deadline:
            raise CliError(f"{len(waiting)} closures did not get so far in {READY_SECONDS:.0f} s.")
        time.sleep(0.5)


def _look(host: Host, closure: str, times: int) -> dict[str, list[float]]:
    paths = {"api": f"/api/closures/{closure}", "page": f"/closures/{closure}"}
    found: dict[str, list[float]] = {what: [] for what in paths}
    headers = {DEV_HEADER: principal(stage.OPERATOR)}
    with httpx.Client(base_url=host.url, headers=headers, timeout=60.0, trust_env=False) as web:
        for _ in range(times):
            for what, path in paths.items():
                begun = time.perf_counter()
                web.get(path).raise_for_status()
                found[what].append(1000 * (time.perf_counter() - begun))
                time.sleep(PACE_SECONDS)
    return found


def _compare(idle: list[float], loaded: list[float]) -> dict[str, Any]:
    before, after = _points(idle), _points(loaded)
    return {"idle": before, "loaded": after, "ratio": after["p99"] / before["p99"]}


def _points(values: list[float]) -> dict[str, float]:
    cuts = quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2)}
