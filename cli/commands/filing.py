"""Commands that start a closure: check a request file, and file it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import OTHER_END, BadInput
from cli.options import As, Json, Server
from cli.output import emit_json, plain

if TYPE_CHECKING:
    from tenantclosure.model.request import ClosureRequest

File = Annotated[str, typer.Argument(metavar="FILE", help="The request in YAML or JSON; - reads standard input.")]
OptionalFile = Annotated[
    str | None, typer.Argument(metavar="FILE", help="The request in YAML or JSON; - reads standard input.")
]
Tenant = Annotated[
    str | None, typer.Option("--tenant", metavar="ID", help="The tenant whose rights the server looks at.")
]
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


def preflight(
    file: OptionalFile = None,
    tenant: Tenant = None,
    policy: PolicyFile = None,
    server: Server = None,
    person: As = None,
    as_json: Json = False,
) -> None:
    """Check a request file without sending it, or ask the server which right is missing in a tenant.

    A file is checked here: schema, approvers against the policy, separation of duties. With --tenant the server signs
    in to that tenant, to the hosting and the partner's one, and tells right by right what is missing, with the command
    that grants it; exit code 1 while a needed one is. Neither writes anything.

    \b
    Examples:
      closure preflight contoso.yaml
      closure preflight contoso.yaml --policy approval-policy.yaml --as olga@fabrikam.com
      closure preflight --tenant 0b0a1c2d-0000-4000-8000-000000000000
    """
    if (file is None) == (tenant is None):
        raise BadInput("FILE", "Give a request file or --tenant, one of them.", "See `closure preflight --help`.")
    if tenant is not None:
        _ask(tenant, server, person, as_json=as_json)
    elif file is not None:
        _check(file, policy, person, as_json=as_json)


def _ask(tenant: str, server: str | None, person: str | None, *, as_json: bool) -> None:
    from cli.client import Api, preflight_path
    from cli.server import connect

    with Api(connect(server, person)) as api:
        answer = api.get(preflight_path(tenant))
    if as_json:
        emit_json(answer)
    else:
        for check in answer["checks"]:
            typer.echo(f"{plain(check['state']):<8} {plain(check['check']):<44} {plain(check['detail'])}")
            if check["grant"]:
                typer.echo(f"{'':<8} {'needed' if check['required'] else 'optional'}: {plain(check['grant'])}")
    if not answer["ok"]:
        raise typer.Exit(OTHER_END)


def _check(file: str, policy: Path | None, person: str | None, *, as_json: bool) -> None:
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
