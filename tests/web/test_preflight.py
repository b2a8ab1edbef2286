"""GET /api/preflight/{tenantId} at the door, and what a refused sign-in looks like where closures are filed."""

from __future__ import annotations

import json

import azure.functions as func
import pytest

from tenantclosure.errors import ServiceTrouble, SettingsError, SignInRefused
from tenantclosure.policy.permissions import OWNER
from tests.fakes.tenant import FakeBilling, FakeDirectory
from tests.web.rig import HOME, TARGET, Desk, read, refused, request
from web.queue import take_message

CODES = [
    (70021, "credential-missing", "CLOSURE_IDENTITY_CLIENT_ID", "az ad app federated-credential create"),
    (7002138, "credential-missing", "CLOSURE_IDENTITY_CLIENT_ID", "az ad app federated-credential create"),
    (700027, "credential-missing", "CLOSURE_CERTIFICATE_FILE", "az ad app credential reset"),
    (700016, "consent-missing", "tenantId", f"https://login.microsoftonline.com/{TARGET}/adminconsent?client_id=app"),
    (7000112, "sign-in-blocked", "tenantId", "Enabled for users to sign in"),
    (90002, "tenant-unknown", "tenantId", "own cloud"),
    (53003, "sign-in-blocked", "tenantId", "Exclude our service principal"),
]
"""AADSTS code, and kind, field and remedy of the refusal."""


def _shut(desk: Desk, code: int | None) -> None:
    async def identity() -> None:
        raise SignInRefused(TARGET, code, f"AADSTS{code}")

    desk.tenant.identity = identity  # type: ignore[method-assign,assignment]  # the tenant that lets nobody in


@pytest.mark.parametrize(("code", "kind", "field", "remedy"), CODES)
async def test_a_refused_sign_in_names_the_remedy(desk: Desk, code: int, kind: str, field: str, remedy: str) -> None:
    """Each code that no later try cures is a refusal of the request: what to set or to run, and the number."""
    _shut(desk, code)
    answer = await desk.call("file_closure", body=request())

    problem = refused(answer, 403, kind, field)
    assert f"AADSTS{code}" in problem["detail"]
    assert remedy in problem["remedy"]


@pytest.mark.parametrize("code", [None, 50196])
async def test_a_sign_in_that_may_pass_is_no_refusal(desk: Desk, code: int | None) -> None:
    """What may be better in a minute is trouble; the caller tries again."""
    _shut(desk, code)

    assert 503 == (await desk.call("file_closure", body=request())).status_code


async def test_a_queued_request_is_put_aside_with_the_remedy(desk: Desk) -> None:
    """Over the queue the same refusal is kept beside the message instead of trying for ever."""
    _shut(desk, 700213)
    message = func.QueueMessage(id="m1", body=json.dumps(request(requestedBy="eve@fabrikam.com")).encode())
    await take_message(message, desk.client, desk.parts)

    aside = read(await desk.call("list_closures"))["poison"]
    assert ["CLOSURE_IDENTITY_CLIENT_ID"] == [one["problem"]["field"] for one in aside]


@pytest.mark.parametrize(
    ("tenant", "status", "kind"),
    [
        ("contoso.com", 400, "invalid-request"),
        (f"{TARGET}/..", 400, "invalid-request"),
        (HOME, 403, "home-tenant"),
        ("0b0a1c2d-0000-4000-8000-000000000009", 403, "allow-list"),
    ],
)
async def test_only_tenants_that_may_be_closed_are_looked_at(desk: Desk, tenant: str, status: int, kind: str) -> None:
    """Our application can't be used to look into other tenants."""
    refused(await desk.call("show_preflight", tenantId=tenant), status, kind, "tenantId")


async def test_trouble_is_unknown_and_never_missing(desk: Desk) -> None:
    """Where Microsoft does not answer, nobody is sent to grant what may be there."""
    desk.access.trouble = ServiceTrouble("no token of the managed identity")
    checks = read(await desk.call("show_preflight", tenantId=TARGET))["checks"]

    assert "unknown" == checks[0]["state"]
    assert set() == {check["check"] for check in checks if check["state"] == "missing"}


async def test_an_identity_that_is_not_there(desk: Desk) -> None:
    """The sentence of the setting is the finding; what lies behind is unknown."""
    desk.access.trouble = SettingsError("CLOSURE_IDENTITY_CLIENT_ID names no managed identity of this host.")
    found = read(await desk.call("show_preflight", tenantId=TARGET))

    missing = [check for check in found["checks"] if check["state"] == "missing"]
    assert ["credential.federated"] == [check["check"] for check in missing]
    assert not found["ok"]


AZURE = "88888888-1111-4222-8333-444455556666"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


@pytest.mark.parametrize(
    ("held", "state"),
    [
        (frozenset({OWNER}), "pass"),
        (frozenset({READER}), "missing"),
        (frozenset(), "missing"),
        (ServiceTrouble("Azure is away"), "unknown"),
    ],
)
async def test_only_an_owner_cancels_a_subscription(desk: Desk, held: frozenset[str] | Exception, state: str) -> None:
    """A subscription that shows itself is not yet one that we may cancel; the command names it and whom to trust."""
    billing = FakeBilling()
    billing.azure = {AZURE: "Enabled"}
    desk.access.azure = held
    desk.equip(make_billing=lambda _: billing, make_directory=lambda _: FakeDirectory())
    checks = read(await desk.call("show_preflight", tenantId=TARGET))["checks"]

    found = next(check for check in checks if check["check"] == f"target.azure:{AZURE}")
    assert state == found["state"]
    told = (f"--role Owner --scope /subscriptions/{AZURE}", "--assignee-object-id sp ")
    assert all((word in found["grant"]) == (state != "pass") for word in told)


async def test_each_listed_billing_account_is_looked_at(desk: Desk) -> None:
    """The accounts of the deployment are asked one by one; the one without our role is named."""
    desk.set(CLOSURE_BILLING_ACCOUNTS="one,two")
    desk.access.accounts = {"one"}
    desk.equip(make_billing=lambda _: FakeBilling(), make_directory=lambda _: FakeDirectory())
    checks = read(await desk.call("show_preflight", tenantId=TARGET))["checks"]

    states = {check["check"]: check["state"] for check in checks if check["kind"] == "billing role"}
    assert {"target.billing:one": "pass", "target.billing:two": "missing"} == states


async def test_records_in_azure_are_read(desk: Desk) -> None:
    """In Azure the answer also says that the records and their seal can be reached."""
    desk.set(CLOSURE_STORAGE__accountName="records", CLOSURE_SEAL_VAULT="https://vault.example")
    desk.equip(make_billing=lambda _: FakeBilling(), make_directory=lambda _: FakeDirectory())
    checks = read(await desk.call("show_preflight", tenantId=TARGET))["checks"]

    words = ("hosting.records", "hosting.seal")
    ours = {check["check"]: check["state"] for check in checks if check["check"].startswith(words)}
    assert 4 == len(ours)
    assert {"pass"} == set(ours.values())
