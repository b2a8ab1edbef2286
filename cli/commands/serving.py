"""Command that runs the product on this machine: the local host against whatever cloud the settings name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import BadInput
from cli.options import Json, StateDir
from cli.output import emit_json

ROOT = Path(__file__).resolve().parents[2]
"""Where function_app.py and host.json lie."""


def serve(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 7071,
    state_dir: StateDir = Path(".closure"),
    as_json: Json = False,
) -> None:
    """Run the local host until Ctrl-C; live closures of this state folder go on by themselves.

    It prints one line with its base URL. The settings (CLOSURE_CLOUD and the others) come from the environment.

    \b
    Examples:
      closure serve
      closure serve --port 0 --state-dir /var/lib/closure
    """
    from tenantclosure.errors import SettingsError
    from tenantclosure.settings import load
    from tenantclosure.wiring import load_policy

    try:
        settings = load()
        load_policy(settings.approval_policy, rehearsal=settings.rehearsal)
    except SettingsError as error:
        raise BadInput("", str(error), "See docs/settings.md.") from None
    raise typer.Exit(_run(state_dir, port, as_json))


def _run(state_dir: Path, port: int, as_json: bool) -> int:
    """Note the address for the other commands while the host runs."""
    from cli.server import note
    from embedded.host import serve as run

    noted: list[Path] = []

    def announce(url: str) -> None:
        noted.append(note(state_dir, url))
        if as_json:
            emit_json({"url": url})
        else:
            typer.echo(f"Listening on {url}")
        sys.stdout.flush()

    try:
        return run(ROOT, state_dir, port, announce)
    finally:
        for file in noted:
            file.unlink(missing_ok=True)
