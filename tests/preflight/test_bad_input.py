"""A closure that can't go well is refused when it is filed, in one sentence that names the setting and the remedy."""

from __future__ import annotations

from typing import Any

import pytest

from tenantclosure import wiring
from tests.gateways.microsoft.simulated import Simulated
from tests.preflight.conftest import Bench, serving

pytestmark = [pytest.mark.simulator, pytest.mark.slow]

NOBODY = "b0b0b0b0-0000-4000-8000-000000000000"
ALONE = {
    "CLOSURE_CLIENT_ID": "app",
    "CLOSURE_HOME_TENANT_ID": NOBODY,
    "CLOSURE_IDENTITY_CLIENT_ID": "identity",
    "CLOSURE_STORAGE__accountName": "records",
}
"""The least settings of a deployment in Azure, besides the approval policy."""


def request(sim: Simulated, **changes: Any) -> dict[str, Any]:
    """A request about the simulated tenant."""
    people = [{"group": "it", "quorum": 2, "people": ["ann@fabrikam.com", "bob@fabrikam.com"]}]
    return {
        "tenantId": sim.ready["tenantId"],
        "domain": sim.ready["domain"],
        "keeper": sim.ready["keeper"],
        "reason": "merged into Fabrikam",
        "approvers": people,
        "backupConfirmed": True,
        **changes,
    }


async def refusal(bench: Bench, **changes: Any) -> tuple[str, str, str]:
    """Kind, field, and the whole sentence with which a request is refused; nothing of it is on record."""
    status, body = await bench.call("file_closure", request(bench.sim, **changes))
    assert 400 <= status < 404, body
    assert [] == await wiring.parts().ledger.live()
    return body["type"].rpartition(":")[2], body["field"], f"{body['detail']} {body['remedy']}"


async def test_the_tenant_that_hosts_us(sim: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even on the allow list the hosting tenant is refused, by the setting that names it."""
    home = sim.ready["homeTenantId"]
    async with serving(sim, monkeypatch, CLOSURE_ALLOWED_TENANTS=home) as bench:
        kind, field, sentence = await refusal(bench, tenantId=home)
        assert 403 == (await bench.ask(home))[0]

    assert ("home-tenant", "tenantId") == (kind, field)
    assert "CLOSURE_HOME_TENANT_ID" in sentence and "another tenant" in sentence


async def test_a_managed_identity_of_another_tenant(sim: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the setting names another tenant than the one that hosts us, the hosting one would not be spared: refused."""
    async with serving(sim, monkeypatch, CLOSURE_HOME_TENANT_ID=NOBODY) as bench:
        kind, field, sentence = await refusal(bench)

    assert ("not-configured", "CLOSURE_HOME_TENANT_ID") == (kind, field)
    assert f"set it to {sim.ready['homeTenantId']}" in sentence


async def test_no_federated_credential(bench: Bench) -> None:
    """The refusal is the command that adds it."""
    with bench.without("credential", {"federated": None}, {"federated": {}}):
        kind, field, sentence = await refusal(bench)

    assert ("credential-missing", "CLOSURE_IDENTITY_CLIENT_ID") == (kind, field)
    assert "CLOSURE_CLIENT_ID" in sentence
    assert f"Run: az ad app federated-credential create --id {bench.sim.ready['clientId']}" in sentence
    assert "<" not in sentence


@pytest.mark.parametrize("cloud", ["microsoftonline.us", "partner.microsoftonline.cn"])
async def test_a_tenant_of_another_cloud(bench: Bench, cloud: str) -> None:
    """The setting and the cloud are named; nobody signs in there."""
    with bench.without("settings", {"cloud": cloud}, {"cloud": "microsoftonline.com"}):
        kind, field, sentence = await refusal(bench)
        states = await bench.states()

    assert ("wrong-cloud", "tenantId") == (kind, field)
    assert "CLOSURE_CLOUD=" + {"microsoftonline.us": "usgov"}.get(cloud, "china") in sentence
    assert "missing" == states["target.cloud"]


async def test_a_tenant_that_no_one_knows(sim: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped tenant and one of another cloud look alike, so both remedies are told."""
    async with serving(sim, monkeypatch, CLOSURE_ALLOWED_TENANTS=NOBODY) as bench:
        kind, field, sentence = await refusal(bench, tenantId=NOBODY)
        states = await bench.states(NOBODY)

    assert ("missing", "unknown") == (states["target.cloud"], states["target.consent"])
    assert ("tenant-unknown", "tenantId") == (kind, field)
    assert "CLOSURE_CLOUD" in sentence and "AADSTS90002" in sentence


async def test_no_consent(bench: Bench) -> None:
    """The refusal is the link with which an administrator consents."""
    away = {"withdrawn": True}
    with bench.without("consent", away, {"withdrawn": False}):
        kind, field, sentence = await refusal(bench)

    ready = bench.sim.ready
    assert ("consent-missing", "tenantId") == (kind, field)
    assert f"{ready['loginUrl']}/{ready['tenantId']}/adminconsent?client_id={ready['clientId']}" in sentence


async def test_a_permission_that_only_a_listing_would_miss(bench: Bench) -> None:
    """What the survey needs is asked for before it begins."""
    with bench.without("consent", {"remove": ["Group.Read.All"]}, {"add": ["Group.Read.All"]}):
        kind, field, sentence = await refusal(bench)

    assert ("permissions-missing", "tenantId") == (kind, field)
    assert "Group.Read.All" in sentence
    assert f"closure preflight --tenant {bench.sim.ready['tenantId']}" in sentence


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"CLOSURE_HOME_TENANT_ID": ""}, "CLOSURE_HOME_TENANT_ID"),
        ({"CLOSURE_CLIENT_ID": ""}, "CLOSURE_CLIENT_ID"),
        ({"CLOSURE_IDENTITY_CLIENT_ID": ""}, "CLOSURE_IDENTITY_CLIENT_ID"),
        ({"CLOSURE_ALLOWED_TENANTS": NOBODY}, "CLOSURE_ALLOWED_TENANTS"),
        ({"CLOSURE_CLOUD": "mars"}, "CLOSURE_CLOUD"),
        ({"CLOSURE_BACKEND": "mssql"}, "CLOSURE_BACKEND"),
        ({}, "CLOSURE_APPROVAL_POLICY"),
    ],
)
async def test_settings_that_cant_work(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], setting: str
) -> None:
    """The first request of all is refused, and names the setting to whoever sends it; the value stays in the log."""
    for name, value in {**ALONE, **changes}.items():
        monkeypatch.setenv(name, value)
    wiring.use(None)
    status, body = await bench.call("file_closure", request(bench.sim))

    assert (500, "urn:tenant-closure:problem:not-configured") == (status, body["type"])
    assert setting == body["field"]
    assert setting in body["detail"] and "docs/settings.md" in body["remedy"]
    assert "mars" not in str(body)
