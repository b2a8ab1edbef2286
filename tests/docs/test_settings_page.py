"""docs/settings.md tells the settings as the code reads them: names, defaults, allowed values."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from cli.commands_page import commands
from tenantclosure.settings import Settings
from tests.docs.pages import ROOT, SPAN, text

PAGE = ROOT / "docs/settings.md"
FIELDS = {str(field.alias): field for field in Settings.model_fields.values()}
SETTING = re.compile(
    r"`((?:CLOSURE_[A-Za-z_]+|WEBSITE_[A-Z_]+|DURABLE_TASK_[A-Z_]+|APPLICATIONINSIGHTS_[A-Z_]+|OTEL_[A-Z_]+))`"
)


@cache
def rows() -> dict[str, tuple[str, str]]:
    """Default and meaning by setting, from every table whose first column is `Setting`."""
    found: dict[str, tuple[str, str]] = {}
    for table in re.findall(r"^\| Setting \|[^\n]*\n\|[-| ]+\|\n((?:\|[^\n]*\n)+)", text(PAGE), re.MULTILINE):
        for line in table.splitlines():
            name, default, meaning = (cell.strip() for cell in line.strip("|").split(" | "))
            assert name.strip("`") not in found, f"{name} stands twice"
            found[name.strip("`")] = (default, meaning)
    return found


def words(field: FieldInfo) -> set[str]:
    """The words that a setting may say; none where it takes more than a choice."""
    return set(get_args(field.annotation)) if get_origin(field.annotation) is Literal else set()


def shown(default: Any) -> str:
    """A default as the page writes it."""
    match default:
        case None | "":
            return "-"
        case frozenset():
            return "empty: none"
        case bool():
            return f"`{str(default).lower()}`"
        case float():
            return f"`{default:g}`"
    return f"`{default}`"


def test_every_setting_is_documented() -> None:
    """There is a row for every setting that the code reads."""
    assert set() == set(FIELDS) - set(rows())


def test_every_documented_setting_exists() -> None:
    """The page names nothing that no code reads."""
    files = (
        path for pattern in ("tenantclosure/**/*.py", "embedded/*.py", "cli/**/*.py") for path in ROOT.glob(pattern)
    )
    code = "\n".join(text(path) for path in files)

    assert set() == {name for name in SETTING.findall(text(PAGE)) if name not in code}


@pytest.mark.parametrize("name", FIELDS)
def test_a_default_is_the_codes(name: str) -> None:
    """The page's default is what holds when nobody sets it."""
    assert shown(FIELDS[name].default) == rows()[name][0]


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if words(field)])
def test_the_words_of_a_choice_are_the_codes(name: str) -> None:
    """Of a setting that is a choice the page names every word, and as code no other but those of another choice."""
    named = set(SPAN.findall(rows()[name][1]))
    every = {word for field in FIELDS.values() for word in words(field)}

    assert words(FIELDS[name]) == named & words(FIELDS[name])
    assert set() == named - every


def test_what_the_command_reads_has_its_row() -> None:
    """A variable behind an option stands on the page, with the option's default where it has one."""
    read = {(p.envvar, p.default) for _, _, command in commands() for p in command.params if getattr(p, "envvar", None)}

    assert set() == {name for name, _ in read} - set(rows())
    assert [] == [name for name, default in read if default and rows()[name][0] != shown(default)]
