"""The documentation as a site: every page can be reached, and it builds without a warning."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import ROOT, text

DOCS = ROOT / "docs"
FETCHED = re.compile(r'<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)="((?:https?:)?//[^"]+)"')
"""What a browser gets from elsewhere to show a page."""


def pages_in(nav: Any) -> Iterator[str]:
    """Every page that the site's navigation names."""
    if isinstance(nav, str):
        yield nav
    else:
        for below in nav.values() if isinstance(nav, dict) else nav:
            yield from pages_in(below)


def test_every_page_can_be_reached() -> None:
    """Each page under docs/ is in the navigation; the decisions are where their index links to them."""
    there = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    reached = set(pages_in(yaml.safe_load(text(ROOT / "mkdocs.yml"))["nav"]))
    if "adr/README.md" in reached:
        reached |= {f"adr/{name}" for name in re.findall(r"\]\(([\w-]+\.md)\)", text(DOCS / "adr/README.md"))}

    assert set() == there - reached


def test_the_diagram_can_be_read_as_text() -> None:
    """Each numbered arrow of the drawing is an item of the list below it, and each box is named there."""
    drawn = text(DOCS / "architecture.svg")
    told = text(DOCS / "architecture.md").partition("## The way of the data")[2].partition("\n## ")[0]
    steps, boxes = (re.findall(rf'class="{kind}"[^>]*>([^<]+)<', drawn) for kind in ("step", "box"))

    assert steps == re.findall(r"^(\d+)\. ", told, re.MULTILINE)
    assert [] == [box for box in boxes if f"**{box}**" not in told]


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """`mkdocs build --strict`: every page, link and anchor holds on the site too."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert 0 == said.returncode, said.stdout + said.stderr
    assert (tmp_path / "index.html").is_file()
    fetched = (address for page in tmp_path.rglob("*.html") for address in FETCHED.findall(text(page)))
    assert [] == list(fetched), "the site is read where there is no internet"
