"""`python -m benchmarks`: whole closures with two quotas side by side, and what the canonical digest costs.

Each closure is `closure demo` in a process of its own, as a person would run it; the users deleted are what the
simulator saw. A run that does not end with the tenant gone ends the benchmark with exit code 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from tenantclosure.policy.canonical import canonical

ITEMS = 10_000
ROUNDS = 5


def main() -> int:
    """Run both parts and print one table, or one JSON object with `--json`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--users", type=int, default=600, help="users of the simulated tenant (default 600)")
    parser.add_argument("--profile", default="small", help="profile of the simulated tenant (default small)")
    parser.add_argument(
        "--quotas",
        nargs=2,
        default=["off", "300/30"],
        metavar="QUOTA",
        help="two of off or CAP/WINDOW (default off 300/30)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    rows = digests()
    for quota in options.quotas:
        done = closure(options.users, options.profile, quota)
        if not done.get("tenantGone"):
            print(f"quota {quota}: the closure ended as {done.get('result')}; nothing to measure", file=sys.stderr)
            return 1
        rows.append((f"closure, quota {quota}", "users deleted a second", done["usersDeleted"] / done["seconds"]))
    show(rows, as_json=options.json)
    return 0


def digests() -> list[tuple[str, str, float]]:
    """A manifest's digest over plain JSON and over the canonical form (RFC 8785)."""
    manifest = {"items": [{"shard": n, "family": "users", "count": 500, "sha256": f"{n:064x}"} for n in range(ITEMS)]}
    return [
        (
            f"digest of {ITEMS:,} items, plain JSON",
            "a second",
            rate(lambda: json.dumps(manifest, sort_keys=True).encode()),
        ),
        (f"digest of {ITEMS:,} items, canonical", "a second", rate(lambda: canonical(manifest))),
    ]


def rate(form: Callable[[], bytes]) -> float:
    """Digests a second, the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        hashlib.sha256(form()).hexdigest()
        best = min(best, time.perf_counter() - started)
    return 1 / best


def closure(users: int, profile: str, quota: str) -> dict[str, Any]:
    """One `closure demo`; its last line is the result."""
    command = [sys.executable, "-m", "cli", "demo", "--users", str(users), "--profile", profile, "--quota", quota]
    run = subprocess.run(
        [*command, "--approve-all", "--once", "--json"], stdout=subprocess.PIPE, text=True, check=False
    )
    lines = run.stdout.strip().splitlines()
    if not lines:
        sys.exit(f"closure demo with quota {quota} printed nothing (exit code {run.returncode})")
    result: dict[str, Any] = json.loads(lines[-1])
    return result


def show(rows: list[tuple[str, str, float]], *, as_json: bool) -> None:
    """Rows come in pairs; the second of a pair is given as ratio to the first."""
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    if as_json:
        print(json.dumps([{"what": b[0], "against": a[0], "ratio": round(b[2] / a[2], 3)} for a, b in pairs]))
        return
    table = Table("what", "unit", "value", "ratio")
    for first, second in pairs:
        table.add_row(first[0], first[1], f"{first[2]:.1f}", "1.00")
        table.add_row(second[0], second[1], f"{second[2]:.1f}", f"{second[2] / first[2]:.2f}", end_section=True)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
