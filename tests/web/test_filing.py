"""POST /api/closures: what is let in, and every kind of bad input at that door."""

from __future__ import annotations

import json

import pytest

from tenantclosure.errors import ServiceTrouble
from tenantclosure.model.request import MAX_BYTES
from tests.web.rig import HOME, TARGET, Desk, principal, read, refused, request, rows

LOOPBACK = {
    **{f"CLOSURE_{name}_URL": "http://127.0.0.1:9" for name in ("GRAPH", "LOGIN", "ARM", "PARTNER")},
    "CLOSURE_BASE_URL": "http://127.0.0.1:8",
}
"""Settings of a rehearsal, the only place without a hosting tenant."""


async def test_filing_starts_the_closure_and_says_where_to_follow_it(desk: Desk) -> None:
    """A good request is answered 202 with Location, and exactly one run is scheduled."""
    answer = await desk.call("file_closure", body=request())

    closure = f"{TARGET}-1"
    assert 202 == answer.status_code
    assert f"/api/closures/{closure}" == answer.headers["Location"]
    assert {"closureId", "status", "links"} == set(read(answer))
    order = {"schema": 1, "closureId": closure, "epoch": 1}
    assert [("close_tenant", order, f"{closure}-e1")] == desk.client.started


async def test_no_answer_carries_a_durable_management_url(desk: Desk) -> None:
    """What filing answers never leads to the durable extension's own web hooks."""
    answer = await desk.call("file_closure", body=request())

    assert b"runtime/webhooks" not in answer.get_body()
    assert b"code=" not in answer.get_body()


async def test_a_filed_closure_that_cannot_be_started_is_still_filed(desk: Desk) -> None:
    """When the hub is away the record stands and the sweep starts it later."""
    desk.client.deaf = True
    answer = await desk.call("file_closure", body=request())

    assert 202 == answer.status_code
    assert [f"{TARGET}-1"] == await desk.ledger.live()


BAD = [
    ({"surprise": 1}, 400, "invalid-request", "surprise"),
    ({"tenantId": "0b0a"}, 400, "invalid-request", "tenantId"),
    ({"tenantId": "0b0a1c2d-0000-4000-8000-000000000009"}, 403, "allow-list", "tenantId"),
    ({"tenantId": HOME}, 403, "home-tenant", "tenantId"),
    ({"domain": "northwind.example"}, 400, "tenant-pin", "domain"),
    ({"keeper": None}, 400, "invalid-request", "keeper"),
    ({"keeper": "nobody@contoso.onmicrosoft.com"}, 400, "keeper", "keeper"),
    ({"backupConfirmed": False}, 400, "invalid-request", "backupConfirmed"),
    ({"quietDays": "3"}, 400, "invalid-request", "quietDays"),
    ({"keep": ["ghost@contoso.com"]}, 400, "keep-rule", "keep.0"),
    ({"requestedBy": "ann@fabrikam.com"}, 400, "invalid-request", "requestedBy"),
    ({"approvers": [{"group": "it", "quorum": 3, "people": ["ann@fabrikam.com"]}]}, 400, "quorum-unreachable", None),
    (
        {"approvers": [{"group": "it", "quorum": 1, "people": ["olga@fabrikam.com", "ann@fabrikam.com"]}]},
        400,
        None,
        None,
    ),
    ({"approvers": [{"group": "it", "quorum": 1, "people": ["x@contoso.com", "ann@fabrikam.com"]}]}, 400, None, None),
]


@pytest.mark.parametrize(("change", "status", "kind", "field"), BAD)
async def test_a_bad_request_names_the_field_and_starts_nothing(
    desk: Desk, change: dict, status: int, kind: str | None, field: str | None
) -> None:
    """Each broken rule is one problem document with field and remedy; no closure, no run."""
    answer = await desk.call("file_closure", body=request(**change))

    problem = read(answer)
    assert status == answer.status_code, problem
    assert problem["remedy"] and problem["field"]
    if kind:
        refused(answer, status, kind, field)
    assert [] == desk.client.started
    assert [] == await rows(desk.ledger)


@pytest.mark.parametrize("facts", [{"userType": "Guest"}, {"synced": True}, {"enabled": False}])
async def test_a_keeper_that_is_not_fit_is_refused(desk: Desk, facts: dict) -> None:
    """A guest, a synced or a disabled account can't be the keeper."""
    assert desk.tenant.keeper is not None
    desk.tenant.keeper.facts.update(facts)  # type: ignore[attr-defined]  # a dict in this fake

    refused(await desk.call("file_closure", body=request()), 400, "keeper", "keeper")


async def test_a_keeper_without_the_role_is_refused(desk: Desk) -> None:
    """The keeper must be an active Global Administrator."""
    desk.tenant.administrators = frozenset()

    refused(await desk.call("file_closure", body=request()), 400, "keeper", "keeper")


async def test_a_second_request_names_the_live_closure(desk: Desk) -> None:
    """One tenant has one live closure; the second request learns its id."""
    closure = await desk.filed()
    problem = refused(await desk.call("file_closure", body=request()), 409, "closure-live", "tenantId")

    assert closure == problem["closureId"]
    assert 1 == len(desk.client.started)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"a": 1} {}',
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": 1, "a": 2}',
        b'{"a": "\\ud800"}',
        b"\xff\xfe{}",
        b'{"a": ' + b"9" * 6000 + b"}",
        b"[" * 5000 + b"]" * 5000,
        b"[" * 30000,
    ],
    ids=["empty", "cut", "two", "nan", "huge", "twice", "surrogate", "not utf-8", "digits", "deep", "very deep"],
)
async def test_malformed_json_is_refused_as_a_whole(desk: Desk, raw: bytes) -> None:
    """What is not one clean JSON document is answered 400 on the field $."""
    refused(await desk.call("file_closure", raw=raw), 400, "malformed-json", "$")


async def test_a_list_is_no_request(desk: Desk) -> None:
    """JSON that is not an object is refused on the field $."""
    refused(await desk.call("file_closure", body=[1]), 400, "invalid-request", "$")


async def test_an_oversized_body_is_refused_whatever_it_announces(desk: Desk) -> None:
    """Both the announced and the real length are bounded."""
    announced = await desk.call("file_closure", body=request(), headers={"Content-Length": str(MAX_BYTES + 1)})
    real = await desk.call("file_closure", raw=json.dumps(request(reason="x" * MAX_BYTES)).encode())

    refused(announced, 413, "too-long", "$")
    refused(real, 413, "too-long", "$")


async def test_only_json_is_read(desk: Desk) -> None:
    """A form, which another site could post with a person's cookie, is refused."""
    answer = await desk.call("file_closure", body=request(), headers={"Content-Type": "text/plain"})

    refused(answer, 415, "not-json")


async def test_trouble_behind_the_door_is_a_503_that_says_when_to_retry(desk: Desk) -> None:
    """A storage failure is no fault of the caller, and its inside is not shown."""

    async def broken(*_: object) -> None:
        raise ServiceTrouble("secret-account.table.core.windows.net timed out")

    desk.records.create = broken  # type: ignore[assignment, method-assign]
    desk.records.read = broken  # type: ignore[assignment, method-assign]
    answer = await desk.call("file_closure", body=request())

    refused(answer, 503, "service-trouble")
    assert "Retry-After" in answer.headers
    assert b"secret-account" not in answer.get_body()


async def test_the_unforeseen_is_a_500_without_its_inside(desk: Desk) -> None:
    """An unexpected error becomes a problem document that shows nothing of it."""

    async def broken() -> None:
        raise KeyError("sv=2024&sig=secret")

    desk.tenant.organization = broken  # type: ignore[assignment, method-assign]
    answer = await desk.call("file_closure", body=request())

    refused(answer, 500, "unexpected")
    assert b"secret" not in answer.get_body()


async def test_a_requester_who_lives_in_the_target_is_refused(desk: Desk) -> None:
    """Whoever would lose the account with the tenant can't ask for its end, even where no hosting tenant is named."""
    desk.set(CLOSURE_HOME_TENANT_ID="", CLOSURE_CLOUD="custom", **LOOPBACK)
    headers = {"X-MS-CLIENT-PRINCIPAL": principal("olga:Operator", tenant=TARGET)}
    answer = await desk.call("file_closure", who=None, body=request(), headers=headers)

    refused(answer, 403, "requester-in-target")


async def test_the_hosting_tenant_is_refused(desk: Desk) -> None:
    """The tenant that hosts us is never closed, whatever the allow list says."""
    refused(await desk.call("file_closure", body=request(tenantId=HOME)), 403, "home-tenant", "tenantId")
