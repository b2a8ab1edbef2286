"""What goes to standard output: JSON for programs, tables for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console


WIDE = 1000
"""Columns where nobody looks: a pipe gets every row on one line."""


def emit_json(document: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(document, indent=2 if sys.stdout.isatty() else None, ensure_ascii=False))


def plain(value: Any) -> str:
    """A value as text that can't steer a terminal: names in a tenant are other people's words."""
    text = (
        ""
        if value is None
        else json.dumps(value, ensure_ascii=False)
        if isinstance(value, (dict, list))
        else str(value)
    )
    return "".join(c if c.isprintable() else " " if c in "\n\t" else "\ufffd" for c in text)


def console(*, stderr: bool = False) -> Console:
    """A console that treats square brackets in data as text."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """Print rows under headings; nothing is cut off when the output is not a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(*columns, title=title, title_justify="left", box=box.SIMPLE, pad_edge=False)
    for row in rows:
        shown.add_row(*(Text(plain(cell)) for cell in row))
    out = console()
    if not out.is_terminal:
        out.width = WIDE
    out.print(shown, crop=out.is_terminal)


def pairs(document: Mapping[str, Any]) -> None:
    """Print simple values as `name: value` lines."""
    width = max((len(name) for name in document), default=0)
    for name, value in document.items():
        typer.echo(f"{name:<{width}}  {plain(value)}")


def items_of(document: Any) -> list[Any]:
    """The rows of a paged answer."""
    if isinstance(document, list):
        return document
    found = document.get("items", []) if isinstance(document, Mapping) else []
    return found if isinstance(found, list) else []
