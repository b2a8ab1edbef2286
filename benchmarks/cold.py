"""What a cold start costs: the import of `function_app`, and the first request to a fresh host."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from benchmarks.ours import Host
from benchmarks.scenarios import SCENARIOS
from benchmarks.tenant import Tenant
from cli.demo import stage
from cli.demo.processes import ROOT, Processes
from cli.server import DEV_HEADER, principal

HEAVIEST = 8
TIMED = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| (\s*)(\S+)")
IMPORT = "import time; began = time.perf_counter(); import function_app; print(time.perf_counter() - began)"


def measure(folder: Path, times: int = 5) -> dict[str, Any]:
    """{importSeconds, heaviest, hostSeconds, firstSeconds, laterSeconds}: host is process start to its ready line."""
    imports = [float(_python("-c", IMPORT).stdout) for _ in range(times)]
    with Processes() as processes, Tenant(processes, folder, SCENARIOS["free"], 10) as tenant:
        begun = time.perf_counter()
        host = Host(processes, folder, tenant.info, "off", {})
        ready = time.perf_counter() - begun
        headers = {DEV_HEADER: principal(stage.OPERATOR)}
        with httpx.Client(base_url=host.url, headers=headers, timeout=60.0, trust_env=False) as web:
            first, *later = [_seconds(web) for _ in range(10)]
    return {
        "importSeconds": round(median(imports), 3),
        "heaviest": heaviest(_python("-X", "importtime", "-c", "import function_app").stderr),
        "hostSeconds": round(ready, 3),
        "firstSeconds": round(first, 3),
        "laterSeconds": round(median(later), 4),
    }


def heaviest(said: str) -> list[dict[str, Any]]:
    """The packages that cost most by themselves, from what `-X importtime` says, in milliseconds."""
    own: dict[str, int] = {}
    for line in said.splitlines():
        if (found := TIMED.match(line)) is not None:
            top = ".".join(found[4].split(".")[:2])
            own[top] = own.get(top, 0) + int(found[1])
    ordered = sorted(own.items(), key=lambda one: -one[1])[:HEAVIEST]
    return [{"package": name, "ms": round(micros / 1000, 1)} for name, micros in ordered]


def _python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=True)


def _seconds(web: httpx.Client) -> float:
    begun = time.perf_counter()
    web.get("/api/closures").raise_for_status()
    return time.perf_counter() - begun
