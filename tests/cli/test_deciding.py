"""`closure approve`, `veto` and the steering commands."""

from __future__ import annotations

import pytest

from tests.cli.conftest import CLOSURE, DIGEST, Command, FakeServer, closure_document

BASE = f"/api/closures/{CLOSURE}"


def last_gate() -> dict:
    """A closure whose last gate is open."""
    return closure_document(gate={"name": "delete-tenant", "serial": 1, "digest": DIGEST, "missing": {}})


def test_approve_sends_the_digest_it_saw(closure: Command, server: FakeServer) -> None:
    """An approval carries the open gate's digest and serial and the comment, as the person named by --as."""
    server.on(f"GET {BASE}", closure_document())
    server.on(f"POST {BASE}/gates/plan/decisions", {"state": "open"})

    ran = closure("approve", CLOSURE, "--comment", "agreed", "--as", "ann@fabrikam.com")

    assert 0 == ran.code
    assert {"decision": "approve", "digest": DIGEST, "comment": "agreed", "serial": 1} == server.seen[1].body
    assert server.seen[1].headers["x-dev-principal"].startswith("ann@fabrikam.com;roles=")


def test_last_gate_sends_the_typed_domain(closure: Command, server: FakeServer) -> None:
    """The domain goes along at the last gate."""
    server.on(f"GET {BASE}", last_gate())
    server.on(f"POST {BASE}/gates/delete-tenant/decisions", {})

    closure("approve", CLOSURE, "--domain", "contoso.onmicrosoft.com", "--json")

    assert "contoso.onmicrosoft.com" == server.seen[1].body["domain"]


def test_last_gate_without_domain_is_refused_here(closure: Command, server: FakeServer) -> None:
    """Without a terminal to ask on, the missing domain is bad input and nothing is sent."""
    server.on(f"GET {BASE}", last_gate())

    ran = closure("approve", CLOSURE)

    assert 2 == ran.code
    assert "--domain" in ran.err
    assert 1 == len(server.seen)


@pytest.mark.parametrize(
    ("arguments", "document", "said"),
    [
        (("--gate", "go-on"), closure_document(), "The open gate is plan"),
        (("--digest", "cd" * 32), closure_document(), "The plan has changed"),
        ((), closure_document(gate=None, status="running"), "No gate of this closure is open"),
    ],
)
def test_wrong_gate_is_not_decided(
    closure: Command, server: FakeServer, arguments: tuple[str, ...], document: dict, said: str
) -> None:
    """Another gate, another plan or no gate at all: nothing is sent."""
    server.on(f"GET {BASE}", document)

    ran = closure("approve", CLOSURE, *arguments)

    assert 2 == ran.code
    assert said in ran.err
    assert 1 == len(server.seen)


def test_veto_and_revoke(closure: Command, server: FakeServer) -> None:
    """Both are decisions over the same digest."""
    server.on(f"GET {BASE}", closure_document())
    server.on(f"POST {BASE}/gates/plan/decisions", {})

    closure("veto", CLOSURE, "--comment", "no")
    closure("approve", CLOSURE, "--revoke")

    assert ["veto", "revoke"] == [seen.body["decision"] for seen in server.seen if seen.method == "POST"]


def in_force(*names: str, **changes: object) -> dict:
    """A running closure whose gates of these names are approved."""
    held = [{"name": name, "serial": 2, "digest": DIGEST, "closedAt": "2029-12-30T00:00:00Z"} for name in names]
    return closure_document(**{"gate": None, "status": "running", "inForce": held, **changes})


@pytest.mark.parametrize("arguments", [("approve", CLOSURE, "--revoke"), ("veto", CLOSURE)])
def test_an_approval_in_force_can_be_taken_back(
    closure: Command, server: FakeServer, arguments: tuple[str, ...]
) -> None:
    """After the gate closed, revoke and veto go to the approval that is in force, with its serial."""
    server.on(f"GET {BASE}", in_force("plan"))
    server.on(f"POST {BASE}/gates/plan/decisions", {})

    ran = closure(*arguments)

    assert 0 == ran.code, ran.err
    assert (2, DIGEST) == (server.seen[1].body["serial"], server.seen[1].body["digest"])


def test_of_several_approvals_in_force_one_is_named(closure: Command, server: FakeServer) -> None:
    """Taking back is no guess: --gate says which approval is meant."""
    server.on(f"GET {BASE}", in_force("plan", "go-on"))
    server.on(f"POST {BASE}/gates/go-on/decisions", {})

    vague = closure("approve", CLOSURE, "--revoke")
    named = closure("approve", CLOSURE, "--revoke", "--gate", "go-on")

    assert (2, 0) == (vague.code, named.code)
    assert "plan and go-on" in vague.err


def test_the_open_gate_comes_first(closure: Command, server: FakeServer) -> None:
    """While a gate is open a veto without --gate is meant for it; --gate reaches the earlier approval."""
    gate = {"name": "delete-tenant", "serial": 2, "digest": DIGEST}
    server.on(f"GET {BASE}", in_force("plan", gate=gate))
    server.on(f"POST {BASE}/gates/delete-tenant/decisions", {})
    server.on(f"POST {BASE}/gates/plan/decisions", {})

    closure("veto", CLOSURE)
    closure("veto", CLOSURE, "--gate", "plan")

    posted = [seen.path for seen in server.seen if seen.method == "POST"]
    assert [f"{BASE}/gates/{name}/decisions" for name in ("delete-tenant", "plan")] == posted


def test_what_is_approved_is_not_approved_again(closure: Command, server: FakeServer) -> None:
    """An approval needs an open gate."""
    server.on(f"GET {BASE}", in_force("plan"))

    ran = closure("approve", CLOSURE, "--gate", "plan")

    assert 2 == ran.code
    assert "The gate plan is not open" in ran.err


@pytest.mark.parametrize("verb", ["pause", "unpause", "resume", "abort", "rollback"])
def test_steering_posts_the_comment(closure: Command, server: FakeServer, verb: str) -> None:
    """Each steering command posts its comment to its route and can answer in JSON."""
    server.on(f"POST {BASE}/{verb}", {"status": "paused"})

    ran = closure(verb, CLOSURE, "--comment", "because", "--json")

    assert 0 == ran.code
    assert {"comment": "because"} == server.seen[0].body
    assert "paused" == ran.json["status"]


def test_a_rollback_says_what_comes_next(closure: Command, server: FakeServer) -> None:
    """Asking restores nobody: the answer names the plan, the gate, and that whoever asked does not approve."""
    server.on(f"POST {BASE}/rollback", {"status": "planning", "control": "rollback"})

    ran = closure("rollback", CLOSURE, "--comment", "the merger is off")

    assert 0 == ran.code
    assert {"comment": "the merger is off"} == server.seen[0].body
    for told in ("nothing is restored before people approve it", "--gate rollback", f"closure plan {CLOSURE}"):
        assert told in ran.out
    assert "you can't approve it" in ran.out


def test_a_rollback_that_comes_too_late_is_a_refusal(closure: Command, server: FakeServer) -> None:
    """The tenant is gone: exit code 2, with the server's reason and remedy."""
    server.problem(f"POST {BASE}/rollback", 409, detail="The tenant is gone.", remedy="Read the report.")

    ran = closure("rollback", CLOSURE)

    assert 2 == ran.code
    assert "The tenant is gone. Read the report.\n" == ran.err


def test_the_gate_of_a_rollback_takes_its_digest(closure: Command, server: FakeServer) -> None:
    """`--gate rollback` sends the digest of the rollback's plan, and no typed domain is asked for."""
    gate = {"name": "rollback", "serial": 2, "digest": DIGEST, "missing": {}}
    server.on(f"GET {BASE}", closure_document(gate=gate))
    server.on(f"POST {BASE}/gates/rollback/decisions", {"state": "open"})

    ran = closure("approve", CLOSURE, "--gate", "rollback")

    assert 0 == ran.code
    assert {"decision": "approve", "digest": DIGEST, "comment": "", "serial": 2} == server.seen[1].body
