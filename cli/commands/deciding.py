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
    Literal["plan", "go-on", "delete-tenant", "rollback"] | None,
    typer.Option("--gate", help="The gate you mean; refused when it takes no decision."),
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
        bool, typer.Option("--revoke", help="Take your approval back; you can until it has been carried out.")
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
      closure approve ID --gate plan --revoke
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
    """Say no at the open gate, or after all at one that is approved. One veto ends the closure; what the freeze changed
    is put back.

    \b
    Examples:
      closure veto ID --comment "payroll still runs there"
      closure veto ID --gate plan
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
        asked = _gate(api.get(closure_path(closure)), gate, digest, word)
        body = {"decision": word, "digest": asked["digest"], "comment": comment, "serial": asked["serial"]}
        if word == "approve" and asked["name"] == LAST_GATE:
            body["domain"] = domain or _ask_domain()
        answer = api.post(closure_path(closure, "gates", asked["name"], "decisions"), body)
    if as_json:
        emit_json(answer)
        return
    done = {"approve": "Approved", "veto": "Vetoed", "revoke": "Took the approval back for"}[word]
    typer.echo(f"{done} plan {plain(asked['digest'])[:12]} at the gate {plain(asked['name'])}.")


def _gate(document: dict[str, Any], wanted: str | None, digest: str | None, word: str) -> dict[str, Any]:
    """The gate that is meant: the open one, or for taking back and vetoing one whose approval is in force."""
    shown = document.get("gate")
    open_gate: dict[str, Any] | None = shown if isinstance(shown, dict) and shown.get("name") else None
    held = [] if word == "approve" else [gate for gate in document.get("inForce") or () if isinstance(gate, dict)]
    found = [gate for gate in (open_gate, *held) if gate and wanted in (None, gate["name"])]
    if not found and open_gate:
        raise BadInput("--gate", f"The open gate is {plain(open_gate['name'])}, not {wanted}.", "Name the open one.")
    if not found:
        what = f"The gate {wanted} is not open" if wanted else "No gate of this closure is open"
        detail = f"{what} (the closure is {plain(document.get('status'))})."
        raise BadInput("--gate" if wanted else "ID", detail, "See `closure status ID`.")
    if len(found) > 1 and not open_gate:
        names = " and ".join(plain(gate["name"]) for gate in found)
        raise BadInput("--gate", f"The approvals of {names} are in force.", "Say with --gate which one you mean.")
    if digest and found[0]["digest"] != digest.lower():
        raise BadInput("--digest", "The plan has changed since.", "Look at it again with `closure plan ID`.")
    return found[0]


def _ask_domain() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Type the domain of the tenant that is to be deleted for ever", err=True)).strip()
    raise BadInput("--domain", "The gate delete-tenant asks for the tenant's domain.", "Add --domain NAME.")
