"""What the figures were made with: versions, processor, settings."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks.known import M365
from benchmarks.runs import SEED
from benchmarks.scenarios import LATENCY_MS
from benchmarks.tenant import DAY_SECONDS, PROFILE
from cli.demo.processes import ROOT

PACKAGES = ("azure-functions-durable", "durabletask", "msgraph-sdk", "httpx", "aiohttp")


def describe() -> dict[str, Any]:
    """One flat object of texts and numbers."""
    return {
        "processors": os.cpu_count(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "node": _said("node", "--version"),
        **{name: _version(name) for name in PACKAGES},
        "azurite": _npm("embedded/azurite", "azurite"),
        M365: _npm("benchmarks/contenders/m365", M365),
        "latencyMs": LATENCY_MS,
        "profile": PROFILE,
        "seed": SEED,
        "daySeconds": DAY_SECONDS,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _said(*command: str) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None


def _npm(folder: str, package: str) -> str | None:
    file = ROOT / folder / "node_modules" / package / "package.json"
    return str(json.loads(file.read_text(encoding="utf-8"))["version"]) if file.exists() else None


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123  # streamed
            return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        return platform.processor()
