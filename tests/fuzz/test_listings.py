"""Graph's listings, whatever a page holds: read whole, or ListingIncomplete. Nothing is dropped in silence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tenantclosure.errors import ListingIncomplete, ServiceTrouble
from tenantclosure.names import Family
from tests.fuzz.microsoft import TENANT, Bench, Said
from tests.fuzz.rig import BODIES, JUNK, TEXTS, encoded, fuzz, kept, spoiled

pytestmark = pytest.mark.slow

ROWS: dict[str, dict[str, Any]] = {
    Family.USERS: {
        "userPrincipalName": "ann@contoso.com",
        "displayName": "Ann",
        "userType": "Member",
        "accountEnabled": True,
        "onPremisesSyncEnabled": None,
        "isManagementRestricted": False,
        "creationType": None,
    },
    Family.APPLICATIONS: {"appId": "app", "displayName": "App"},
    Family.SERVICE_PRINCIPALS: {
        "appId": "app",
        "displayName": "App",
        "servicePrincipalType": "Application",
        "appOwnerOrganizationId": TENANT,
        "accountEnabled": True,
    },
    Family.SUBSCRIPTIONS: {
        "status": "Enabled",
        "commerceSubscriptionId": "c",
        "skuId": "s",
        "skuPartNumber": "E3",
        "isTrial": False,
        "totalLicenses": 25,
        "nextLifecycleDateTime": "2027-05-06T07:08:09.123456Z",
        "createdDateTime": "2026-05-06T07:08:09+02:00",
        "ownerId": None,
        "ownerType": None,
        "ownerTenantId": TENANT,
    },
    Family.GROUPS: {"displayName": "All"},
    Family.DEVICES: {"displayName": "Laptop"},
    Family.DOMAINS: {"isInitial": False, "isVerified": True, "isDefault": True},
    Family.ACCESS_POLICIES: {"displayName": "P", "state": "enabled"},
    Family.LICENCES: {
        "skuPartNumber": "E3",
        "capabilityStatus": "Enabled",
        "subscriptionIds": ["sub"],
        "prepaidUnits": {"enabled": 25},
        "consumedUnits": 3,
    },
}
NEXT = "@odata.nextLink"
FAMILIES = st.sampled_from(sorted(ROWS))


def pages(family: str, link: str) -> list[dict[str, Any]]:
    """Two pages of two rows."""
    rows = [{"id": f"id-{number}", **ROWS[family]} for number in range(4)]
    return [{"value": rows[:2], NEXT: link}, {"value": rows[2:]}]


def served(bench: Bench, bodies: list[bytes]) -> None:
    """Give the first body to the first request, the second to the one that follows the link."""
    bench.script(lambda request, _: Said(bodies["skiptoken" in request.query_string]))


def told(shown: list[Any], link: str) -> list[str] | None:
    """The ids that a reader must come to, by a reading of our own; None when it must not come to an end."""
    ids: list[str] = []
    for page in shown:
        rows = page.get("value") if isinstance(page, dict) else None
        if not isinstance(rows, list):
            return None
        for row in rows:
            if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not row["id"]:
                return None
            ids.append(row["id"])
        if page.get(NEXT) is None:
            return ids
        if page[NEXT] != link:
            return None
    return None


async def read(bench: Bench, family: str) -> list[Any]:
    return [item async for page in bench.graph().pages(family) for item in page]


@fuzz(74)
@given(FAMILIES, st.data())
def test_a_page_that_is_not_understood_never_shortens_a_listing(bench: Bench, family: str, data: st.DataObject) -> None:
    """Every id that the pages name comes out, once, or the listing counts as incomplete."""
    link = f"{bench.settings.endpoint('graph')}/v1.0/x?$skiptoken=a"
    shown = data.draw(spoiled(pages(family, link)))
    if not isinstance(shown, list):
        return
    served(bench, [encoded(page) for page in (*shown, {}, {})])
    found = bench.outcome(read(bench, family), ListingIncomplete)
    wanted = told([*shown, {}, {}][:2], link)

    if wanted is None:
        assert isinstance(found, ListingIncomplete)
    elif not isinstance(found, ListingIncomplete):
        assert list(dict.fromkeys(map(kept, wanted))) == [item.id for item in found]
        for item in found:
            json.dumps(item.to_dict(), ensure_ascii=False, allow_nan=False).encode()


@fuzz(30)
@given(BODIES, st.integers(0, 1))
def test_bytes_that_are_no_page_break_the_listing(bench: Bench, body: bytes, number: int) -> None:
    """Cut, garbled, doubled or endless: never the end of a listing, on the first page or a later one."""
    link = f"{bench.settings.endpoint('graph')}/v1.0/users?$skiptoken=a"
    bodies = [encoded(page) for page in pages(Family.USERS, link)]
    bodies[number] = body
    served(bench, bodies)

    assert isinstance(bench.outcome(read(bench, Family.USERS), ListingIncomplete), ListingIncomplete)


@fuzz(20)
@given(st.integers(1, 400))
def test_a_page_that_was_cut_breaks_the_listing(bench: Bench, length: int) -> None:
    """A page without its last bytes is no page, wherever it was cut."""
    whole = encoded(pages(Family.USERS, "")[1])
    served(bench, [whole[: -min(length, len(whole))], b""])

    assert isinstance(bench.outcome(read(bench, Family.USERS), ListingIncomplete), ListingIncomplete)


@fuzz(20)
@given(st.sampled_from(["value", NEXT, "id"]), JUNK)
def test_a_member_that_stands_twice_breaks_the_listing(bench: Bench, name: str, other: Any) -> None:
    """Which of the two counts nobody can say: a second `value` or `id` must not hide the first."""
    link = f"{bench.settings.endpoint('graph')}/v1.0/users?$skiptoken=a"
    page = encoded(pages(Family.USERS, link)[0])
    first = f'"{name}":'.encode()
    doubled = page.replace(first, first + encoded(other) + b"," + first, 1)
    served(bench, [doubled, encoded(pages(Family.USERS, link)[1])])

    assert isinstance(bench.outcome(read(bench, Family.USERS), ListingIncomplete), ListingIncomplete)


def test_half_a_character_in_a_name_costs_the_half_not_the_listing(bench: Bench) -> None:
    """A name that somebody cut inside an emoji is read with a mark in its place, and can be kept."""
    bench.always(Said.of({"value": [{"id": "u1", **ROWS[Family.USERS], "displayName": "Ann \ud83d"}]}))
    (item,) = bench.run(read(bench, Family.USERS))

    assert ("u1", "Ann \ufffd\ufffd\ufffd") == (item.id, item.name)


LINKS = st.one_of(
    JUNK,
    TEXTS.map(lambda text: f"http://{text}/v1.0/users"),
    st.sampled_from(
        ["http://[", "http://a:b", "http://x\x00", "//", "http://\u2f06.example/v1.0/", "http://a b/v1.0/"]
    ),
)


@fuzz(30)
@given(LINKS)
def test_a_link_to_anywhere_else_is_never_followed(bench: Bench, link: Any) -> None:
    """The token stays with our Graph and the listing breaks; only null is the end."""
    bench.always(Said.of({"value": [{"id": "u1"}], NEXT: link}))
    found = bench.outcome(read(bench, Family.USERS), ListingIncomplete)

    assert (link is not None) == isinstance(found, ListingIncomplete)
    assert 1 == len(bench.seen)


HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "request-id", "Location", "WWW-Authenticate", "Set-Cookie", "Content-Type"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
    | st.sampled_from(["1e300", "-1", "nan", "9" * 400, "http://[", 'Bearer claims="x"', "a=b; expires=x", "2.5"]),
    max_size=3,
)


@fuzz(30)
@given(st.integers(200, 599), HEADERS, BODIES)
def test_any_other_answer_breaks_the_listing(bench: Bench, status: int, headers: dict[str, str], body: bytes) -> None:
    """Whatever status and headers come: no page, no listing, and no endless wait."""
    bench.clock.slept.clear()
    bench.always(Said(b"" if status in (204, 304) else body, status, tuple(headers.items())))

    assert isinstance(bench.outcome(read(bench, Family.USERS), ListingIncomplete), ListingIncomplete)
    assert sum(bench.clock.slept) <= 120


ORGANIZATION = {
    "id": TENANT,
    "displayName": "Contoso",
    "tenantType": "AAD",
    "onPremisesSyncEnabled": None,
    "partnerTenantType": None,
    "verifiedDomains": [{"name": "contoso.onmicrosoft.com", "isInitial": True}, {"name": "contoso.com"}],
}
ASSIGNMENT = {"id": "a", "principalId": "p", "roleDefinitionId": "r"}
READS: dict[str, Any] = {
    "organization": ({"value": [ORGANIZATION]}, lambda graph: graph.organization()),
    "administrators": ({"value": [{"id": "u1"}, {"id": "u2"}]}, lambda graph: graph.global_administrators()),
    "roles": ({"value": [ASSIGNMENT, {**ASSIGNMENT, "principalId": "q"}]}, lambda graph: graph.role_holders()),
    "user": ({"id": "u1", **ROWS[Family.USERS]}, lambda graph: graph.find_user("u1")),
    "own": ({"id": "s", **ROWS[Family.SERVICE_PRINCIPALS]}, lambda graph: graph.own_service_principal()),
    "sign-up": (
        {"allowedToSignUpEmailBasedSubscriptions": True, "allowInvitesFrom": "everyone"},
        lambda graph: graph.sign_up_policy(),
    ),
    "defaults": ({"isEnabled": True}, lambda graph: graph.security_defaults()),
    "leftovers": ({"value": [{"id": "f"}, {"id": "g"}]}, lambda graph: graph.external_leftovers()),
}


@fuzz(60)
@example(name="leftovers", data=None)
@given(st.sampled_from(sorted(READS)), st.data())
def test_small_reads_give_what_was_said_or_their_own_errors(
    bench: Bench, name: str, data: st.DataObject | None
) -> None:
    """Organization, administrators, roles, single objects: nothing but ListingIncomplete and ServiceTrouble is raised,
    and no member of a list is dropped.
    """
    good, ask = READS[name]
    shown = good if data is None else data.draw(spoiled(good) | BODIES)
    bench.always(Said(shown if isinstance(shown, bytes) else encoded(shown)))
    found = bench.outcome(ask(bench.graph()), ListingIncomplete, ServiceTrouble)

    if isinstance(found, Exception) or found is None:
        return
    rows = shown.get("value") if isinstance(shown, dict) else None
    if name == "organization":
        assert len(rows) == 1
        assert len(rows[0].get("verifiedDomains") or []) == len(found.verified_domains)
    elif name == "administrators":
        assert len({row["id"] for row in rows}) == len(found)
    elif name == "roles":
        assert {(row["principalId"], row["roleDefinitionId"]) for row in rows} == {
            (principal, role) for principal, roles in found.items() for role in roles
        }
    elif name == "leftovers":
        assert set(found.values()) in ({None}, {len(rows or ())})


@pytest.mark.parametrize("name", sorted(READS))
def test_the_small_reads_understand_what_is_well_said(bench: Bench, name: str) -> None:
    """The documents that are spoiled above are good ones."""
    good, ask = READS[name]
    bench.always(Said.of(good))

    assert bench.run(ask(bench.graph())) is not None
