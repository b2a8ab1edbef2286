"""Admission: bad input names field, status and remedy, starts nothing, writes nothing, leaves no lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tenantclosure.errors import ListingIncomplete, RequestRefused, ServiceTrouble
from tenantclosure.intake import admit
from tenantclosure.model.approval_policy import ApprovalPolicy
from tenantclosure.model.inventory import Organization
from tenantclosure.model.people import Account, Person
from tests.activities.rig import ANN, CYD, OLGA, Rig, document
from tests.fakes.tenant import HOME, KEEPER, KEEPER_UPN, TARGET, FakeDirectory, user

POLICY = {
    "groups": {"it": ["ann@fabrikam.com", "bob@fabrikam.com"], "owner": ["cyd@fabrikam.com"]},
    "gates": {"plan": {"groups": {"it": 2, "owner": 1}, "distinct": 3}},
}
IT = {"group": "it", "quorum": 1, "people": ["ann@fabrikam.com", "bob@fabrikam.com"]}
OWNER = {"group": "owner", "quorum": 1, "people": ["cyd@fabrikam.com"]}

Change = Callable[[FakeDirectory], None]


def keeper(**facts: Any) -> Change:
    return lambda directory: directory.change("users", KEEPER, **facts)


def nothing(_: FakeDirectory) -> None: ...


def no_permissions(directory: FakeDirectory) -> None:
    directory.roles = frozenset({"User.Read.All"})


def token_of_another(directory: FakeDirectory) -> None:
    directory.token_tenant = HOME


def another_organization(directory: FakeDirectory) -> None:
    directory.tenant = HOME


def no_administrator(directory: FakeDirectory) -> None:
    directory.administrators = frozenset()


def external(directory: FakeDirectory) -> None:
    directory.tenant_type = "CIAM"


BAD = [
    ("unknown key", {"colour": "red"}, nothing, "colour", 400),
    ("wrong GUID", {"tenantId": "contoso"}, nothing, "tenantId", 400),
    ("another's domain", {"domain": "litware.com"}, nothing, "domain", 400),
    ("keeper unknown", {"keeper": "nobody@contoso.com"}, nothing, "keeper", 400),
    ("keeper no Global Administrator", {}, no_administrator, "keeper", 400),
    ("keeper synced", {}, keeper(synced=True), "keeper", 400),
    ("keeper a guest", {}, keeper(userType="Guest"), "keeper", 400),
    ("keeper disabled", {}, keeper(enabled=False), "keeper", 400),
    ("not on the allow list", {"tenantId": TARGET[:-1] + "2"}, nothing, "tenantId", 403),
    ("home tenant", {"tenantId": HOME}, nothing, "tenantId", 403),
    ("token of another tenant", {}, token_of_another, "domain", 400),
    ("another organization answers", {}, another_organization, "domain", 400),
    ("not a workforce tenant", {}, external, "tenantId", 400),
    ("permissions missing", {}, no_permissions, "tenantId", 403),
    (
        "approver is the requester",
        {"approvers": [{**IT, "people": ["Olga@fabrikam.com"]}, OWNER]},
        nothing,
        "approvers.0.people",
        400,
    ),
    (
        "approver of the target",
        {"approvers": [IT, {**OWNER, "people": ["cyd@contoso.com"]}]},
        nothing,
        "approvers.1.people",
        400,
    ),
    (
        "approver of the target's first domain",
        {"approvers": [IT, {**OWNER, "people": ["cyd@contoso.onmicrosoft.com"]}]},
        nothing,
        "approvers.1.people",
        400,
    ),
    ("quorum too large", {"approvers": [{**IT, "quorum": 3}, OWNER]}, nothing, "approvers.0.quorum", 400),
    ("keep rule without a match", {"keep": [KEEPER_UPN, "nobody@contoso.com"]}, nothing, "keep.1", 400),
    ("no backup", {"backupConfirmed": False}, nothing, "backupConfirmed", 400),
    ("requester claimed although signed in", {"requestedBy": "eve@fabrikam.com"}, nothing, "requestedBy", 400),
]


async def refused(rig: Rig, changes: Any, requester: Person | None = OLGA) -> RequestRefused:
    """The refusal; afterwards nothing was started, written or leased."""
    sent = changes if not isinstance(changes, dict) else document(**changes)
    with pytest.raises(RequestRefused) as caught:
        await admit(sent, requester, rig.parts)
    assert rig.directory.asked == []
    assert rig.records.documents == {}
    assert rig.records.blobs == {}
    assert caught.value.remedy.endswith(".")
    return caught.value


@pytest.mark.parametrize(("changes", "world", "field", "status"), [bad[1:] for bad in BAD], ids=[bad[0] for bad in BAD])
async def test_bad_input(rig: Rig, changes: dict[str, Any], world: Change, field: str, status: int) -> None:
    """Each bad input of the issue is refused by field and status; nothing is written anywhere."""
    world(rig.directory)
    found = await refused(rig, changes, Person("a-third-tenant", "olga", "olga@fabrikam.com"))
    assert (found.field, found.status) == (field, status)


async def test_bad_requester(rig: Rig) -> None:
    """A requester of the target is refused by tenant id and by address; a queue message has to say who asks."""
    inside = await refused(rig, {}, Person(TARGET.upper(), "x", "x@fabrikam.com"))
    by_address = await refused(rig, {}, Person(HOME, "x", "x@contoso.com"))
    assert {inside.kind, by_address.kind} == {"requester-in-target"}
    assert {inside.status, by_address.status} == {403}
    assert (await refused(rig, {}, None)).field == "requestedBy"


async def test_looser_than_the_policy(rig: Rig) -> None:
    """A request that asks less than the policy file is refused, a person the file does not know too."""
    rig.policy = ApprovalPolicy.model_validate(POLICY)
    rig.process()
    assert (await refused(rig, {})).kind == "looser-than-policy"
    stranger = [{**IT, "quorum": 2}, {**OWNER, "people": ["eve@fabrikam.com"]}]
    assert (await refused(rig, {"approvers": stranger})).field == "approvers.1.people"
    row = await admit(document(approvers=[{**IT, "quorum": 2}, OWNER]), OLGA, rig.parts)
    assert row["terms"]["plan"]["distinct"] == 3


@pytest.mark.parametrize("rubbish", ["text", [], None, 7])
async def test_malformed(rig: Rig, rubbish: Any) -> None:
    """What is no object is refused as a whole."""
    assert (await refused(rig, rubbish)).field == "$"


async def test_a_good_request_opens_one_closure(rig: Rig) -> None:
    """The row, the lease and the audit line are there; the tenant was only read."""
    await rig.opened()
    row = await rig.row()
    assert (row["closureId"], row["status"], row["epoch"]) == (f"{TARGET}-1", "planning", 1)
    assert await rig.ledger.live() == [rig.closure]
    assert await rig.words() == ["closure:requested"]
    assert rig.directory.asked == []


async def test_a_second_request_meets_the_live_one(rig: Rig) -> None:
    """409 with the live closure's id, and no second row; after its end a new one may open."""
    await rig.opened()
    before = dict(rig.records.documents)
    with pytest.raises(RequestRefused) as caught:
        await admit(document(), OLGA, rig.parts)
    assert (caught.value.status, caught.value.extra) == (409, {"closureId": rig.closure})
    assert set(rig.records.documents) == set(before)
    await rig.ledger.end(rig.closure, "aborted")
    assert (await admit(document(), OLGA, rig.parts))["closureId"] != rig.closure


async def test_a_claimed_request_needs_one_more(rig: Rig) -> None:
    """Over the queue the terms of every gate ask for one person more than the same request signed in."""
    row = await admit(document(requestedBy="olga@fabrikam.com"), None, rig.parts)
    assert {terms["distinct"] for terms in row["terms"].values()} == {3}
    assert row["claimed"]


async def test_the_person_behind_a_claim_is_known(rig: Rig) -> None:
    """Who is named over the queue is looked up, so that no gate counts them; a name without an account stays a name."""
    row = await admit(document(requestedBy="Olga@fabrikam.com"), None, rig.parts)
    assert {**OLGA.to_dict(), "key": OLGA.key} == row["requester"]
    await rig.ledger.end(row["closureId"], "aborted")
    row = await admit(document(requestedBy="ghost@fabrikam.com"), None, rig.parts)
    assert ("ghost@fabrikam.com", None) == (row["requester"]["upn"], row["requester"]["key"])


async def test_trouble_is_not_a_refusal(rig: Rig) -> None:
    """When the tenant does not answer usefully the request may be sent again; nothing is left."""

    async def nobody() -> Organization:
        raise ListingIncomplete("organization", 0, "two rows")

    rig.directory.organization = nobody  # type: ignore[method-assign]
    with pytest.raises(ServiceTrouble):
        await admit(document(), OLGA, rig.parts)
    assert rig.records.documents == {}


async def test_an_approver_of_a_custom_domain(rig: Rig) -> None:
    """Every verified domain counts, not only the one that the request names."""
    rig.directory.domains = ("contoso.onmicrosoft.com", "brand.example")
    rig.directory.items["users"].append(user(99))
    found = await refused(rig, {"approvers": [IT, {**OWNER, "people": ["cyd@brand.example"]}]})
    assert found.kind == "approver-in-target"


# -- the people named -----------------------------------------------------------------------------------------------
async def test_everybody_named_is_looked_up_once(rig: Rig) -> None:
    """Each address is asked for once, however many groups and gates name it; deputies and a signed-in person never."""
    groups = {"it": ["ann@fabrikam.com", "bob@fabrikam.com"], "owner": ["cyd@fabrikam.com", "bob@fabrikam.com"]}
    rig.policy = ApprovalPolicy.model_validate({"groups": groups, "deputies": {"it": ["dee@fabrikam.com"]}})
    rig.process()
    assert rig.people is not None
    both = {**OWNER, "people": ["cyd@fabrikam.com", "bob@fabrikam.com"]}
    row = await admit(document(approvers=[IT, both]), OLGA, rig.parts)
    assert ["ann@fabrikam.com", "bob@fabrikam.com", "cyd@fabrikam.com"] == sorted(rig.people.asked)
    assert ["dee@fabrikam.com"] == row["terms"]["plan"]["groups"]["it"]["deputies"]


async def test_people_are_looked_up_a_few_at_a_time(rig: Rig) -> None:
    """Fifty approvers do not become fifty calls at once, nor one after the other."""
    assert rig.people is not None
    find, now, most = rig.people.find, 0, 0

    async def slowly(upn: str) -> Account | None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return await find(upn)

    rig.people.find = slowly  # type: ignore[method-assign]
    crowd = [Person(HOME, f"p{number}", f"p{number}@fabrikam.com") for number in range(50)]
    for person in crowd:
        rig.people.add(person)
    await admit(document(approvers=[{**IT, "people": [person.upn for person in crowd]}, OWNER]), OLGA, rig.parts)
    assert 8 == most


@pytest.mark.parametrize(
    ("account", "why"),
    [
        (None, "has no account in the hosting tenant"),
        (Account(HOME, "cyd", CYD.upn, enabled=False), "has an account that is disabled"),
        (Account(TARGET, "cyd", CYD.upn), "has an account in another tenant than the hosting one"),
    ],
)
async def test_an_approver_without_a_usable_account(rig: Rig, account: Account | None, why: str) -> None:
    """Somebody who could never decide is refused by name, with the reason and what to do."""
    assert rig.people is not None
    del rig.people.accounts[CYD.upn]
    if account is not None:
        rig.people.accounts[CYD.upn] = account
    found = await refused(rig, {})
    assert ("approvers.1.people", "approver-unknown", 400) == (found.field, found.kind, found.status)
    assert f"{CYD.upn} {why}." == found.detail
    assert "enabled account" in found.remedy


@pytest.mark.parametrize("claimed", [False, True])
async def test_the_requester_under_another_address(rig: Rig, claimed: bool) -> None:
    """An approver's address that leads to the requester's account is refused, signed in or claimed."""
    assert rig.people is not None
    rig.people.add(Person(HOME.upper(), "OLGA", CYD.upn))
    if claimed:
        many = [{**IT, "people": [*IT["people"], "dee@fabrikam.com"]}, OWNER]
        found = await refused(rig, {"approvers": many, "requestedBy": OLGA.upn}, None)
    else:
        found = await refused(rig, {})
    assert ("approvers.1.people", "requester-approves") == (found.field, found.kind)


async def test_one_person_under_two_addresses(rig: Rig) -> None:
    """Two addresses of one account are one approver: the quorum they were named for can't be reached."""
    assert rig.people is not None
    rig.people.add(Person(HOME, ANN.object_id, CYD.upn))
    found = await refused(rig, {"approvers": [{**IT, "people": [ANN.upn]}, OWNER]})
    assert ("approvers", "quorum-unreachable") == (found.field, found.kind)
    assert "nobody counts for two groups" in found.detail


async def test_a_silent_directory_is_no_refusal(rig: Rig) -> None:
    """When the hosting tenant does not answer, the request may be sent again; nothing is left."""
    assert rig.people is not None
    rig.people.trouble = ServiceTrouble("down")
    with pytest.raises(ServiceTrouble):
        await admit(document(), OLGA, rig.parts)
    assert rig.records.documents == {}


async def test_without_a_directory_names_are_taken_as_they_are(rig: Rig) -> None:
    """A rehearsal without the hosting tenant's directory admits names that nobody can look up."""
    rig.people = None
    rig.process()
    ghosts = [{**IT, "people": ["ghost@fabrikam.com"]}, OWNER]
    row = await admit(document(approvers=ghosts), OLGA, rig.parts)
    assert ["ghost@fabrikam.com"] == row["terms"]["plan"]["groups"]["it"]["people"]
    await rig.ledger.end(row["closureId"], "aborted")
    many = [{**IT, "people": ["ghost@fabrikam.com", "ann@fabrikam.com"]}, OWNER]
    row = await admit(document(approvers=many, requestedBy=OLGA.upn), None, rig.parts)
    assert row["requester"]["key"] is None
