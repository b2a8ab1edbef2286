"""The parts of a rehearsal: choices, stage, people, patience, verdict."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.demo import stage
from cli.demo.choices import Choices, write_limit
from cli.demo.patience import Patience
from cli.demo.people import People
from cli.demo.verdict import collect
from cli.errors import BadInput
from tenantclosure.model.request import parse_request
from tenantclosure.names import Gate
from tenantclosure.policy import audit_chain
from tenantclosure.policy.approvers import gate_terms
from tenantclosure.settings import Settings
from tenantclosure.wiring import load_policy
from tests.cli.conftest import CLOSURE, DIGEST, Command, FakeServer, closure_document

BASE = f"/api/closures/{CLOSURE}"
TENANT = {
    "url": "http://127.0.0.1:1",
    "loginUrl": "https://127.0.0.1:2",
    "caFile": "/tmp/ca.pem",
    "clientCertificate": "/tmp/client.pem",
    "clientId": "c",
    "tenantId": "0b0a1c2d-0000-4000-8000-000000000000",
    "homeTenantId": "d0000000-0000-4000-8000-000000000001",
    "partnerTenantId": "d0000000-0000-4000-8000-000000000002",
    "billingAccounts": ["a:b_2019-05-31", "c:d_2019-05-31"],
    "externalDirectory": None,
    "domain": "contoso.onmicrosoft.com",
    "keeper": "last.admin@contoso.onmicrosoft.com",
}
CHOICES = Choices(
    users=50,
    seed=7,
    profile="small",
    quota="3000/150",
    approve_all=True,
    once=True,
    as_json=True,
    day_seconds=1.0,
    latency_ms=0.0,
    keep_state=False,
    state_dir=None,
    output=None,
    port=0,
)


@pytest.mark.parametrize(("quota", "limit"), [("off", "5000/100000"), ("3000/150", "20/3000"), ("10/60", "1/10")])
def test_quota_sets_our_own_pace(quota: str, limit: str) -> None:
    """We send as fast as the simulated quota lets us."""
    assert limit == write_limit(quota)


@pytest.mark.parametrize("quota", ["", "fast", "3000", "0/10", "10/0", "10/inf", "10/nan", "-1/5"])
def test_wrong_quota_is_bad_input(closure: Command, quota: str) -> None:
    """A quota that is none ends with 2 before anything starts."""
    ran = closure("demo", "--quota", quota, "--once", "--json")

    assert 2 == ran.code
    assert "--quota" in ran.err


def test_stage_fits_the_product(tmp_path: Path) -> None:
    """Settings, policy and request of the rehearsal are what the product accepts."""
    policy_file = tmp_path / "policy.yaml"
    policy_file.write_text(json.dumps(stage.approval_policy(1.0)), encoding="utf-8")

    settings = Settings.model_validate(stage.settings(TENANT, CHOICES, policy_file))
    request = parse_request(stage.request(TENANT))

    assert settings.rehearsal
    assert set(TENANT["billingAccounts"]) == settings.billing_accounts
    assert (20, 3000) == (settings.rate, settings.burst)
    assert ("closure@fabrikam.com", f"{TENANT['url']}/_teams/workflows/closure") == (
        settings.mail_from,
        settings.teams_webhook,
    )
    for gate in Gate:
        assert 2 == gate_terms(request, load_policy(policy_file, rehearsal=True), gate, claimed=False)["distinct"]


@pytest.mark.parametrize("day", [0.001, 0.1, 1.0, 86400.0])
def test_reminders_wait_for_people(tmp_path: Path, day: float) -> None:
    """However short a day is, people have a minute before they are reminded, and two before deputies are asked."""
    policy_file = tmp_path / "policy.yaml"
    policy_file.write_text(json.dumps(stage.approval_policy(day)), encoding="utf-8")
    policy = load_policy(policy_file, rehearsal=True)

    for gate in Gate:
        rule = policy.rule(gate)
        shortest = min(60.0, 3650 * day)
        assert pytest.approx(shortest) == rule.remind_after_days[0] * day
        assert pytest.approx(min(120.0, 3650 * day)) == rule.escalate_after_days * day
    assert {"it": ["dan@fabrikam.com"]} == policy.deputies


def test_callers_settings_stay_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the caller's environment can point a rehearsal at a real cloud."""
    monkeypatch.setenv("CLOSURE_CLOUD", "global")
    monkeypatch.setenv("AZURE_CLIENT_ID", "real")
    monkeypatch.setenv("NO_PROXY", "intranet")

    environment = stage.clean_environment()

    assert not [name for name in environment if name.startswith(("CLOSURE_", "AZURE_"))]
    assert "intranet,127.0.0.1,localhost" == environment["NO_PROXY"]


def test_temporary_state_goes_and_chosen_state_stays(tmp_path: Path) -> None:
    """A temporary folder is removed; a chosen one stays, and a second rehearsal does not mix with it."""
    with stage.StateFolder(None, keep=False) as temporary:
        assert temporary.path.is_dir()
    assert not temporary.path.exists()

    with stage.StateFolder(tmp_path / "mine", keep=False):
        pass
    assert (tmp_path / "mine").is_dir()
    with pytest.raises(BadInput, match="earlier rehearsal"), stage.StateFolder(tmp_path / "mine", keep=False):
        pass


def people(server: FakeServer, out: io.StringIO, *, approve_all: bool) -> People:
    """The people of a rehearsal at the fake server."""
    return People(server.url, CLOSURE, TENANT, Console(file=out, width=200), approve_all=approve_all)


def test_people_approve_each_gate_once(server: FakeServer) -> None:
    """Ann and Cyd approve a gate once per digest; a plan that grew in between is asked again, not given up."""
    gates = f"POST {BASE}/gates/plan/decisions"
    server.problem(gates, 409, detail="The plan has changed.")
    server.on(gates, {})
    group = people(server, io.StringIO(), approve_all=True)

    for _ in range(3):
        group.look(closure_document())

    said = [seen.headers["x-dev-principal"].partition("@")[0] for seen in server.seen]
    assert ["ann", "cyd", "ann"] == said


def test_people_type_the_domain_at_the_last_gate(server: FakeServer) -> None:
    """Only the last gate gets the domain's name."""
    server.on(f"POST {BASE}/gates/delete-tenant/decisions", {})

    gate = {"name": "delete-tenant", "serial": 1, "digest": DIGEST}
    people(server, io.StringIO(), approve_all=True).look(closure_document(gate=gate))

    assert TENANT["domain"] == server.seen[0].body["domain"]


def test_people_are_told_how_to_approve(server: FakeServer) -> None:
    """Without --approve-all every inbox and the exact command lines are shown once, and nothing is sent."""
    out = io.StringIO()
    group = people(server, out, approve_all=False)

    group.look(closure_document())
    group.look(closure_document())

    line = f"closure approve {CLOSURE} --gate plan --server {server.url} --as ann@fabrikam.com"
    assert 1 == out.getvalue().count(line)
    assert f"{server.url}/closures/{CLOSURE}" in out.getvalue()
    for to in ("ann@fabrikam.com", "bob@fabrikam.com", "cyd@fabrikam.com", "workflow:closure"):
        assert 1 == out.getvalue().count(f"{TENANT['url']}/_sim/inbox?to={to}\n")
    assert [] == server.seen


def patience_after(monkeypatch: pytest.MonkeyPatch, seconds: float, **members: Any) -> bool:
    """Whether patience is over when a document stays the same for so long."""
    now = [1000.0]
    monkeypatch.setattr("cli.demo.patience.time.monotonic", lambda: now[0])
    patience = Patience(1.0, approve_all=False)
    members = {"phase": "readiness", **members}
    assert not patience.over(closure_document(updatedAt="1", **members))
    now[0] += seconds
    return patience.over(closure_document(updatedAt="2", **members))


HOPELESS = {"what": "domain", "why": "federated", "earliest": None}
OPEN = {"open": 1, "ids": ["t1"]}


@pytest.mark.parametrize(
    ("seconds", "over", "members"),
    [
        (11, True, {"status": "waiting", "blockers": [HOPELESS]}),
        (11, False, {"status": "waiting", "phase": "quiet-period", "blockers": [HOPELESS]}),
        (9, False, {"status": "waiting", "blockers": [HOPELESS]}),
        (11, False, {"status": "waiting", "blockers": [HOPELESS], "tasks": OPEN}),
        (11, False, {"status": "waiting", "blockers": [{**HOPELESS, "earliest": "2000-01-01T00:00:00Z"}]}),
        (11, True, {"status": "waiting", "blockers": [{**HOPELESS, "earliest": "9999-01-01T00:00:00Z"}]}),
        (11, False, {"status": "running", "blockers": [HOPELESS]}),
        (999, False, {"status": "waiting-approval"}),
        (130, True, {"status": "waiting", "tasks": OPEN}),
        (130, True, {"status": "planning"}),
    ],
)
def test_patience(monkeypatch: pytest.MonkeyPatch, seconds: float, over: bool, members: dict[str, Any]) -> None:
    """A rehearsal ends when only hopeless blockers remain or nothing moves, never while people have to decide."""
    assert over is patience_after(monkeypatch, seconds, **members)


@pytest.mark.parametrize(("left_alone", "over"), [({"t1"}, True), ({"t2"}, False), (set(), False)])
def test_patience_with_tasks_that_nobody_here_does(
    monkeypatch: pytest.MonkeyPatch, left_alone: set[str], over: bool
) -> None:
    """A task that waits for Support keeps no rehearsal going; one that the robot will get done does."""
    now = [1000.0]
    monkeypatch.setattr("cli.demo.patience.time.monotonic", lambda: now[0])
    patience = Patience(1.0, approve_all=True)
    document = closure_document(status="waiting", phase="readiness", blockers=[HOPELESS], tasks=OPEN)
    assert not patience.over(document, frozenset(left_alone))
    now[0] += 11

    assert over is patience.over(document, frozenset(left_alone))


def test_verdict_takes_the_simulators_word(server: FakeServer) -> None:
    """Counts come from the other side's books, approvals and the chain from the audit, `resent` from the report."""
    from cli.client import Api
    from cli.server import connect

    previous, lines = audit_chain.START, []
    for number, word in enumerate(("approve", "veto", "approve")):
        line = audit_chain.link({"word": "gate:decided", "detail": {"decision": word}}, previous, number)
        previous = line["hash"]
        lines.append(audit_chain.encode(line))
    server.on(f"GET {BASE}/audit", b"".join(lines))
    server.on(f"GET {BASE}/report?format=json", {"resent": 3})
    server.on("GET /_sim/score", {"usersTotal": 50, "usersDeleted": 49, "usersKept": 1, "tenantGone": True})
    server.on("GET /_sim/robot", {"done": [{"taskId": "t1"}, {"taskId": "t2"}], "skipped": [], "refused": {}})

    with Api(connect(server.url, None)) as api:
        found = collect(api, server.url, closure_document(status="ended", result="closed"), 12.34)

    assert (50, 49, 1, True) == tuple(found[k] for k in ("usersTotal", "usersDeleted", "usersKept", "tenantGone"))
    assert (3, 2, True, 12.3) == tuple(found[k] for k in ("resent", "approvals", "auditOk", "seconds"))
    assert 2 == found["manualTasks"]
    assert list(found) == EXPECTED


EXPECTED = [
    "closureId",
    "result",
    "usersTotal",
    "usersDeleted",
    "usersKept",
    "subscriptionsTotal",
    "subscriptionsDeleted",
    "tenantGone",
    "doubleDeletes",
    "resent",
    "keeperTouched",
    "blockers",
    "approvals",
    "manualTasks",
    "auditOk",
    "seconds",
]
