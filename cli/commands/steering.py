"""Commands that steer a closure: pause, unpause, resume, abort, rollback."""

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
    """Undo what can be undone, also of a closure that has ended. People approve it first.

    \b
    Restored are, while the recycle bin holds them (30 days): users, app
    registrations and enterprise applications that this closure deleted.
    Users it blocked may sign in again; sign-ups are open again; renewals
    it turned off are on again; Azure subscriptions it cancelled are
    enabled again while they are only disabled. What can't be undone is
    named item by item, with the reason.
    A rollback ends the closure: a live one as aborted.

    \b
    Examples:
      closure rollback ID --comment "the merger is off"
      closure plan ID                       # what it would restore
      closure approve ID --gate rollback    # said by an approver
    """
    said = "Rollback asked for; nothing is restored before people approve it"
    if _post(closure, "rollback", said, comment, server, person, as_json):
        name = plain(closure)
        typer.echo("You asked for it, so you can't approve it: the approvers of its plan are asked.")
        typer.echo(f"What is restored:  closure plan {name}")
        typer.echo(f"To approve it:     closure approve {name} --gate rollback")
        typer.echo(f"Follow it:         closure status {name} --watch")


def _post(
    closure: str, verb: str, said: str, comment: str, server: str | None, person: str | None, as_json: bool
) -> bool:
    """Give the order; whether its answer was told in words."""
    from cli.client import Api, closure_path
    from cli.server import connect

    with Api(connect(server, person)) as api:
        answer = api.post(closure_path(closure, verb), {"comment": comment})
    if as_json:
        emit_json(answer)
    else:
        typer.echo(f"{said} ({plain(closure)}).")
    return not as_json
