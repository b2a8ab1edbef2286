"""The table of rights: complete rows and commands that can be filled in."""

from __future__ import annotations

import re

import pytest

from tenantclosure.policy.permissions import BY_KEY, NEEDS, Kind, Need, Where, command, graph, held

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
WORDS = {
    *("login", "tenant", "client", "environment", "arm", "azure_portal", "issuer", "subject", "audience"),
    *("principal", "subscription", "account", "identity", "resource"),
}
"""Everything that a command may leave open."""


def test_no_right_stands_twice() -> None:
    """Keys, and names within one place and use, are unique."""
    assert len(NEEDS) == len(BY_KEY)
    assert len(NEEDS) == len({(need.kind, need.name, need.where, need.purpose) for need in NEEDS})


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: need.key)
def test_every_row_is_complete(need: Need) -> None:
    """Each says what it is for, what happens without it and how it is granted; permissions and roles have an id."""
    assert need.purpose and need.without and need.grant
    assert bool(GUID.fullmatch(need.id)) == (need.kind in (Kind.GRAPH, Kind.AZURE, Kind.ENTRA))
    assert {word[1:-1] for word in re.findall(r"<\w+>", command(need))} <= WORDS
    assert "<" not in command(need, **dict.fromkeys(WORDS, "x"))


def test_a_command_holds_its_own_id() -> None:
    """What grants one permission grants no other; what is not known stays open."""
    need = BY_KEY["target.Group.Read.All"]

    assert command(need, tenant="t", client="").count(need.id) == 1
    assert "-TenantId t " in command(need, tenant="t", client="")
    assert "<client>" in command(need, tenant="t", client="")


def test_braces_of_json_stay() -> None:
    """The federated credential's parameters are JSON once they are filled in."""
    filled = command(BY_KEY["credential.federated"], client="c", issuer="i", subject="s", audience="a")

    assert '\'{"name": "managed-identity", "issuer": "i", "subject": "s", "audiences": ["a"]}\'' in filled


def test_higher_permissions_do_as_well() -> None:
    """Only what the row names stands in for a permission."""
    need = BY_KEY["target.User.DeleteRestore.All"]

    assert held(need, frozenset({"User.DeleteRestore.All"}))
    assert held(need, frozenset({"User.ReadWrite.All"}))
    assert not held(need, frozenset({"User.Read.All", "Directory.ReadWrite.All"}))


def test_what_a_tenant_consents_to() -> None:
    """Nothing of the hosting tenant, and nothing of external tenants, is asked of every tenant."""
    asked = {need.name for need in graph(Where.TARGET)}

    assert "Mail.Send" not in asked
    assert "IdentityUserFlow.Read.All" not in asked
    assert "IdentityUserFlow.Read.All" in {need.name for need in graph(Where.TARGET, external=True)}
    assert {"User.Read.All", "Mail.Send"} == {need.name for need in graph(Where.HOSTING)}
