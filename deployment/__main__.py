"""`make package`: the deployed app in build/app and build/tenant-closure.zip, and what it weighs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

from deployment.package import DEPENDENCIES, Stowaway, install, pack, stage, weigh
from tenantclosure.backend import Backend

ROOT = Path(__file__).resolve().parents[1]
HEAVIEST = 10


def main(argv: list[str] | None = None) -> int:
    """Make the package and print its sizes. Returns 2 when something would be deployed that should not."""
    parser = argparse.ArgumentParser(prog="make package", description=__doc__)
    parser.add_argument(
        "--backend", choices=get_args(Backend), default="azure-storage", help="what keeps the histories"
    )
    parser.add_argument("--dependencies", action="store_true", help="put the packages in; without, Azure builds them")
    parser.add_argument("--folder", type=Path, default=ROOT / "build", help="where app/ and the zip go")
    said = parser.parse_args(argv)
    app, archive = said.folder / "app", said.folder / "tenant-closure.zip"
    try:
        files = stage(ROOT, app, said.backend)
    except Stowaway as error:
        print(error, file=sys.stderr)
        return 2
    print(f"app for {said.backend}: {len(files)} files, {_size(sum(weigh(app).values()))}")
    if said.dependencies:
        install(app)
        packages = weigh(app / DEPENDENCIES)
        print(f"dependencies: {_size(sum(packages.values()))}, the heaviest:")
        for name in list(packages)[:HEAVIEST]:
            print(f"  {_size(packages[name]):>10}  {name}")
    pack(app, archive)
    print(f"{archive}: {_size(archive.stat().st_size)}")
    return 0


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.0f} KiB"


if __name__ == "__main__":
    raise SystemExit(main())
