"""Commands that start a closure: check a request file, and file it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import BadInput
from cli.options import As, Json, Server
from cli.output import emit_json, plain

if TYPE_CHECKING:
    from tenantclosure.model.request import ClosureRequest

File = Annotated[str, typer.Argument(metavar="FILE", help="The request in YAML or JSON; - reads standard input.")]
PolicyFile = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        envvar="CLOSURE_APPROVAL_POLICY",
        help="The deployment's approval policy, to check the approvers against it too.",
        show_envvar=True,
    ),
]


def request(file: File, server: Server = None, person: As = None, as_json: Json = False) -> None:
    """File a closure request. It is checked here first; then the server surveys the tenant and freezes a plan.

    Nothing is written to the tenant before people approve the plan.

    \b
    Examples:
      closure request contoso.yaml
      closure request - --json < contoso.json
    """
    from cli.client import Api
    from cli.request_file import read_request
    from cli.server import connect

    body = read_request(file).model_dump(mode="json", by_alias=True, exclude_none=True)
    with Api(connect(server, person)) as api:
        answer = api.post("/api/closures", body)
        if as_json:
            emit_json(answer)
            return
        closure = plain(answer.get("closureId"))
        typer.echo(f"Filed as {closure}. Nothing is written to the tenant before its plan is approved.")
        typer.echo(f"Follow it:  closure status {closure} --watch")
        typer.echo(f"Its page:   {api.url}/closures/{closure}")


def preflight(file: File, policy: PolicyFile = None, person: As = None, as_json: Json = False) -> None:
    """Check a request file without sending it: schema, approvers against the policy, separation of duties.

    What only the tenant can tell (keeper, domain, permissions) the server checks when the request is filed.

    \b
    Examples:
      closure preflight contoso.yaml
      closure preflight contoso.yaml --policy approval-policy.yaml --as olga@fabrikam.com
    """
    from cli.request_file import read_request

    checked = read_request(file)
    findings = [
        {"check": "schema", "state": "pass", "detail": "Every field is known and well formed."},
        _approvers(checked, policy),
        _separation(checked, person),
    ]
    if as_json:
        emit_json({"ok": True, "tenantId": checked.tenant_id, "domain": checked.domain, "checks": findings})
        return
    for finding in findings:
        typer.echo(f"{finding['state']:<12} {finding['check']:<12} {plain(finding['detail'])}")


def _approvers(request: ClosureRequest, file: Path | None) -> dict[str, Any]:
    from cli.request_file import refused_input
    from tenantclosure.errors import RequestRefused, SettingsError
    from tenantclosure.model.approval_policy import ApprovalPolicy
    from tenantclosure.names import Gate
    from tenantclosure.policy.approvers import gate_terms
    from tenantclosure.wiring import load_policy

    try:
        policy = load_policy(file, rehearsal=False) if file else ApprovalPolicy()
        for gate in Gate:
            gate_terms(request, policy, gate, claimed=request.requested_by is not None)
    except SettingsError as error:
        raise BadInput("--policy", str(error), "") from None
    except RequestRefused as refused:
        raise refused_input(refused) from None
    unknown = "The quorum can be reached; give --policy to check the policy too."
    detail = f"They meet {file} at every gate." if file else unknown
    return {"check": "approvers", "state": "pass", "detail": detail}


def _separation(request: ClosureRequest, person: str | None) -> dict[str, Any]:
    from cli.request_file import refused_input
    from tenantclosure.errors import RequestRefused
    from tenantclosure.policy.approvers import check_separation

    requester = (person or request.requested_by or "").partition(";")[0]
    try:
        check_separation(request, requester, frozenset({request.domain, request.keeper.rpartition("@")[2]}))
    except RequestRefused as refused:
        raise refused_input(refused) from None
    told = f"{requester} is none of them." if requester else "Give --as to check the requester too."
    return {"check": "separation", "state": "pass", "detail": f"No approver lives in the tenant. {told}"}
