"""Who is asking: the platform's header, a bearer token, both, neither, and what makes half a person."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest

from tenantclosure.errors import RequestRefused
from tenantclosure.model.people import Person
from tests.web.rig import ELSEWHERE, HOME, PEOPLE, Desk, principal, read, refused
from web.principal import claims_of, person_of

ON = SimpleNamespace(settings=SimpleNamespace(authentication_on=True), tokens=None)


def _header(claims: list[tuple[str, str]], **more: str) -> dict[str, str]:
    document = {"claims": [{"typ": typ, "val": val} for typ, val in claims], **more}
    return {"X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps(document).encode()).decode()}


async def _person(headers: dict[str, str]) -> Person:
    return person_of(await claims_of(headers, ON))


async def test_without_app_service_authentication_the_header_is_nothing(desk: Desk) -> None:
    """Where nobody strips the header from outside, it proves nothing: 401."""
    desk.set(WEBSITE_AUTH_ENABLED=False)
    answer = await desk.call("list_closures", who="olga:Operator")

    refused(answer, 401, "not-signed-in")
    assert "Bearer" == answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "raw",
    ["", "!!!", base64.b64encode(b"[]").decode(), base64.b64encode(b'{"claims": 3}').decode(), "QUFB" * 10000],
    ids=["empty", "no base64", "a list", "no claims", "endless"],
)
async def test_an_unreadable_sign_in_is_no_sign_in(desk: Desk, raw: str) -> None:
    """Whatever can't be read as a person is a 401."""
    refused(await desk.call("list_closures", who=None, headers={"X-MS-CLIENT-PRINCIPAL": raw}), 401, "not-signed-in")


async def test_short_and_long_claim_names_mean_the_same() -> None:
    """App Service writes either form; both give the same person."""
    oid = PEOPLE["ann"]
    short = [("tid", HOME), ("oid", oid), ("preferred_username", "Ann@Fabrikam.com"), ("roles", "Approver")]
    long = [
        ("http://schemas.microsoft.com/identity/claims/tenantid", HOME.upper()),
        ("http://schemas.microsoft.com/identity/claims/objectidentifier", oid.upper()),
        ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "ann@fabrikam.com"),
        ("http://schemas.microsoft.com/ws/2008/06/identity/claims/role", "Approver"),
    ]
    first, second = await _person(_header(short)), await _person(_header(long))

    assert first == second
    assert frozenset({"Approver"}) == first.roles


@pytest.mark.parametrize(
    "claims",
    [
        [("oid", PEOPLE["ann"]), ("upn", "ann@fabrikam.com")],
        [("tid", HOME), ("upn", "ann@fabrikam.com")],
        [("tid", HOME), ("oid", PEOPLE["ann"]), ("roles", "Operator")],
        [("tid", HOME), ("oid", PEOPLE["ann"]), ("upn", "ann@fabrikam.com"), ("idtyp", "app")],
        [("tid", HOME), ("tid", PEOPLE["bob"]), ("oid", PEOPLE["ann"]), ("upn", "ann@fabrikam.com")],
        [("tid", HOME), ("oid", PEOPLE["ann"]), ("emailaddress", "ann@fabrikam.com")],
    ],
    ids=["no tenant", "no object", "an application", "an application by its own word", "two tenants", "mail only"],
)
async def test_half_a_person_is_nobody(claims: list[tuple[str, str]]) -> None:
    """Tenant, object and user principal name must all be there, once; a mail address is no name."""
    with pytest.raises(RequestRefused, match="sign") as caught:
        await _person(_header(claims))

    assert 401 == caught.value.status


async def test_the_principal_of_the_rig_is_read() -> None:
    """The header the other tests send is one the door understands."""
    person = await _person({"X-MS-CLIENT-PRINCIPAL": principal("ann:Approver")})

    assert ("ann@fabrikam.com", "Ann", HOME) == (person.upn, person.name, person.tenant_id)


async def test_a_bearer_token_names_a_person(desk: Desk) -> None:
    """Where no platform signs people in, a valid access token does; its roles open the doors."""
    desk.set(WEBSITE_AUTH_ENABLED=False)
    listed = await desk.call("list_closures", who=None, headers=desk.tickets.person("eve:Auditor"))
    steered = await desk.call("file_closure", who=None, body={}, headers=desk.tickets.person("eve:Auditor"))

    assert 200 == listed.status_code
    refused(steered, 403, "role-missing")


@pytest.mark.parametrize("reason", ["malformed", "signature", "expired", "audience", "issuer", "tenant"])
async def test_a_token_that_is_no_good_is_a_401_with_the_reason(desk: Desk, reason: str) -> None:
    """The header says that it was the token; the problem says which rule it broke, and nothing of the token."""
    desk.tickets.known["secret-token"] = reason
    answer = await desk.call("list_closures", who=None, headers={"Authorization": "Bearer secret-token"})
    problem = refused(answer, 401, "token-refused")

    assert (reason, 'Bearer error="invalid_token"') == (problem["reason"], answer.headers["WWW-Authenticate"])
    assert b"secret-token" not in answer.get_body()


async def test_while_keys_cannot_be_read_no_token_is_good_or_bad(desk: Desk) -> None:
    """Trouble on our side is a 503 that says when to come again."""
    desk.tickets.away = True

    refused(await desk.call("list_closures", who=None, headers={"Authorization": "Bearer x"}), 503, "service-trouble")


@pytest.mark.parametrize(
    "claims",
    [
        {"idtyp": "app"},
        {"preferred_username": None},
        {"preferred_username": ["ann@fabrikam.com", "olga@fabrikam.com"]},
        {"preferred_username": None, "unique_name": "ann@fabrikam.com", "email": "ann@fabrikam.com"},
        {"oid": None},
        {"tid": None},
        {"oid": 7},
        {"oid": "ann"},
    ],
    ids=["an application", "no name", "two names", "other names", "no object", "no tenant", "a number", "no guid"],
)
async def test_a_token_of_nobody_is_a_401(desk: Desk, claims: dict[str, Any]) -> None:
    """Only a token with tenant, object id and user name, issued for a person, opens a door for people."""
    headers = desk.tickets.person("ann:Auditor,Operator,Approver", **claims)

    assert 401 == (await desk.call("list_closures", who=None, headers=headers)).status_code


async def test_an_application_passes_no_door_for_people(desk: Desk) -> None:
    """Application roles don't make a person of it."""
    headers = desk.tickets.application(roles=["Operator", "Approver", "Auditor"])

    for name in ("list_closures", "file_closure", "decide_at_gate", "show_gate_page"):
        answer = await desk.call(name, who=None, body={}, headers=headers, closureId="x", gate="plan")
        assert 401 == answer.status_code


async def test_the_platforms_word_wins_over_a_token(desk: Desk) -> None:
    """Of two that disagree, the header that nobody outside can write decides, for better and worse."""
    auditor, operator = desk.tickets.person("eve:Auditor"), desk.tickets.person("eve:Operator")
    broken = {"X-MS-CLIENT-PRINCIPAL": "!!!", **operator}

    refused(await desk.call("file_closure", who="ann:Approver", body={}, headers=operator), 403, "role-missing")
    refused(await desk.call("file_closure", who="olga:Operator", body={}, headers=auditor), 400, "invalid-request")
    refused(await desk.call("file_closure", who=None, body={}, headers=broken), 401, "not-signed-in")


@pytest.mark.parametrize("header", ["Basic YW5uOnB3", "Bearer", "Bearer ", "token-0", "Bearer " + "x" * 20000])
async def test_what_is_no_bearer_token_signs_nobody_in(desk: Desk, header: str) -> None:
    """Other schemes, empty and endless tokens are a 401."""
    assert 401 == (await desk.call("list_closures", who=None, headers={"Authorization": header})).status_code


async def test_without_a_reader_of_tokens_a_token_is_nothing(desk: Desk) -> None:
    """A deployment that reads no tokens asks to sign in."""
    headers = desk.tickets.person("eve:Auditor")
    desk.equip(tokens=None)

    refused(await desk.call("list_closures", who=None, headers=headers), 401, "not-signed-in")


async def test_a_person_is_the_account_and_not_the_name(desk: Desk) -> None:
    """Large letters change nothing; another account with an approver's name is a stranger, and so is one from another
    tenant, whatever the letters look like.
    """
    closure, digest = await desk.at_gate()
    body = {"decision": "approve", "digest": digest}

    async def say(header: dict[str, str]) -> Any:
        return await desk.call("decide_at_gate", who=None, headers=header, body=body, closureId=closure, gate="plan")

    twin = desk.tickets.person("eve:Approver", preferred_username="ann@fabrikam.com")
    abroad = desk.tickets.person("ann:Approver", tid=ELSEWHERE)
    renamed = desk.tickets.person("bob:Approver", preferred_username="\u0430nn@fabrikam.com", upn="BOB@FABRIKAM.COM")

    refused(await say(twin), 403, "not-an-approver")
    refused(await say(abroad), 403, "wrong-tenant")
    assert 202 == (await say(renamed)).status_code
    assert [PEOPLE["bob"]] == [d["person"]["objectId"] for d in await desk.ledger.decisions(closure)]


async def test_letters_that_only_look_alike_make_no_approver(desk: Desk) -> None:
    """Where people are known by address only, a Kelvin sign is no k."""
    desk.equip(people=None)
    named = {"tenantId": HOME, "objectId": "", "upn": "mark@fabrikam.com", "name": "", "mail": ""}
    groups = {"it": {"quorum": 1, "people": [named], "deputies": []}}
    closure, digest = await desk.at_gate(groups=groups, distinct=1)
    body = {"decision": "approve", "digest": digest}
    answers = [
        await desk.call(
            "decide_at_gate",
            who=None,
            headers={"X-MS-CLIENT-PRINCIPAL": principal("eve:Approver", upn=upn)},
            body=body,
            closureId=closure,
            gate="plan",
        )
        for upn in ("mar\u212a@fabrikam.com", "MARK@fabrikam.com")
    ]

    refused(answers[0], 403, "not-an-approver")
    assert (202, "approved") == (answers[1].status_code, read(answers[1])["state"])
