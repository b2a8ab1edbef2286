"""docs/commands.md from the real command: what `closure --help` tells, on one page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from cli.errors import BAD_INPUT, OK, OTHER_END, UNREACHABLE
from cli.main import app
from cli.markdown import code, table

FILE = Path(__file__).parent.parent / "docs" / "commands.md"
HEAD = """# Commands

Every command of `closure`. This page is written by `python -m cli.reference_pages` from the program itself; a test
fails when they differ. `closure COMMAND --help` shows the same in the terminal.

The commands under "On this machine" start servers here; all others are clients of the [HTTP API](api.md). They talk to
`--server`, or else to the local host that `closure serve` started here. Away from this machine `CLOSURE_TOKEN` signs
you in: the application's bearer token of the hosting tenant ([settings](settings.md#the-local-host-and-the-command)).
With `--json` standard output is JSON only, that of the API where there is one, and an error is a problem document.
"""
CODES = {
    OK: "what was asked is done; of a closure: it lives, or it ended as closed",
    OTHER_END: "any other end: what was checked is not in order, the closure ended otherwise, the server has a fault",
    BAD_INPUT: "bad input: what was asked can't be done; one sentence on standard error says why and what to do",
    UNREACHABLE: "cannot reach the server",
}
KEPT = "\b\n"
"""Stands in the command's help before a paragraph that keeps its lines."""
EXAMPLES = "Examples:\n"


def text() -> str:
    """The page."""
    parts = [HEAD, "## Exit codes\n", table(("Code", "Meaning"), ((code(n), said) for n, said in CODES.items()))]
    shown = ""
    for name, panel, command in commands():
        if panel != shown:
            shown = panel
            parts.append(f"## {panel}\n")
        parts.append(_section(name, command))
    return "\n".join(parts)


def commands() -> Iterator[tuple[str, str, TyperCommand]]:
    """Every command that can be run: its name with those above it, the panel of the help that shows it, itself."""
    root = typer.main.get_command(app)
    yield from _below(root, "closure", "")


def _below(command: Any, name: str, panel: str) -> Iterator[tuple[str, str, TyperCommand]]:
    if not isinstance(command, TyperGroup):
        yield name, panel, command
        return
    for word, below in command.commands.items():
        yield from _below(below, f"{name} {word}", str(getattr(below, "rich_help_panel", None) or panel))


def _section(name: str, command: TyperCommand) -> str:
    context = typer.Context(command, info_name=name)
    shown = [_option(parameter, context) for parameter in command.params]
    said, examples = _help(command.help or "")
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    parts = [f"### {name}\n", said, f"```text\n{usage}\n```\n"]
    parts.append(table(("Argument or option", "Default", "Environment", "Meaning"), shown))
    if examples:
        parts.append(f"```bash\n{examples}\n```\n")
    return "\n".join(parts)


def _help(text: str) -> tuple[str, str]:
    """What a command does, and its examples."""
    said, _, examples = text.replace(KEPT, "").partition(EXAMPLES)
    return f"{said.strip()}\n", "\n".join(line.strip() for line in examples.splitlines())


def _option(parameter: Any, context: typer.Context) -> tuple[str, str, str, str]:
    value = str(parameter.metavar or parameter.display_type_rich(context)).replace(" range", "")
    if parameter.param_type_name == "argument":
        name = code(value)
    elif parameter.is_flag:
        name = ", ".join(map(code, [*parameter.opts, *parameter.secondary_opts]))
    else:
        name = ", ".join(code(f"{word} {value}") for word in parameter.opts)
    variable = code(parameter.envvar) if getattr(parameter, "envvar", None) else "-"
    return name, _default(parameter), variable, f"{parameter.help}{_limits(parameter)}"


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if getattr(parameter, "is_flag", False):
        return "on" if parameter.default else "off"
    return "-" if parameter.default in (None, "") else code(parameter.default)


def _limits(parameter: Any) -> str:
    least, most = parameter.min, parameter.max
    if least is None:
        return "" if most is None else f" {most} at most."
    return f" {least} at least." if most is None else f" From {least} to {most}."
