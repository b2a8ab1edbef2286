"""`python -m benchmarks.one RUN`: one run in a process of its own; prints its result as one line of JSON, last."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import contender, known, ours
from benchmarks.runs import OURS, Run
from cli.demo.processes import Processes
from cli.errors import CliError


def measure(run: Run) -> dict[str, Any]:
    """{run, key, ok, took, figures | why}; a run that fails is a result as well."""
    begun = time.monotonic()
    result: dict[str, Any] = {"key": run.key, "run": run.to_dict(), "ok": True}
    try:
        scratch = tempfile.TemporaryDirectory(prefix="closure-bench-", ignore_cleanup_errors=True)
        with scratch as folder, Processes() as processes:
            result["figures"] = _figures(run, Path(folder), processes)
    except (CliError, OSError, KeyError) as fault:
        result |= {"ok": False, "why": f"{type(fault).__name__}: {fault}"}
    return {**result, "took": round(time.monotonic() - begun, 1)}


def _figures(run: Run, folder: Path, processes: Processes) -> dict[str, Any]:
    if run.contender == OURS:
        return ours.measure(run, folder, processes)
    module, settings = known.command(run.contender, run.setting)
    return contender.measure(run, folder, processes, module, settings)


def main() -> int:
    """Do the run named on the command line."""
    result = measure(Run.from_dict(json.loads(sys.argv[1])))
    print(json.dumps(result), flush=True)
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
