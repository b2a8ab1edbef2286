"""Carries out a walk-through of docs/extending in a copy of the tree: its blocks are the change, nothing is added."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.test_house import ROOT, tracked

BLOCK = re.compile(r'^```(?P<kind>\w+) title="(?P<path>[^"]+)"\n(?P<body>.*?)^```$', re.MULTILINE | re.DOTALL)
MODULES = Path("embedded/azurite/node_modules")


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a page: a new file, or a change of one that is there."""

    kind: str
    path: str
    body: str

    def carry_out(self, tree: Path) -> None:
        """Write the file, or find the old lines exactly once and put the new ones in their place."""
        path = tree / self.path
        if self.kind != "diff":
            assert not path.exists(), f"{self.path} is there already"
            path.write_text(self.body, encoding="utf-8")
            return
        lines = self.body.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        now = path.read_text(encoding="utf-8")
        assert now.count(old) == 1, f"{self.path} has these lines {now.count(old)} times:\n{old}"
        path.write_text(now.replace(old, new), encoding="utf-8")


def blocks(page: Path) -> list[Block]:
    """Every block of a page that names a file, in order."""
    return [Block(**found.groupdict()) for found in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def copy(tree: Path) -> None:
    """The whole tree as git keeps it, with the packages that Azurite needs."""
    for path in tracked():
        there = tree / path.relative_to(ROOT)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, there)
    if (ROOT / MODULES).exists():
        (tree / MODULES).symlink_to(ROOT / MODULES)


def run(tree: Path, *command: str) -> None:
    """`python -m ...` in the copy; what it said is shown when it fails."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
