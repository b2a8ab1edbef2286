"""`make mutants`: what decides is changed in a copy, one slip at a time, and a test has to notice each.

A mutant that no test notices ends the run with exit code 1, unless `exceptions.toml` names it; so does an entry there
that names no survivor. What is mutated, and the tests that are asked, stand in `pyproject.toml` under `tool.mutmut`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path

from hypothesis import Phase, settings
from mutmut import __main__ as mutmut
from mutmut.configuration import config
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

from tests.mutation import operators

ROOT = Path(__file__).resolve().parents[2]
EXCEPTIONS = Path(__file__).with_name("exceptions.toml")
PROCESSES = 2
NOTICED = ("killed", "timeout")

Change = tuple[str, str, str, str]
"""A mutant by what it does: file, function, the lines that go, the lines that come."""


def main(words: list[str]) -> int:
    """Mutate all modules, or those whose path holds one of these words."""
    with tempfile.TemporaryDirectory() as folder:
        copy_to(Path(folder))
        os.chdir(folder)
        files = [file for file in config().only_mutate if not words or any(word in file for word in words)]
        mutate(files)
        counts, survivors = results()
        os.chdir(ROOT)
    listed = tomllib.loads(EXCEPTIONS.read_text(encoding="utf-8"))["harmless"]
    harmless = {(one["file"], one["function"], one["was"].strip(), one["now"].strip()) for one in listed}
    unnoticed = survivors.keys() - harmless
    stale = {change for change in harmless - survivors.keys() if change[0] in files}
    for change in sorted(unnoticed):
        print(f"\n{survivors[change]}")
    for change in sorted(stale):
        print("\nNo survivor, so no exception: {}, {}: {!r} -> {!r}".format(*change))
    print(f"\n{counts.total()} mutants: {dict(counts)}; {len(survivors) - len(unnoticed)} exceptions")
    return int(bool(unnoticed or stale))


def mutate(files: list[str]) -> None:
    """Let mutmut make its mutants of these files in the folder we are in, and try each."""
    for file in map(Path, files):
        file.write_text(operators.undecorated(file.read_text(encoding="utf-8")), encoding="utf-8")
    operators.install()
    # The same examples every time, and no search for the smallest one that fails.
    settings.register_profile("mutants", derandomize=True, database=None, phases=[Phase.explicit, Phase.generate])
    settings.load_profile("mutants")
    config().only_mutate = files
    mutmut._run((), PROCESSES)


def copy_to(folder: Path) -> None:
    """Everything that git keeps or would keep."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def results() -> tuple[Counter[str], dict[Change, str]]:
    """How many mutants ended how, and those that nobody noticed, as a diff each."""
    counts: Counter[str] = Counter()
    survivors: dict[Change, str] = {}
    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        for name, code in data.exit_code_by_key.items():
            status = status_by_exit_code[code]
            counts[status] += 1
            if status not in NOTICED:
                diff, function = get_diff_for_mutant(name, path=path), orig_function_and_class_names_from_key(name)[0]
                change = (str(path), function, changed(diff, "-"), changed(diff, "+"))
                survivors[change] = f"{status}, in {function}\n{diff}"
    return counts, survivors


def changed(diff: str, sign: str) -> str:
    """The lines of a diff with this sign, without their indentation."""
    return "\n".join(line[1:].strip() for line in diff.splitlines()[2:] if line.startswith(sign))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
