"""Commands that steer a live closure: pause, unpause, resume, abort, rollback."""

from __future__ import annotations

import typer

from cli.options import As, ClosureId, Comment, Json, Server
from cli.output import emit_json, plain


def pause(
    closure: ClosureId, comment: Comment = "", server: Server = None, person: As = None, as_json: Json = False
) -> None:
    """Stop before the next wave of writes; `unpause` goes on."""
    _post(closure, "pause", "Paused: the next wave waits", comment, server, person, as_json)


def unpause(
    closure: ClosureId, comment: Comment = "", server: Server = None, person: As = None, as_json: Json = False
) -> None:
    """End a pause."""
    _post(closure, "unpause", "Goes on", comment, server, person, as_json)


def resume(
    closure: ClosureId, comment: Comment = "", server: Server = None, person: As = None, as_json: Json = False
) -> None:
    """Start a closure again from its records, for example after its task hub was lost. Nothing is done twice."""
    _post(closure, "resume", "Started again from its records", comment, server, person, as_json)


def abort(
    closure: ClosureId, comment: Comment = "", server: Server = None, person: As = None, as_json: Json = False
) -> None:
    """End a closure before its next wave; what the freeze changed is put back. Deleted things stay deleted."""
    _post(closure, "abort", "Aborted: it ends before the next wave", comment, server, person, as_json)


def rollback(
    closure: ClosureId, comment: Comment = "", server: Server = None, person: As = None, as_json: Json = False
) -> None:
    """Restore what can still be restored: users and applications for 30 days after their deletion."""
    _post(closure, "rollback", "Rollback asked for", comment, server, person, as_json)


def _post(
    closure: str, verb: str, said: str, comment: str, server: str | None, person: str | None, as_json: bool
) -> None:
    from cli.client import Api, closure_path
    from cli.server import connect

    with Api(connect(server, person)) as api:
        answer = api.post(closure_path(closure, verb), {"comment": comment})
    if as_json:
        emit_json(answer)
    else:
        typer.echo(f"{said} ({plain(closure)}).")
