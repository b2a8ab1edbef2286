"""The pages that are written from the program: current, and with everything in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli import api_page, commands_page, permissions_page
from cli.reference_pages import PAGES
from tenantclosure.policy.permissions import NEEDS
from web.openapi import document
from web.routes import ROUTES


def headings(page: Path) -> list[str]:
    return re.findall(r"^### (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_a_written_page_is_current(file: Path) -> None:
    """Each page is what `python -m cli.reference_pages` writes today."""
    assert PAGES[file]() == file.read_text(encoding="utf-8")


def test_every_command_and_option_is_on_its_page() -> None:
    """Each command has its section, each of its options and variables a row in it."""
    page = commands_page.FILE.read_text(encoding="utf-8")
    sections = dict(zip(headings(commands_page.FILE), re.split(r"^### .+$", page, flags=re.MULTILINE)[1:], strict=True))
    found = list(commands_page.commands())

    assert [name for name, _, _ in found] == list(sections)
    assert [] == [
        f"{name} {word}"
        for name, _, command in found
        for parameter in command.params
        for word in (*parameter.opts, parameter.envvar)
        if word and word.startswith(("-", "CLOSURE_")) and not re.search(rf"[`>]{word}[ `<]", sections[name])
    ]


def test_every_route_and_shape_is_on_its_page() -> None:
    """Each route and each named shape has its section, in the order of the API description."""
    described = document(ROUTES)
    operations = {operation["operationId"] for path in described["paths"].values() for operation in path.values()}
    shapes = list(described["components"]["schemas"])
    found = headings(api_page.FILE)

    assert operations == set(found[: -len(shapes)])
    assert shapes == found[-len(shapes) :]


def test_every_permission_is_on_its_page() -> None:
    """Each right is named with its id."""
    page = permissions_page.FILE.read_text(encoding="utf-8")

    assert [] == [need.key for need in NEEDS if need.name not in page or need.id not in page]
