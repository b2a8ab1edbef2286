"""Where our packages come from: the bill of materials is whole, the audit is honest, the workflows are pinned."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.test_house import ROOT, pins, plain

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def _make(target: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # READY is the set-up, which stands when a test runs.
    command = ["make", target, "READY="]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_bill_of_materials_names_every_package() -> None:
    """Every pinned package of the runtime is in it, at its version, with hashes; made without a network."""
    made = _make("sbom", HTTPS_PROXY="http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9")
    assert 0 == made.returncode, made.stderr
    document = json.loads((ROOT / "build/sbom.json").read_text(encoding="utf-8"))
    named = {plain(part["name"]): part["version"] for part in document["components"]}

    assert "CycloneDX" == document["bomFormat"]
    assert pins("requirements.txt") == named
    assert [] == [part["name"] for part in document["components"] if not part["externalReferences"][0]["hashes"]]


@pytest.mark.slow
def test_an_audit_that_could_not_ask_says_so() -> None:
    """Without a way to the registry it fails with one sentence, not with a trace and not with good news."""
    asked = _make("audit", HTTPS_PROXY="http://127.0.0.1:9", NO_PROXY="")

    assert 0 != asked.returncode
    assert "Python packages: not audited, the registry can't be reached" in asked.stderr
    assert "Traceback" not in asked.stderr + asked.stdout
    assert "No known vulnerabilities" not in asked.stderr + asked.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_are_pinned_and_may_only_read(path: Path) -> None:
    """Every action by its commit, with the version beside it; no right by default but reading the code."""
    text = path.read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)(.*)", text)

    assert "contents: read" in text.partition("jobs:")[0]
    assert used
    assert [] == [
        name for name, rest in used if not re.search(r"@[0-9a-f]{40}$", name) or not re.match(r" # v\d", rest)
    ]


def test_audit_and_bill_of_materials_run_each_week() -> None:
    """A hole that is published later is found without a change of ours."""
    flow = yaml.safe_load((ROOT / ".github/workflows/security.yml").read_text(encoding="utf-8"))
    steps = [step.get("run", step.get("uses", "")) for job in flow["jobs"].values() for step in job["steps"]]

    # YAML 1.1 reads the key `on` as true.
    assert {"push", "pull_request", "schedule"} == set(flow[True])
    assert {"make audit", "make sbom"} <= set(steps)
