"""The walk-throughs of docs/extending work: each one's blocks, carried out in a copy of the tree, close a tenant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.walking import ROOT, Block, blocks, copy, run

PAGES = ROOT / "docs/extending"
PYTEST = ("pytest", "-q", "-n", "0", "-p", "no:cacheprovider")
FAMILY = (
    "rehearsals/test_units.py",
    "activities/test_units.py",
    "activities/test_waves.py",
    "preflight/test_table.py",
    "policy/test_permissions.py",
    "orchestrators/test_golden.py",
    "simulator/test_coverage.py",
    "infra/test_graph.py",
)
PROVIDER = (
    "activities/test_volume.py",
    "providers",
    "policy/test_manual_tasks.py",
    "policy/test_obstacles.py",
    "policy/test_subscriptions.py",
    "simulator/test_planting.py",
    "scenarios/test_table.py::test_it_runs_to_its_proper_end[volume]",
    "scenarios/test_table.py::test_it_runs_to_its_proper_end[locked-out]",
)


@pytest.mark.slow
@pytest.mark.azurite
def test_a_family_is_added(tmp_path: Path) -> None:
    """The new family is planned, approved, removed and reported; old histories replay, and what must agree agrees."""
    copy(tmp_path)
    for block in blocks(PAGES / "add-a-family.md"):
        block.carry_out(tmp_path)
    run(tmp_path, "tests.orchestrators.record")

    # Whether the version before is released is the changelog's to say, and not the page's.
    others = "not agrees_with_the_changelog and not recording_again"
    run(tmp_path, *PYTEST, "-k", others, *(f"tests/{name}" for name in FAMILY))


@pytest.mark.slow
@pytest.mark.simulator
def test_a_provider_is_added(tmp_path: Path) -> None:
    """What it sells is planned, approved, asked of a person and proven gone; whoever sold something still owns it."""
    copy(tmp_path)
    for block in blocks(PAGES / "add-a-provider.md"):
        block.carry_out(tmp_path)

    run(tmp_path, *PYTEST, *(f"tests/{name}" for name in PROVIDER))


def test_a_block_that_fits_nowhere_fails(tmp_path: Path) -> None:
    """Lines that are not there, or there twice, and a file that exists already, break the walk and change nothing."""
    told = tmp_path / "names.py"
    told.write_text("A = 1\nB = 2\nB = 2\n", encoding="utf-8")
    wrong = (Block("diff", "names.py", " A = 2\n+C = 3\n"), Block("diff", "names.py", " B = 2\n+C = 3\n"))

    for block in (*wrong, Block("python", "names.py", "C = 3\n")):
        with pytest.raises(AssertionError, match=r"names\.py"):
            block.carry_out(tmp_path)
    assert "A = 1\nB = 2\nB = 2\n" == told.read_text(encoding="utf-8")


def test_a_command_that_fails_breaks_the_walk(tmp_path: Path) -> None:
    """A page whose own test fails in the copy does not pass here; what it said is shown."""
    with pytest.raises(AssertionError, match="No module named"):
        run(tmp_path, "no_such_module")
