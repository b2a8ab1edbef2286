"""The pages that people read, and what stands in them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^( *)(```+|~~~+)[^\n`]*\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")


def documents() -> list[Path]:
    """Every page: those at the top, and all of the folders that hold some."""
    below = ("docs", "infra", "tests")
    return sorted([*ROOT.glob("*.md"), *(page for folder in below for page in (ROOT / folder).rglob("*.md"))])


def shown(page: Path) -> str:
    """A page's path as a failing test tells it."""
    return page.relative_to(ROOT).as_posix()


@cache
def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> list[str]:
    """What stands in the page's code blocks."""
    return [found.group(3) for found in FENCE.finditer(text(page))]


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return FENCE.sub("", text(page))


def spans(page: Path) -> list[str]:
    """What stands as code in the page's sentences and tables."""
    return [span.replace("\\|", "|") for span in SPAN.findall(prose(page))]
