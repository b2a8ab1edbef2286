"""The deployed files: what .funcignore lets through, in a folder of its own and as a zip that is always the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pathspec import GitIgnoreSpec

from deployment.host_file import made_for
from tenantclosure.backend import Backend

RUNS = frozenset(
    {"function_app.py", "host.json", "requirements.txt", "orchestrators", "activities", "tenantclosure", "web"}
)
"""The top of the package. Anything else that .funcignore lets through is a mistake, not a passenger."""
DEPENDENCIES = PurePosixPath(".python_packages/lib/site-packages")
"""Where the Functions host looks for packages that were not built in Azure."""
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time a zip can tell: the same files make the same bytes on every day."""


class Stowaway(Exception):
    """Something at the top of the tree would be deployed that the app does not run."""


def chosen(root: Path) -> list[PurePosixPath]:
    """Every file that .funcignore (gitignore's rules, as azd and Core Tools read it) lets through. Raises Stowaway."""
    ignored = GitIgnoreSpec.from_lines((root / ".funcignore").read_text("utf-8").splitlines())
    files = sorted(_walk(root, PurePosixPath(), ignored))
    found = {path.parts[0] for path in files}
    if extra := sorted(found - RUNS):
        raise Stowaway(f"{', '.join(extra)} would be deployed: name it in .funcignore.")
    if missing := sorted(RUNS - found):
        raise Stowaway(f"{', '.join(missing)} is missing, or .funcignore keeps it out.")
    return files


def _walk(root: Path, below: PurePosixPath, ignored: GitIgnoreSpec) -> Iterator[PurePosixPath]:
    for path in (root / below).iterdir():
        name = below / path.name
        if path.is_dir():
            # What is below an ignored folder can't be let in again, so it is not even looked at.
            if not ignored.match_file(f"{name}/"):
                yield from _walk(root, name, ignored)
        elif not ignored.match_file(str(name)):
            yield name


def stage(root: Path, folder: Path, backend: Backend) -> list[PurePosixPath]:
    """Put the app into an empty folder, its host.json made for the backend. Returns the files."""
    files = chosen(root)
    shutil.rmtree(folder, ignore_errors=True)
    for name in files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target)
    host = folder / "host.json"
    host.write_text(made_for(backend, host.read_text("utf-8")), encoding="utf-8")
    return files


def install(folder: Path) -> None:
    """Put the locked dependencies beside the app, as wheels for the machines that Azure runs, whatever this one is."""
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    wheels = ["--only-binary=:all:", "--implementation=cp", "--python-version=3.13", *platforms]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-compile", "--no-deps", "--require-hashes"]
    target = ["--target", str(folder / DEPENDENCIES), "--requirement", str(folder / "requirements.txt")]
    subprocess.run([sys.executable, "-m", "pip", "install", *quiet, *wheels, *target], check=True)
    shutil.rmtree(folder / DEPENDENCIES / "bin", ignore_errors=True)  # commands that name this machine's Python


def pack(folder: Path, archive: Path) -> None:
    """A zip of everything in the folder: sorted, with fixed times and rights."""
    archive.unlink(missing_ok=True)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o100644 << 16, 3
            packed.writestr(entry, path.read_bytes())


def weigh(folder: Path) -> dict[str, int]:
    """Bytes by top of the folder, the heaviest first."""
    sizes: dict[str, int] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            top = path.relative_to(folder).parts[0]
            sizes[top] = sizes.get(top, 0) + path.stat().st_size
    return dict(sorted(sizes.items(), key=lambda one: (-one[1], one[0])))
