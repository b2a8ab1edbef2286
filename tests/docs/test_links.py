"""What pages point to is there: files, headings, commands of the program, targets of the Makefile."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from markdown.extensions.toc import slugify

from cli.main import app
from tests.docs.pages import ROOT, SPAN, blocks, documents, prose, shown, spans, text

LINK = re.compile(
    r"!?\[[^\]]*\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)|^\[[^\]]+\]: *(\S+)|(?:src|href|srcset)=\"([^\"]+)\"", re.M
)
HELP = ("-h", "--help")
OPEN = re.compile(r"[A-Z_]{2,}|\.\.\.|…")
"""A word that stands for others: `closure COMMAND --help`."""


def targets(page: Path) -> list[str]:
    """Every address that a page links to, images too."""
    return [next(filter(None, found)) for found in LINK.findall(SPAN.sub("", prose(page)))]


@cache
def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings that GitHub and the site make alike."""
    headings = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", h) for h in re.findall(r"^#+ (.+)$", prose(page), re.M)]
    plain = [heading.replace("`", "").replace("*", "") for heading in headings]
    github = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in plain}
    return github & {slugify(heading, "-") for heading in plain}


def commands_of(page: Path) -> Iterator[list[str]]:
    """The words of every `closure ...` and `make ...` that stands as code."""
    lines = [line for block in blocks(page) for line in block.replace("\\\n", " ").splitlines()]
    for line in (*lines, *spans(page)):
        if re.match(r"\s*(\$ )?(\w+=\S+ +)*(\.venv/bin/)?(closure|make)( |$)", line):
            yield from commands_in(line)


def commands_in(line: str) -> Iterator[list[str]]:
    """The line's commands without variables before them, and what is done with their output."""
    said = re.sub(r"<(\w+)>", r"\1", line.strip().removeprefix("$ "))
    lexer = shlex.shlex(said, posix=True, punctuation_chars=True)
    lexer.wordchars += "[]{}@:,%…"
    command: list[str] = []
    for word in [*lexer, ";"]:
        if re.fullmatch(r"[;&|()]+|[<>]+", word):
            if command and command[0] in ("closure", "make"):
                yield command
            # After a redirection comes a file, which is no command.
            command = []
        elif command or not re.fullmatch(r"\w+=.*", word):
            command.append(word.removeprefix(".venv/bin/"))


@cache
def program() -> Any:
    """The `closure` command with all below it."""
    return typer.main.get_command(app)


def fault_of_closure(words: list[str]) -> str:
    """Why the program would not understand these words; empty when it does."""
    command = program()
    rest = [word.strip("[]") for word in words[1:]]
    while hasattr(command, "commands") and rest and rest[0] not in HELP:
        word = rest.pop(0)
        if OPEN.fullmatch(word):
            return ""
        if word not in command.commands:
            return f"no command {word}"
        command = command.commands[word]
    context = typer.Context(command, info_name="closure")
    try:
        _, left, _ = command.make_parser(context).parse_args([word for word in rest if word not in ("...", "OPTIONS")])
    except Exception as error:  # typer keeps its parser's errors to itself
        return str(error)
    return f"too many words: {left}" if left else ""


def fault_of_make(words: list[str]) -> str:
    """Why `make` would not understand these words."""
    makefile = text(ROOT / "Makefile")
    for word in words[1:]:
        name, is_variable, _ = word.partition("=")
        there = rf"\$\((?:or \$\(|if \$\()?{name}\b" if is_variable else rf"^{re.escape(name)}:"
        if not re.search(there, makefile, re.MULTILINE):
            return f"no {'variable' if is_variable else 'target'} {name}"
    return ""


@pytest.mark.parametrize("page", documents(), ids=shown)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Each relative link names a file that is there, and its anchor a heading in it, on GitHub and on the site."""
    broken = []
    for target in targets(page):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(target)

    assert [] == broken


@pytest.mark.parametrize("page", documents(), ids=shown)
def test_every_page_that_is_named_exists(page: Path) -> None:
    """A page named in code style, without a link, is there as well."""
    assert [] == [
        name for name in spans(page) if re.fullmatch(r"docs/[\w./-]+\.md", name) and not (ROOT / name).exists()
    ]


@pytest.mark.parametrize("page", documents(), ids=shown)
def test_every_command_that_is_shown_exists(page: Path) -> None:
    """`closure ...` is understood by the program's own parser, `make ...` by the Makefile."""
    faults = {"closure": fault_of_closure, "make": fault_of_make}

    assert [] == [f"{' '.join(words)}: {why}" for words in commands_of(page) if (why := faults[words[0]](words))]
