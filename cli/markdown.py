"""Pieces of Markdown that GitHub and the site show alike: tables, code in their cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; every cell is Markdown already."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def code(text: object) -> str:
    """Text as code in a cell, where a bar would end the cell."""
    said = str(text)
    if "|" not in said:
        return f"`{said}`"
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;")):
        said = said.replace(sign, entity)
    return f"<code>{said}</code>"
