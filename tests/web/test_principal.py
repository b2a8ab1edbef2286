"""Who is asking, and what each role may."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from tenantclosure import wiring
from tenantclosure.settings import Settings
from tests.web.rig import HOME, PEOPLE, Desk, principal, refused
from web.principal import person_of
from web.roles import APPROVERS, OPERATORS, PUBLIC, READERS
from web.routes import ROUTES


def _header(claims: list[tuple[str, str]], **more: str) -> dict[str, str]:
    document = {"claims": [{"typ": typ, "val": val} for typ, val in claims], **more}
    return {"X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps(document).encode()).decode()}


async def test_without_app_service_authentication_the_header_is_nothing(desk: Desk) -> None:
    """Where nobody strips the header from outside, it proves nothing: 401."""
    off = Settings.model_validate({**desk.parts.settings.model_dump(by_alias=True), "WEBSITE_AUTH_ENABLED": False})
    wiring.use(replace(desk.parts, settings=off))
    answer = await desk.call("list_closures", who="olga:Operator")

    refused(answer, 401, "not-signed-in")
    assert "Bearer" == answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "raw", ["", "!!!", base64.b64encode(b"[]").decode(), base64.b64encode(b'{"claims": 3}').decode()]
)
async def test_an_unreadable_sign_in_is_no_sign_in(desk: Desk, raw: str) -> None:
    """Whatever can't be read as a person is a 401."""
    refused(await desk.call("list_closures", who=None, headers={"X-MS-CLIENT-PRINCIPAL": raw}), 401, "not-signed-in")


def test_short_and_long_claim_names_mean_the_same() -> None:
    """App Service writes either form; both give the same person."""
    oid = PEOPLE["ann"]
    short = [("tid", HOME), ("oid", oid), ("preferred_username", "Ann@Fabrikam.com"), ("roles", "Approver")]
    long = [
        ("http://schemas.microsoft.com/identity/claims/tenantid", HOME.upper()),
        ("http://schemas.microsoft.com/identity/claims/objectidentifier", oid.upper()),
        ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "ann@fabrikam.com"),
        ("http://schemas.microsoft.com/ws/2008/06/identity/claims/role", "Approver"),
    ]
    first = person_of(_header(short), authentication_on=True)
    second = person_of(_header(long), authentication_on=True)

    assert first == second
    assert frozenset({"Approver"}) == first.roles


@pytest.mark.parametrize(
    "claims",
    [
        [("oid", PEOPLE["ann"]), ("upn", "ann@fabrikam.com")],
        [("tid", HOME), ("upn", "ann@fabrikam.com")],
        [("tid", HOME), ("oid", PEOPLE["ann"]), ("roles", "Operator")],
        [("tid", HOME), ("tid", PEOPLE["bob"]), ("oid", PEOPLE["ann"]), ("upn", "ann@fabrikam.com")],
        [("tid", HOME), ("oid", PEOPLE["ann"]), ("emailaddress", "ann@fabrikam.com")],
    ],
    ids=["no tenant", "no object", "an application", "two tenants", "mail only"],
)
def test_half_a_person_is_nobody(claims: list[tuple[str, str]]) -> None:
    """Tenant, object and user principal name must all be there, once; a mail address is no name."""
    with pytest.raises(ValueError, match="sign") as caught:
        person_of(_header(claims), authentication_on=True)

    assert 401 == caught.value.status  # type: ignore[attr-defined]


@pytest.mark.parametrize("route", [route for route in ROUTES if route.roles], ids=lambda route: route.name)
async def test_every_guarded_route_refuses_strangers_and_wrong_roles(desk: Desk, route) -> None:  # type: ignore[no-untyped-def]
    """401 without a sign-in, 403 without a role; the handler is never reached."""
    path = {"closureId": "x", "gate": "plan", "taskId": "t", "token": "t"}
    nobody = await desk.call(route.name, who=None, body={}, **path)
    wrong = await desk.call(route.name, who="eve:Gardener", body={}, **path)

    assert (401, 403) == (nobody.status_code, wrong.status_code)
    assert [] == desk.records.writes


def test_each_kind_of_route_asks_for_its_roles() -> None:
    """Operators steer, approvers decide, readers read; only what holds no data is public."""
    for route in ROUTES:
        if route.roles == PUBLIC:
            assert route.name in ("show_openapi", "static_file")
        elif route.method == "GET" and not route.path.startswith("approvals/"):
            assert READERS == route.roles
        elif route.path.endswith("/decisions") or "approvals" in route.path:
            assert APPROVERS == route.roles
        else:
            assert OPERATORS == route.roles


async def test_an_approver_cannot_file(desk: Desk) -> None:
    """The one who approves is never the one who asks."""
    problem = refused(await desk.call("file_closure", who="ann:Approver,Auditor", body={}), 403, "role-missing")

    assert ["Operator"] == problem["rolesNeeded"]


def test_the_principal_of_the_rig_is_read() -> None:
    """The header the other tests send is one the door understands."""
    person = person_of({"X-MS-CLIENT-PRINCIPAL": principal("ann:Approver")}, authentication_on=True)

    assert ("ann@fabrikam.com", "Ann", HOME) == (person.upn, person.name, person.tenant_id)
