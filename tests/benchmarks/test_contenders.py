"""Each contender empties a small tenant as a process of its own, and reports what the other side's books say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contenders.batches import answers_of
from benchmarks.contenders.entry import Entry, Target
from benchmarks.contenders.m365.cli import PACKAGE
from tests.simulator.rig import Simulator, simulator

pytestmark = [pytest.mark.simulator, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
TIGHT = (20, 4.0)
"""Less than there are users, so that some are throttled and it goes on soon."""


def contend(sim: Simulator, folder: Path, name: str, *settings: str) -> tuple[dict[str, Any], dict[str, str]]:
    target, outcomes = folder / "target.json", folder / "outcomes.ndjson"
    target.write_text(json.dumps(sim.info), encoding="utf-8")
    command = [sys.executable, "-m", f"benchmarks.contenders.{name}", "--target", str(target)]
    command += ["--outcomes", str(outcomes), *(word for text in settings for word in ("--setting", text))]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert 0 == run.returncode, run.stderr
    reported = [json.loads(line) for line in outcomes.read_text(encoding="utf-8").splitlines()]
    return json.loads(run.stdout.splitlines()[-1]), {entry["id"]: entry["reported"] for entry in reported}


@contextmanager
def emptied(folder: Path, users: int = 31, **options: Any) -> Iterator[tuple[Simulator, set[str]]]:
    with simulator(folder, users=users, lag_ms=300.0, **options) as sim:
        directory = sim.world.target.directory
        assert directory.keeper is not None
        yield sim, set(directory.users.live) - {directory.keeper.id}


@pytest.mark.parametrize(
    ("name", "settings", "quota"),
    [
        ("bare_loop", ["atOnce=2"], TIGHT),
        ("serial_batch", [], TIGHT),
        ("sdk_loop", [], None),
        ("sdk_gather", ["atOnce=3"], None),
    ],
)
def test_a_contender_empties_the_tenant(
    tmp_path: Path, name: str, settings: Sequence[str], quota: tuple[int, float] | None
) -> None:
    """All are deleted and reported as such, through a quota too; a listing shows the keeper alone afterwards."""
    with emptied(tmp_path, quota=quota) as (sim, everybody):
        last, reported = contend(sim, tmp_path, name, *settings)
        score = sim.sim("score")

        assert dict.fromkeys(everybody, "deleted") == reported
        assert everybody == set(sim.sim("deleted")["users"])
    assert (name, 1) == (last["contender"], last["listedAfter"])
    assert last["firstDeleteSentAt"] <= score["deleteTimes"]["first"] <= score["deleteTimes"]["last"] < last["provenAt"]
    assert (quota is not None) == (score["throttled"] > 0)
    assert (0, 0) == (score["keeperTouched"], score["doubleDeletes"])


def test_the_floor_tries_errors_again_and_gives_up(tmp_path: Path) -> None:
    """Some inner errors cost nobody; who always fails is reported as a failure, and the listing still shows them."""
    with emptied(tmp_path, quota=None) as (sim, everybody):
        stuck = min(everybody)
        always = {"do": "status", "times": None, "inner": True, "match": {"pathRegex": stuck}}
        sim.sim("faults", [always, {"do": "status", "share": 0.2, "inner": True}])
        last, reported = contend(sim, tmp_path, "bare_loop")

        assert {**dict.fromkeys(everybody, "deleted"), stuck: "failed"} == reported
        assert everybody - {stuck} == set(sim.sim("deleted")["users"])
    assert 2 == last["listedAfter"]


def test_the_serial_script_reports_errors(tmp_path: Path) -> None:
    """It tries nothing again but what was throttled: one inner error is a failure."""
    with emptied(tmp_path, users=12, quota=None) as (sim, everybody):
        stuck = min(everybody)
        sim.sim("faults", {"do": "status", "inner": True, "match": {"pathRegex": stuck}})
        last, reported = contend(sim, tmp_path, "serial_batch")

    assert {**dict.fromkeys(everybody, "deleted"), stuck: "failed"} == reported
    assert 2 == last["listedAfter"]


def test_an_entry_writes_at_once_what_it_knows() -> None:
    """A status becomes one line: deleted, gone, or failed, and who failed is not waited for in the proof."""
    written = StringIO()
    entry = Entry(Target("", "", "", "", "", "", ""), {}, written)
    for user, status in (("a", 204), ("b", 404), ("c", 500)):
        entry.answered(user, status)

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [("a", "deleted"), ("b", "gone"), ("c", "failed")] == [(line["id"], line["reported"]) for line in lines]
    assert {"c"} == entry.left


def test_a_refused_batch_speaks_for_all_its_items() -> None:
    """An outer answer counts for every user in it; a user that Graph left out has no status."""
    refused = answers_of(["a", "b"], 429, {"Retry-After": "1.5"}, b"")
    partial = answers_of(["a", "b"], 200, {}, b'{"responses": [{"id": "1", "status": 204}]}')

    assert [("a", True, 1.5), ("b", True, 1.5)] == [(d.user, d.throttled, d.wait) for d in refused]
    assert [("a", 0, True), ("b", 204, False)] == [(d.user, d.status, d.broken) for d in partial]


@pytest.mark.skipif(not PACKAGE.exists(), reason="npm ci was not run in benchmarks/contenders/m365")
def test_m365_removes_users_and_empties_the_bin(tmp_path: Path) -> None:
    """The real CLI signs in with the certificate, removes users, and empties the recycle bin as a step of its own."""
    with emptied(tmp_path, users=5, quota=None) as (sim, everybody):
        last, reported = contend(sim, tmp_path, "m365", "users=2", "atOnce=2")
        deleted = set(sim.sim("deleted")["users"])

        assert dict.fromkeys(deleted, "deleted") == reported
        assert 2 == len(deleted)
        assert {} == sim.world.target.directory.users.bin
    assert len(everybody) - 1 == last["listedAfter"]
    assert (0, 0) == (last["recycleBin"]["exitCode"], last["recycleBin"]["leftAfter"])
