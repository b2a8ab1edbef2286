"""`closure --help` teaches, and answers at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import app
from tests.cli.conftest import Command

COMMANDS = {
    *("demo", "serve", "request", "preflight", "list", "status", "plan", "tasks", "report", "audit"),
    *("approve", "veto", "pause", "unpause", "resume", "abort", "rollback"),
}


def test_every_fixed_command_is_there(closure: Command) -> None:
    """The names others rely on exist and each explains itself."""
    assert COMMANDS == {command.name for command in app.registered_commands} | {"audit"}
    for name in sorted(COMMANDS):
        ran = closure(name, "--help")
        assert 0 == ran.code
        assert name == "audit" or "--json" in ran.out


def test_help_loads_nothing_heavy() -> None:
    """Help does not wait for libraries it does not need."""
    code = (
        "import sys, cli.main\n"
        "print([m for m in ('httpx', 'pydantic', 'yaml', 'azure', 'embedded') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)

    assert "[]" == done.stdout.strip()


@pytest.mark.parametrize("arguments", [("status",), ("nonsense",), ("list", "--nonsense"), ("demo", "--users", "0")])
def test_wrong_usage_is_bad_input(closure: Command, arguments: tuple[str, ...]) -> None:
    """Usage errors end with 2 and keep standard output empty."""
    ran = closure(*arguments)

    assert 2 == ran.code
    assert "" == ran.out
