"""Writes the results into the pages, between two comments, with the command that made them."""

from __future__ import annotations

from pathlib import Path

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def put(page: str, text: str) -> str:
    """The page with the text between its two comments. Raises ValueError when they are not there once, in order."""
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise ValueError(f"the page must hold {BEGIN} and then {END}, once each")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}"


def write(file: Path, text: str) -> None:
    """Put the text into a file."""
    file.write_text(put(file.read_text(encoding="utf-8"), text), encoding="utf-8")
