"""Real runs, small ones: a closure of ours and a program by the contract, judged by the simulator's books."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import contender
from benchmarks.one import measure
from benchmarks.runs import Run
from cli.demo.processes import Processes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(170)]

LIAR = """
import argparse, json, time, urllib.request
p = argparse.ArgumentParser()
for name in ("--target", "--outcomes", "--setting"):
    p.add_argument(name)
o = p.parse_args()
target = json.load(open(o.target))
headers = {"Authorization": "Bearer " + target["token"]}
def call(method, path):
    request = urllib.request.Request(target["url"] + "/v1.0" + path, method=method, headers=headers)
    return urllib.request.urlopen(request)
people = json.load(call("GET", "/users?$select=id,userPrincipalName&$top=999"))["value"]
ids = [user["id"] for user in people if user["userPrincipalName"] != target["keeper"]]
with open(o.outcomes, "w") as out:
    for number, id_ in enumerate(ids):
        if number % 2:
            call("DELETE", "/users/" + id_)
        if number != 1:
            out.write(json.dumps({"id": id_, "reported": "deleted"}) + "\\n")
print(json.dumps({"contender": "liar", "settings": {}, "provenAt": time.time()}))
"""


def test_a_closure_is_measured_from_first_delete_to_proof() -> None:
    """Killed half-way and started again: nobody lost, nothing told wrongly, memory and histories counted."""
    result = measure(Run("ours", 200, "kill"))

    assert result["ok"], result
    figures = result["figures"]
    assert (199, 0, 0) == (figures["deleted"], figures["wrong"], figures["lost"])
    assert figures["seconds"] > figures["deleteSeconds"] > 0
    assert figures["peakMb"] > 50
    assert figures["events"] > figures["largestHistory"] > 10


def test_a_program_that_lies_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It deletes every second user, says that it deleted all, and leaves one deletion out of its report."""
    (tmp_path / "liar.py").write_text(LIAR, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Processes() as processes:
        figures = contender.measure(Run("liar", 21, "free"), tmp_path, processes, "liar", {"a": "b"})

    assert (10, 11, 10) == (figures["deleted"], figures["wrong"], figures["lost"])
    assert 20 == len((tmp_path / "outcomes-1.ndjson").read_text(encoding="utf-8").splitlines()) + 1
    assert json.loads((tmp_path / "target.json").read_text(encoding="utf-8"))["keeper"]
