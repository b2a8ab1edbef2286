"""The rails: each passes once, and each is tried to get past."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tenantclosure.errors import RailBroken
from tenantclosure.model.inventory import Item, Organization, TokenIdentity
from tenantclosure.names import Gate, Rail
from tenantclosure.policy import permissions, rails, rollback
from tenantclosure.policy.canonical import digest, sha256

TENANT = "0b0a1c2d-0000-4000-8000-000000000001"
HOME = "0b0a1c2d-0000-4000-8000-0000000000ff"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def broken(rail: str, *names: str) -> Any:
    """A rail that breaks with a sentence, which holds these names in their order."""
    return pytest.raises(RailBroken, match=f"^{rail}: " + "".join(f".*{re.escape(name)}" for name in names) + r".*\.$")


def test_target_on_the_list_passes() -> None:
    """A tenant on the allow list that does not host us may be closed, in whatever case its id is written."""
    rails.check_target(TENANT.upper(), frozenset({TENANT}), HOME)


@pytest.mark.parametrize("allowed", [frozenset(), frozenset({HOME}), frozenset({TENANT[:-1]}), frozenset({"*"})])
def test_target_off_the_list(allowed: frozenset[str]) -> None:
    """An empty list means none; neither a prefix nor a star gets past it."""
    with broken(Rail.ALLOW_LIST, TENANT):
        rails.check_target(TENANT, allowed, HOME)


@pytest.mark.parametrize(("tenant", "home"), [(HOME, HOME), (HOME.upper(), HOME), (HOME, HOME.upper())])
def test_home_tenant(tenant: str, home: str) -> None:
    """The hosting tenant is refused even when somebody put it on the allow list."""
    with broken(Rail.HOME_TENANT, tenant):
        rails.check_target(tenant, frozenset({HOME}), home)


def pin(token: str = TENANT, organization: str = TENANT, domain: str = "Contoso.com") -> None:
    org = Organization(organization, "C", "AAD", None, ("contoso.onmicrosoft.com", "contoso.com"), "x")
    rails.check_pin(TENANT, TokenIdentity(token, None, None, None), org, domain)


def test_pin_agrees() -> None:
    """Token, organization and domain of one tenant pass, in any case."""
    pin(TENANT.upper(), TENANT.upper())


@pytest.mark.parametrize(
    "change", [{"token": HOME}, {"organization": HOME}, {"domain": "fabrikam.com"}, {"domain": "toso.com"}]
)
def test_pin_disagrees(change: dict[str, str]) -> None:
    """One of the three speaking of another tenant stops it, and both are named."""
    with broken(Rail.TENANT_PIN, *change.values(), TENANT):
        pin(**change)


MANIFEST = {"closureId": "c-1", "tenantId": TENANT, "serial": 1, "families": {}}
ROW = {"closureId": "c-1", "tenantId": TENANT, "planSerial": 1, "digest": digest(MANIFEST)}
GATE = {"state": "approved", "digest": digest(MANIFEST)}
BACK = {**MANIFEST, "kind": rollback.KIND}


def test_manifest_approved() -> None:
    """The frozen manifest under its approved gate passes."""
    rails.check_manifest(MANIFEST, ROW, GATE)


@pytest.mark.parametrize(
    ("manifest", "row", "gate", "rail"),
    [
        ({**MANIFEST, "families": {"users": {}}}, ROW, GATE, Rail.DIGEST),
        ({**MANIFEST, "tenantId": "\ud800"}, ROW, GATE, Rail.DIGEST),
        ({**MANIFEST, "serial": 2**60}, ROW, GATE, Rail.DIGEST),
        (MANIFEST, {**ROW, "digest": None}, GATE, Rail.DIGEST),
        (MANIFEST, {**ROW, "planSerial": 2}, GATE, Rail.DIGEST),
        (MANIFEST, {**ROW, "tenantId": HOME}, GATE, Rail.DIGEST),
        (MANIFEST, {**ROW, "closureId": "c-2"}, GATE, Rail.DIGEST),
        (MANIFEST, ROW, None, Rail.APPROVAL),
        (MANIFEST, ROW, {**GATE, "state": "open"}, Rail.APPROVAL),
        (MANIFEST, ROW, {**GATE, "state": "vetoed"}, Rail.APPROVAL),
        (MANIFEST, ROW, {**GATE, "digest": "0" * 64}, Rail.APPROVAL),
    ],
)
def test_manifest_not_approved(manifest: dict[str, Any], row: dict[str, Any], gate: Any, rail: str) -> None:
    """Another manifest, row or gate than the approved ones stops it."""
    with broken(rail):
        rails.check_manifest(manifest, row, gate)


def test_request_as_approved() -> None:
    """The request's rules and choices count as they were when the plan was frozen, letter by letter."""
    request = {"keep": ["ida@contoso.com"]}
    manifest = {"request": digest(request)}
    rails.check_request(manifest, {"request": request})
    with broken(Rail.DIGEST):
        rails.check_request(manifest, {"request": {"keep": []}})


def test_plan_kinds() -> None:
    """A rollback's plan passes under its own gate and brings back; another plan passes under its gates and removes."""
    rails.check_plan_kind(MANIFEST, Gate.PLAN)
    rails.check_plan_kind(MANIFEST, Gate.PLAN, "delete")
    rails.check_plan_kind(BACK, Gate.ROLLBACK)
    rails.check_plan_kind(BACK, Gate.ROLLBACK, "restore")


@pytest.mark.parametrize(
    ("manifest", "gate", "operation", "named"),
    [
        (BACK, Gate.PLAN, "", Gate.PLAN),
        (BACK, Gate.PLAN, "restore", Gate.PLAN),
        (MANIFEST, Gate.ROLLBACK, "", Gate.ROLLBACK),
        (MANIFEST, Gate.ROLLBACK, "delete", Gate.ROLLBACK),
        (MANIFEST, Gate.PLAN, "restore", "restore"),
        (BACK, Gate.ROLLBACK, "delete", "delete"),
    ],
)
def test_plan_kinds_mixed_up(manifest: dict[str, Any], gate: str, operation: str, named: str) -> None:
    """No approval to bring back removes anything, and none to remove brings back; what does not fit is named."""
    with broken(Rail.APPROVAL, named):
        rails.check_plan_kind(manifest, gate, operation)


def test_execute_by() -> None:
    """The first write has to come before execute-by, to the moment; later ones do not."""
    gate = {"gate": "plan", "executeBy": NOW.isoformat()}
    rails.check_used_in_time(gate, True, NOW)
    rails.check_used_in_time(gate, False, NOW + timedelta(days=99))
    with broken(Rail.APPROVAL, "plan", NOW.isoformat()):
        rails.check_used_in_time(gate, True, NOW + timedelta(milliseconds=1))


@pytest.mark.parametrize("data", [b"", b"abd", b"abc\n", b" abc"])
def test_shard_hash(data: bytes) -> None:
    """A shard passes byte for byte or not at all."""
    rails.check_shard(b"abc", {"sha256": sha256(b"abc")})
    with broken(Rail.SHARD_HASH):
        rails.check_shard(data, {"sha256": sha256(b"abc")})


FIT = Item("k1", "Keeper", {"userType": "Member", "synced": False, "enabled": True})


def test_keeper_fit() -> None:
    """An enabled cloud-only member who is an active Global Administrator passes."""
    assert rails.check_keeper(FIT, frozenset({"k1", "k2"}), "k1") is FIT


@pytest.mark.parametrize(
    ("keeper", "administrators", "expected"),
    [
        (None, {"k1"}, None),
        (FIT, set(), None),
        (FIT, {"K9"}, None),
        (FIT, {"k1"}, "k2"),
        (Item("k1", "", {**FIT.facts, "userType": "Guest"}), {"k1"}, None),
        (Item("k1", "", {**FIT.facts, "synced": True}), {"k1"}, None),
        (Item("k1", "", {**FIT.facts, "enabled": False}), {"k1"}, None),
        (Item("k1", "", {"userType": "Member", "synced": False}), {"k1"}, None),
    ],
)
def test_keeper_unfit(keeper: Item | None, administrators: set[str], expected: str | None) -> None:
    """Missing, no administrator, another account, guest, synchronised, disabled or perhaps so: never the keeper."""
    with broken(Rail.KEEPER):
        rails.check_keeper(keeper, frozenset(administrators), expected)


def test_spared_ones_absent() -> None:
    """Ids without the spared ones pass, with and without an own service principal."""
    rails.check_spared(frozenset({"a", "b"}), "k1", "sp")
    rails.check_spared(frozenset({"a", "b"}), "k1", None)


@pytest.mark.parametrize(
    ("ids", "rail"),
    [({"a", "k1"}, Rail.KEEPER), ({"K1"}, Rail.KEEPER), ({"sp"}, Rail.OWN_IDENTITY), ({"SP"}, Rail.OWN_IDENTITY)],
)
def test_spared_ones_smuggled(ids: set[str], rail: str) -> None:
    """Keeper and own service principal are found among the ids in any case: Graph does not mind the case either."""
    with broken(rail):
        rails.check_spared(frozenset(ids), "k1", "sp")


def test_fence() -> None:
    """Only the newest run of a live closure passes."""
    rails.check_fence({"epoch": 2, "result": None}, 2)
    for row in ({"epoch": 3, "result": None}, {"epoch": 1, "result": None}, {"epoch": 2, "result": "aborted"}):
        with broken(Rail.FENCE):
            rails.check_fence(row, 2)
    with broken(Rail.FENCE, "2", "3"):
        rails.check_fence({"epoch": 3, "result": None}, 2)


def test_permissions() -> None:
    """Each permission is missed by name, one that deletes users is enough, and only a rehearsal may not say."""
    needed = {need.name for need in permissions.graph(permissions.Where.TARGET) if need.required}
    assert {"User.DeleteRestore.All", "User.Read.All", "Group.Read.All", "Domain.ReadWrite.All"} <= needed
    assert rails.missing_permissions(TokenIdentity(TENANT, None, None, None)) == ()
    assert rails.missing_permissions(TokenIdentity(TENANT, None, None, frozenset(needed))) == ()
    for permission in needed:
        lacking = frozenset(needed - {permission})
        assert rails.missing_permissions(TokenIdentity(TENANT, None, None, lacking)) == (permission,)
    instead = frozenset(needed - {"User.DeleteRestore.All"} | {"User.ReadWrite.All"})
    assert rails.missing_permissions(TokenIdentity(TENANT, None, None, instead)) == ()
    assert set(rails.missing_permissions(TokenIdentity(TENANT, None, None, frozenset()))) == needed


# -- who was asked ----------------------------------------------------------------------------------------------------
ASKED = {
    "groups": {
        "it": {"quorum": 2, "people": ["ann@f.com", "bob@f.com"], "deputies": ["dee@f.com"]},
        "owner": {"quorum": 1, "people": ["cyd@f.com"], "deputies": []},
    },
    "distinct": 3,
}


def gate_of(it: str = "ann bob", owner: str = "cyd", **changes: Any) -> dict[str, Any]:
    """A gate that asked these people."""

    def people(names: str) -> list[dict[str, str]]:
        return [{"tenantId": HOME, "objectId": name, "upn": f"{name}@F.com", "name": name} for name in names.split()]

    groups = {"it": {"quorum": 2, "people": people(it)}, "owner": {"quorum": 1, "people": people(owner)}}
    return {"gate": "plan", "groups": groups, "distinct": 3, **changes}


@pytest.mark.parametrize("gate", [gate_of(), gate_of("ann dee bob"), gate_of("ann", ""), gate_of(distinct=4)])
def test_terms_are_kept(gate: dict[str, Any]) -> None:
    """People of the terms, their deputies, fewer of them, or a stricter number pass."""
    rails.check_terms(gate, ASKED)


@pytest.mark.parametrize(
    "gate",
    [
        pytest.param(gate_of("ann bob eve"), id="a stranger"),
        pytest.param(gate_of(owner="cyd dee"), id="a deputy of another group"),
        pytest.param(gate_of(owner="ann"), id="somebody of another group"),
        pytest.param(gate_of(distinct=2), id="fewer people"),
        pytest.param(gate_of(groups={}), id="no groups"),
        pytest.param(gate_of(groups={"it": gate_of()["groups"]["it"]}), id="a group is missing"),
        pytest.param(
            gate_of(groups={**gate_of()["groups"], "friends": {"quorum": 0, "people": []}}), id="a group more"
        ),
        pytest.param(
            gate_of(groups={**gate_of()["groups"], "it": {**gate_of()["groups"]["it"], "quorum": 1}}),
            id="a lower quorum",
        ),
    ],
)
def test_terms_are_changed(gate: dict[str, Any]) -> None:
    """A gate whose people, groups, quorums or number are not the closure's is no approval."""
    with broken(Rail.APPROVAL, "gate plan"):
        rails.check_terms(gate, ASKED)


def test_a_stranger_at_a_gate_is_named() -> None:
    """Whoever reads it knows whom to ask how eve came to stand there."""
    with broken(Rail.APPROVAL, "eve@F.com", "gate plan"):
        rails.check_terms(gate_of("ann bob eve"), ASKED)
