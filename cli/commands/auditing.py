"""Command that proves the record: checks the audit chain of a file or of a closure, line by line, on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import OTHER_END, BadInput
from cli.options import As, Json, Server
from cli.output import emit_json

if TYPE_CHECKING:
    from tenantclosure.policy.audit_chain import Verdict

CLOSURE_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}-\d+")


def verify(
    target: Annotated[str, typer.Argument(metavar="FILE|ID", help="An audit file (NDJSON), or a closure's id.")],
    head: Annotated[
        str | None, typer.Option("--head", metavar="SHA256", help="Head from the report; finds lines cut off the end.")
    ] = None,
    server: Server = None,
    person: As = None,
    as_json: Json = False,
) -> None:
    """Check that nobody changed, removed, inserted or moved an audit line. A file needs no server and no network.

    Exit code 1 when somebody did.

    \b
    Examples:
      closure audit verify audit.ndjson --head 4f1c...
      closure audit verify ID
    """
    verdict = _of_file(Path(target)) if Path(target).is_file() else _of_closure(target, server, person)
    fault, line = verdict.fault, verdict.line
    if verdict.ok and verdict.lines == 0:
        fault = "has no lines"
    elif verdict.ok and head is not None and verdict.head != head.lower():
        fault = "does not end with the expected head"
    if as_json:
        emit_json({"ok": fault is None, "lines": verdict.lines, "head": verdict.head, "fault": fault, "line": line})
    elif fault is None:
        typer.echo(f"The chain is whole: {verdict.lines} lines, head {verdict.head}.")
    else:
        typer.echo(f"Line {line} {fault}." if line else f"The chain {fault}.")
    if fault is not None:
        raise typer.Exit(OTHER_END)


def _of_file(file: Path) -> Verdict:
    from tenantclosure.policy.audit_chain import verify as check

    try:
        with file.open("rb") as lines:
            return check(split_lines(lines))
    except OSError as error:
        raise BadInput("FILE", f"{file} can't be read: {error.strerror}.", "Name an audit file.") from None


def _of_closure(closure: str, server: str | None, person: str | None) -> Verdict:
    from cli.client import Api, closure_path
    from cli.server import connect
    from tenantclosure.policy.audit_chain import verify as check

    if not CLOSURE_ID.fullmatch(closure):
        raise BadInput("FILE|ID", f"{closure} is neither a file nor a closure's id.", "Name one; see `closure list`.")
    path = closure_path(closure, "audit")
    with Api(connect(server, person)) as api:
        # The lines are checked here, not by the server: whoever could edit the record could also say that it is fine.
        with api.stream(path) as answer:
            verdict = check(split_lines(answer.iter_bytes()))
        # What was cut off the end leaves a whole chain: only the server's sealed note of the newest line shows it.
        told = api.get(path, verify="1") if verdict.ok and verdict.lines else {"ok": True}
    return verdict if told["ok"] else replace(verdict, ok=False, fault=str(told["fault"]))


def split_lines(chunks: Iterable[bytes]) -> Iterable[bytes]:
    """Lines without their newline; httpx would also split at characters that may stand inside a line."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest
