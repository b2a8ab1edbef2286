"""The options every command of a client shares, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JSON_KEY = "closure.json"
"""Where a command's `--json` is remembered, so that an error can keep standard output pure too."""

ClosureId = Annotated[str, typer.Argument(metavar="ID", help="Id of the closure, as `closure list` shows it.")]
Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        envvar="CLOSURE_SERVER",
        help="Base URL of the server. Without it: the local host that `closure serve` started here.",
        show_envvar=True,
    ),
]
As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="NAME",
        envvar="CLOSURE_AS",
        help="Who you are, such as ann@fabrikam.com. Only on loopback; elsewhere CLOSURE_TOKEN signs you in.",
        show_envvar=True,
    ),
]
StateDir = Annotated[
    Path,
    typer.Option(
        "--state-dir",
        metavar="DIR",
        envvar="CLOSURE_STATE_DIR",
        help="Folder that keeps the local host's storage.",
        show_envvar=True,
    ),
]
Comment = Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why; kept in the record.")]


def _remember(context: typer.Context, value: bool) -> bool:
    context.meta[JSON_KEY] = value
    return value


Json = Annotated[
    bool, typer.Option("--json", help="Print JSON only on standard output.", callback=_remember, is_eager=True)
]
