"""`closure request` and `closure preflight`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import CLOSURE, REQUEST, Command, FakeServer


def test_request_sends_the_validated_document(closure: Command, server: FakeServer, request_file: Path) -> None:
    """A YAML request is posted as JSON by olga and the id comes back."""
    server.on("POST /api/closures", {"closureId": CLOSURE}, 202)

    ran = closure("request", str(request_file), "--json")

    assert 0 == ran.code
    assert CLOSURE == ran.json["closureId"]
    assert "olga@fabrikam.com" in server.seen[0].headers["x-dev-principal"]
    assert REQUEST["approvers"] == server.seen[0].body["approvers"]
    assert "requestedBy" not in server.seen[0].body


def test_request_from_standard_input(closure: Command, server: FakeServer) -> None:
    """A dash reads JSON from standard input, and people are told how to go on."""
    server.on("POST /api/closures", {"closureId": CLOSURE}, 202)

    ran = closure("request", "-", text=json.dumps(REQUEST))

    assert 0 == ran.code
    assert f"closure status {CLOSURE} --watch" in ran.out


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"surprise": 1}, "surprise"),
        ({"tenantId": "contoso"}, "tenantId"),
        ({"backupConfirmed": False}, "backupConfirmed"),
        ({"approvers": []}, "approvers"),
        ({"keeper": "nobody"}, "keeper"),
    ],
)
def test_wrong_field_is_named_and_nothing_is_sent(
    closure: Command, server: FakeServer, tmp_path: Path, change: dict, field: str
) -> None:
    """A request that breaks the schema ends with 2, names its field and never reaches the server."""
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump({**REQUEST, **change}), encoding="utf-8")

    ran = closure("request", str(file), "--json")

    assert 2 == ran.code
    assert field in ran.err
    assert field == ran.json["field"]
    assert ran.json["remedy"]
    assert [] == server.seen


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.yaml", b"tenantId: [", "not valid YAML"),
        ("a.json", b'{"tenantId": }', "not valid JSON at line 1"),
        ("a.json", b'{"keep": [], "keep": []}', "given twice"),
        ("a.yaml", b"keep: []\nkeep: []\n", "given twice"),
        ("a.yaml", b"\xff\xfe\x00", "UTF-8"),
        ("a.yaml", b"x" * 70_000, "larger than"),
        ("a.yaml", b"just words", "JSON object"),
        ("a.json", b"[" * 50_000, "nested too deeply"),
        ("a.yaml", b"!!python/object/apply:os.system [ls]", "not valid YAML"),
    ],
)
def test_undecodable_file(
    closure: Command, server: FakeServer, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    """A file that is not a request ends with 2 and one sentence that says why."""
    file = tmp_path / name
    file.write_bytes(content)

    ran = closure("request", str(file))

    assert 2 == ran.code
    assert said in ran.err
    assert "" == ran.out
    assert [] == server.seen


def test_missing_file(closure: Command) -> None:
    """A file that is not there is bad input."""
    ran = closure("request", "nowhere.yaml")

    assert 2 == ran.code
    assert "nowhere.yaml can't be read" in ran.err


def test_problem_document_is_rendered(closure: Command, server: FakeServer, request_file: Path) -> None:
    """The server's refusal ends with 2; its field, detail and remedy make the sentence, its document the JSON."""
    server.problem(
        "POST /api/closures",
        409,
        field="tenantId",
        detail="A closure is live.",
        remedy="Abort it first.",
        closureId="x",
    )

    ran = closure("request", str(request_file), "--json")

    assert 2 == ran.code
    assert "tenantId: A closure is live. Abort it first.\n" == ran.err
    assert "x" == ran.json["closureId"]


def test_preflight_needs_no_server(closure: Command, server: FakeServer, request_file: Path) -> None:
    """A good request passes every local check without a call."""
    ran = closure("preflight", str(request_file), "--json")

    assert 0 == ran.code
    assert {"pass"} == {check["state"] for check in ran.json["checks"]}
    assert [] == server.seen


def test_preflight_checks_the_policy(closure: Command, request_file: Path, tmp_path: Path) -> None:
    """An approver whom the policy does not list is found before anything is sent."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("groups: {it: [bob@fabrikam.com], owner: [cyd@fabrikam.com]}\n", encoding="utf-8")

    ran = closure("preflight", str(request_file), "--policy", str(policy))

    assert 2 == ran.code
    assert "ann@fabrikam.com is not in the policy's group it" in ran.err


def test_preflight_finds_a_requester_who_approves(closure: Command, request_file: Path) -> None:
    """Requester and approver must be different people."""
    ran = closure("preflight", str(request_file), "--as", "ann@fabrikam.com")

    assert 2 == ran.code
    assert "can't approve it" in ran.err


TENANT = REQUEST["tenantId"]
CHECK = {
    "check": "target.Group.Read.All",
    "name": "Group.Read.All",
    "kind": "Graph application permission",
    "where": "target",
    "required": True,
    "state": "missing",
    "detail": "Our application lacks Group.Read.All.",
    "grant": "New-MgServicePrincipalAppRoleAssignment",
}
PASSED = {**CHECK, "check": "target.User.Read.All", "state": "pass", "grant": "", "detail": "It is granted."}


def test_preflight_of_a_tenant_asks_the_server(closure: Command, server: FakeServer) -> None:
    """What is missing is told with its command and ends with 1; what is there is told too."""
    server.on(f"GET /api/preflight/{TENANT}", {"tenantId": TENANT, "ok": False, "checks": [CHECK, PASSED]})

    ran = closure("preflight", "--tenant", TENANT)

    assert 1 == ran.code
    assert ["missing", "needed:", "pass"] == [line.split()[0] for line in ran.out.splitlines()]
    assert "needed: New-MgServicePrincipalAppRoleAssignment" in ran.out
    assert "Operator" in server.seen[0].headers["x-dev-principal"]


def test_preflight_of_a_tenant_as_json(closure: Command, server: FakeServer) -> None:
    """A tenant with every required right ends with 0, and the document comes as it is."""
    optional = {**CHECK, "required": False}
    server.on(f"GET /api/preflight/{TENANT}", {"tenantId": TENANT, "ok": True, "checks": [PASSED, optional]})

    ran = closure("preflight", "--tenant", TENANT, "--json")

    assert (0, [PASSED, optional]) == (ran.code, ran.json["checks"])


def test_preflight_of_a_tenant_that_is_refused(closure: Command, server: FakeServer) -> None:
    """The server's refusal is bad input: 2."""
    said = {"field": "tenantId", "detail": "It is not in CLOSURE_ALLOWED_TENANTS.", "remedy": "Ask the owner."}
    server.problem("GET /api/preflight/x%2Fy", 403, **said)

    ran = closure("preflight", "--tenant", "x/y")

    assert (2, "tenantId: It is not in CLOSURE_ALLOWED_TENANTS. Ask the owner.\n") == (ran.code, ran.err)


def test_preflight_without_a_server(closure: Command) -> None:
    """Nobody at the server's address: 3."""
    assert 3 == closure("preflight", "--tenant", TENANT, env={"CLOSURE_SERVER": "http://127.0.0.1:9"}).code


@pytest.mark.parametrize("both", [True, False])
def test_preflight_wants_one_of_two(closure: Command, request_file: Path, both: bool) -> None:
    """A file and a tenant, or neither, is bad input."""
    ran = closure("preflight", *([str(request_file), "--tenant", TENANT] if both else []))

    assert 2 == ran.code
    assert "--tenant" in ran.err
