"""Every page that is written from the program: `python -m cli.reference_pages` writes them all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from cli import api_page, commands_page, permissions_page
from web import schema

PAGES: Mapping[Path, Callable[[], str]] = {
    api_page.FILE: api_page.text,
    commands_page.FILE: commands_page.text,
    permissions_page.FILE: permissions_page.text,
    schema.FILE: schema.text,
}
"""What writes each of them."""


if __name__ == "__main__":
    for file, text in PAGES.items():
        file.write_text(text(), encoding="utf-8")
        sys.stdout.write(f"{file} written\n")
