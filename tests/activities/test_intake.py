"""Admission: bad input names field, status and remedy, starts nothing, writes nothing, leaves no lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import activities
from tenantclosure.errors import AccessRefused, ListingIncomplete, RequestRefused, ServiceTrouble
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
BASE = "/subscriptions/88888888-1111-4222-8333-444455556666/resourceGroups/g/providers/Microsoft.AzureActiveDirectory"
CIAM, B2C = f"{BASE}/ciamDirectories/contoso", f"{BASE}/b2cDirectories/contoso.onmicrosoft.com"
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


def of_type(word: str) -> Change:
    return lambda directory: setattr(directory, "tenant_type", word)


def partner(directory: FakeDirectory) -> None:
    directory.partner_type = "resellerPartnerDelegatedAdmin"


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
    ("a partner's directory", {}, partner, "tenantId", 400),
    ("a type nobody knows", {}, of_type("Galactic"), "tenantId", 400),
    ("an external tenant without its resource", {}, of_type("CIAM"), "externalDirectory", 400),
    ("a workforce tenant with a resource", {"externalDirectory": CIAM}, nothing, "externalDirectory", 400),
    ("a resource of the other kind", {"externalDirectory": CIAM}, of_type("AAD B2C"), "externalDirectory", 400),
    ("no id of a directory", {"externalDirectory": "/subscriptions/x"}, of_type("CIAM"), "externalDirectory", 400),
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


# -- external tenants ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("word", "resource"), [("CIAM", CIAM), ("AAD B2C", B2C)])
async def test_an_external_tenant_is_admitted_with_its_resource(rig: Rig, word: str, resource: str) -> None:
    """Azure says that the resource is this tenant: both kinds are admitted, known as such from the start, only read."""
    rig.directory.tenant_type = word
    assert rig.external is not None
    rig.external.found = {"tenantId": TARGET, "kind": "any", "name": "contoso", "location": "Europe"}
    row = await admit(document(externalDirectory=resource), OLGA, rig.parts)
    assert resource == row["request"]["externalDirectory"]
    assert [("find", resource)] == rig.external.asked
    # A run reads it once, when it opens: before the survey has looked at the tenant.
    run = (await activities.read_progress({"schema": 1, "closureId": row["closureId"], "epoch": 1}))["run"]
    assert word == run["tenantType"]


async def azure_refuses(rig: Rig, **changes: Any) -> RequestRefused:
    """The refusal of an external tenant with its resource named."""
    rig.directory.tenant_type = "CIAM"
    return await refused(rig, {"externalDirectory": CIAM, **changes})


async def test_what_azure_says_of_the_resource_decides(rig: Rig) -> None:
    """Not there, another tenant's, not ours to see: each is a sentence of its own, and says what to do."""
    assert rig.external is not None
    rig.external.found = None
    absent = await azure_refuses(rig)
    rig.external.found = {"tenantId": HOME, "kind": "ciam", "name": "x", "location": ""}
    another = await azure_refuses(rig)
    rig.external.raises["find"] = [AccessRefused("HTTP 403; our application needs: Contributor")]
    unseen = await azure_refuses(rig)
    rig.external = None
    rig.process()
    no_way = await azure_refuses(rig)
    found = (absent, another, unseen, no_way)

    assert {"externalDirectory"} == {one.field for one in found}
    assert [400, 403, 403, 403] == [one.status for one in found]
    assert 4 == len({one.detail for one in found}) == len({one.remedy for one in found})
    assert "Contributor" in unseen.detail and "CLOSURE_HOME_TENANT_ID" in no_way.remedy


async def test_azure_in_trouble_is_no_refusal(rig: Rig) -> None:
    """When Azure does not answer, the request may be sent again; nothing is left."""
    rig.directory.tenant_type = "CIAM"
    assert rig.external is not None
    rig.external.raises["find"] = [ServiceTrouble("HTTP 503")]
    with pytest.raises(ServiceTrouble):
        await admit(document(externalDirectory=CIAM), OLGA, rig.parts)
    assert rig.records.documents == {}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda rig: setattr(rig.external, "found", None), "no such resource"),
        (lambda rig: setattr(rig.directory, "partner_type", "breadthPartner"), "Microsoft partner"),
        (lambda rig: setattr(rig.directory, "tenant_type", "AAD"), "workforce tenant"),
    ],
)
async def test_the_preflight_asks_again(rig: Rig, change: Callable[[Rig], None], why: str) -> None:
    """What has changed since the request was filed ends the closure before anything is read, with the reason."""
    rig.directory.tenant_type = "CIAM"
    await rig.opened(externalDirectory=CIAM)
    assert {} == await activities.check_preflight(await rig.order())
    change(rig)
    stopped = await activities.check_preflight(await rig.order())
    assert "failed" == stopped["stop"]
    assert why in stopped["detail"]


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
