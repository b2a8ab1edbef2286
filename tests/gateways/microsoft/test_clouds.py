"""National clouds: every gateway calls its own cloud's hosts, with tokens for them, and no others (tenant-facts E)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.identity
import httpx
import pytest
from azure.identity import AzureAuthorityHosts
from msgraph_core import NationalClouds

from tenantclosure.errors import AccessRefused, ServiceTrouble, SignInRefused
from tenantclosure.gateways import outside
from tenantclosure.gateways.arm import ArmBilling
from tenantclosure.gateways.external import ArmDirectory
from tenantclosure.gateways.graph import GraphDirectory
from tenantclosure.gateways.http import connections
from tenantclosure.gateways.identity import Credentials, _Token
from tenantclosure.gateways.partner import PartnerCenter
from tenantclosure.names import Family
from tenantclosure.settings import CLOUDS, Settings

from .conftest import TENANT, StillClock, jwt

HOME = "77777777-1111-4222-8333-444455556666"
PARTNER = "66666666-1111-4222-8333-444455556666"
AZURE = "88888888-1111-4222-8333-444455556666"
RESOURCE = f"/subscriptions/{AZURE}/resourceGroups/g/providers/Microsoft.AzureActiveDirectory/ciamDirectories/c"
GOV_ARM = ("https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net/.default")
WORLDWIDE = "https://api.partnercenter.microsoft.com"
# Graph's and the sign-in's hosts as Microsoft's own libraries know them; ARM's and Partner Center's as its pages do.
EXPECTED: dict[str, tuple[str, str, tuple[str, str], str]] = {
    "global": (
        NationalClouds.Global.value,
        AzureAuthorityHosts.AZURE_PUBLIC_CLOUD,
        ("https://management.azure.com", "https://management.azure.com/.default"),
        WORLDWIDE,
    ),
    "usgov": (NationalClouds.US_GOV.value, AzureAuthorityHosts.AZURE_GOVERNMENT, GOV_ARM, WORLDWIDE),
    "usgov-dod": (NationalClouds.US_DoD.value, AzureAuthorityHosts.AZURE_GOVERNMENT, GOV_ARM, WORLDWIDE),
    "china": (
        NationalClouds.China.value,
        AzureAuthorityHosts.AZURE_CHINA,
        ("https://management.chinacloudapi.cn", "https://management.chinacloudapi.cn/.default"),
        "https://partner.partnercenterapi.microsoftonline.cn",
    ),
}
# Microsoft's page on federated credentials of managed identities (tenant-facts E).
AUDIENCES = {
    "global": "api://AzureADTokenExchange",
    "usgov": "api://AzureADTokenExchangeUSGov",
    "usgov-dod": "api://AzureADTokenExchangeUSGov",
    "china": "api://AzureADTokenExchangeChina",
}


class Cloud:
    """Settings of one cloud whose calls end here: `called` are (host, path), `signed_in` (tenant, scope)."""

    def __init__(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.called: list[tuple[str, str]] = []
        self.signed_in: list[tuple[str, str]] = []
        self.settings = Settings.model_validate(
            {
                "CLOSURE_CLOUD": name,
                "CLOSURE_CLIENT_ID": "client",
                "CLOSURE_IDENTITY_CLIENT_ID": "identity",
                "CLOSURE_HOME_TENANT_ID": HOME,
                "CLOSURE_PARTNER_TENANT_ID": PARTNER,
            }
        )
        self.credentials = Credentials(self.settings)
        self.refusal: Exception | None = None
        monkeypatch.setattr(self.credentials, "_sign_in", self._sign_in)
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        connections(self.settings)._clients[asyncio.get_running_loop()] = client
        monkeypatch.setattr(
            outside, "new_client", lambda _: httpx.AsyncClient(transport=httpx.MockTransport(self._say))
        )

    def _sign_in(self, tenant: str, scope: str) -> _Token:
        if self.refusal is not None:
            raise self.refusal
        self.signed_in.append((tenant, scope))
        return _Token(jwt(tid=tenant), float("inf"))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self._say(request)
        if request.url.path.endswith("$batch"):
            return httpx.Response(200, json={"responses": [{"id": "0", "status": 204}]})
        body: Any = {"value": [], "items": [], "state": "Enabled", "properties": {"tenantId": TENANT}}
        return httpx.Response(200, json=body)

    def _say(self, request: httpx.Request) -> httpx.Response:
        self.called.append((f"https://{request.url.host}", request.url.path))
        return httpx.Response(404)

    def hosts(self) -> set[str]:
        """Hosts called since the last look."""
        found = {host for host, _ in self.called}
        self.called.clear()
        return found


@pytest.fixture(params=EXPECTED)
async def cloud(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    made = Cloud(request.param, monkeypatch)
    yield made
    await connections(made.settings).close()


def test_every_cloud_is_complete() -> None:
    """All clouds name the same endpoints, each an https address without trailing slash, or a scope or audience."""
    assert set(CLOUDS) == set(EXPECTED)
    assert {frozenset(endpoints) for endpoints in CLOUDS.values()} == {frozenset(CLOUDS["global"])}
    for endpoints in CLOUDS.values():
        assert all(url.startswith(("https://", "api://")) and not url.endswith("/") for url in endpoints.values())


def test_every_endpoint_is_documented() -> None:
    """The page about settings names every host, scope and audience of every cloud."""
    page = (Path(__file__).parents[3] / "docs" / "settings.md").read_text(encoding="utf-8")
    told = {
        url.removeprefix("https://").removesuffix("/.default") for cloud in CLOUDS.values() for url in cloud.values()
    }
    assert {url for url in told if f"`{url}`" not in page} == set()


async def test_the_federated_credential(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The managed identity is asked for the cloud's own audience; its token is what our application signs in with."""
    asked: list[str] = []

    class Identity:
        def __init__(self, **_: Any) -> None: ...

        def get_token(self, scope: str) -> Any:
            asked.append(scope)
            return SimpleNamespace(token=assertion)

    assertion = jwt(tid=HOME, iss="issuer", sub="subject")
    monkeypatch.setattr(azure.identity, "ManagedIdentityCredential", Identity)
    assert cloud.credentials._signer(TENANT)._func() == assertion
    assert asked == [f"{AUDIENCES[cloud.settings.cloud]}/.default"]


async def test_graph(cloud: Cloud) -> None:
    """Listings through the SDK, plain calls, batches and beta stay at the cloud's Graph, with its tokens."""
    graph, *_ = EXPECTED[cloud.settings.cloud]
    directory = GraphDirectory(cloud.settings, cloud.credentials, TENANT, StillClock())
    assert [page async for page in directory.pages(Family.USERS)] == [[]]
    await directory.delete_many(Family.USERS, ["a"])
    await directory.restore_many(Family.USERS, ["a"])
    await directory.mfa_states(["a"])
    await directory.external_leftovers()
    await directory.turn_off_sync()
    assert {path.split("/")[1] for _, path in cloud.called} == {"v1.0", "beta"}
    assert cloud.hosts() == {graph}
    assert set(cloud.signed_in) == {(TENANT, f"{graph}/.default")}


async def test_arm(cloud: Cloud) -> None:
    """Azure and billing with the tenant's tokens, external directories with the hosting tenant's, at its ARM."""
    _, _, (arm, scope), _ = EXPECTED[cloud.settings.cloud]
    billing = ArmBilling(cloud.settings, cloud.credentials, TENANT)
    assert await billing.azure_subscriptions() == await billing.billing_subscriptions() == []
    await billing.cancel_azure(AZURE)
    assert set(cloud.signed_in) == {(TENANT, scope)}
    external = ArmDirectory(cloud.settings, cloud.credentials, TENANT)
    assert await external.find(RESOURCE) is not None
    await external.delete(RESOURCE)
    assert cloud.signed_in[-1] == (HOME, scope)
    assert cloud.hosts() == {arm}


async def test_partner_center(cloud: Cloud) -> None:
    """The partner's tokens, at the cloud's Partner Center; one that lets no partner in is a named state, no crash."""
    *_, partner = EXPECTED[cloud.settings.cloud]
    center = PartnerCenter(cloud.settings, cloud.credentials, TENANT)
    assert await center.subscriptions() == []
    assert (cloud.hosts(), cloud.signed_in) == ({partner}, [(PARTNER, f"{partner}/.default")])


@pytest.mark.parametrize("code", [90002, 700016, 500011])
async def test_a_sign_in_elsewhere_that_is_refused_names_itself(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """The cloud has no Partner Center for us, or nobody let us in: AccessRefused, so that people are asked."""
    cloud = Cloud("usgov-dod", monkeypatch)
    cloud.refusal = SignInRefused(PARTNER, code, f"AADSTS{code}")
    center = PartnerCenter(cloud.settings, cloud.credentials, TENANT)
    for call in (center.subscriptions(), center.subscription("s"), center.cancel("s")):
        with pytest.raises(AccessRefused, match=f"partner's tenant.*AADSTS{code}"):
            await call
    with pytest.raises(AccessRefused, match="hosting tenant"):
        await ArmDirectory(cloud.settings, cloud.credentials, TENANT).find(RESOURCE)
    cloud.refusal = SignInRefused(PARTNER, None, "no word why")
    with pytest.raises(SignInRefused):
        await center.subscription("s")
    cloud.refusal = ServiceTrouble("login is down")
    with pytest.raises(ServiceTrouble) as caught:
        await center.subscription("s")
    assert not isinstance(caught.value, AccessRefused) and cloud.called == []
    await connections(cloud.settings).close()


async def test_from_outside(cloud: Cloud) -> None:
    """The cloud's sign-in endpoint is asked whether the tenant is there; our own sign-in is led there too."""
    _, login, _, _ = EXPECTED[cloud.settings.cloud]
    assert await outside.OutsideView(cloud.settings, TENANT).sighting() == "unknown"
    assert cloud.hosts() == {f"https://{login}"}
    signer = cloud.credentials._signer(TENANT)
    assert signer._client._authority == f"https://{login}"
