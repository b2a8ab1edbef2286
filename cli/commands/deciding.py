"""Commands that decide at a gate: approve (or take it back), and veto."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

import typer

from cli.errors import BadInput
from cli.options import As, ClosureId, Comment, Json, Server
from cli.output import emit_json, plain

LAST_GATE = "delete-tenant"
GateName = Annotated[
    Literal["plan", "go-on", "delete-tenant"] | None,
    typer.Option("--gate", help="The gate you mean; refused when another one is open."),
]
Digest = Annotated[
    str | None,
    typer.Option("--digest", metavar="SHA256", help="The plan you saw; refused when the plan has changed since."),
]


def approve(
    closure: ClosureId,
    gate: GateName = None,
    comment: Comment = "",
    domain: Annotated[
        str | None, typer.Option("--domain", metavar="NAME", help="The tenant's domain; the last gate asks for it.")
    ] = None,
    digest: Digest = None,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Take your approval back while the gate is still open.")
    ] = False,
    server: Server = None,
    person: As = None,
    as_json: Json = False,
) -> None:
    """Approve the plan at the open gate. Your approval counts for exactly the digest that is shown.

    \b
    Examples:
      closure approve ID --comment "agreed with legal"
      closure approve ID --gate delete-tenant --domain contoso.onmicrosoft.com
      closure approve ID --revoke
    """
    word = "revoke" if revoke else "approve"
    _decide(closure, word, gate, comment, domain, digest, server, person, as_json)


def veto(
    closure: ClosureId,
    gate: GateName = None,
    comment: Comment = "",
    digest: Digest = None,
    server: Server = None,
    person: As = None,
    as_json: Json = False,
) -> None:
    """Say no at the open gate. One veto ends the closure; what the freeze changed is put back.

    \b
    Example:
      closure veto ID --comment "payroll still runs there"
    """
    _decide(closure, "veto", gate, comment, None, digest, server, person, as_json)


def _decide(
    closure: str,
    word: str,
    gate: str | None,
    comment: str,
    domain: str | None,
    digest: str | None,
    server: str | None,
    person: str | None,
    as_json: bool,
) -> None:
    from cli.client import Api, closure_path
    from cli.server import connect

    with Api(connect(server, person)) as api:
        open_gate = _open_gate(api.get(closure_path(closure)), gate, digest)
        body = {"decision": word, "digest": open_gate["digest"], "comment": comment}
        if word == "approve" and open_gate["name"] == LAST_GATE:
            body["domain"] = domain or _ask_domain()
        answer = api.post(closure_path(closure, "gates", open_gate["name"], "decisions"), body)
    if as_json:
        emit_json(answer)
        return
    done = {"approve": "Approved", "veto": "Vetoed", "revoke": "Took the approval back for"}[word]
    typer.echo(f"{done} plan {plain(open_gate['digest'])[:12]} at the gate {plain(open_gate['name'])}.")


def _open_gate(document: dict[str, Any], wanted: str | None, digest: str | None) -> dict[str, Any]:
    found = document.get("gate")
    if not isinstance(found, dict) or not found.get("name"):
        detail = f"No gate of this closure is open (it is {plain(document.get('status'))})."
        raise BadInput("ID", detail, "See `closure status ID`.")
    if wanted and found["name"] != wanted:
        raise BadInput("--gate", f"The open gate is {plain(found['name'])}, not {wanted}.", "Name the open one.")
    if digest and found["digest"] != digest.lower():
        raise BadInput("--digest", "The plan has changed since.", "Look at it again with `closure plan ID`.")
    return found


def _ask_domain() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Type the domain of the tenant that is to be deleted for ever", err=True)).strip()
    raise BadInput("--domain", "The gate delete-tenant asks for the tenant's domain.", "Add --domain NAME.")
