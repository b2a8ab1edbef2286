"""The real azure-identity signs in over TLS, and gets Microsoft's errors when it may not."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential, ClientAssertionCredential
from azure.identity.aio import CertificateCredential as AsyncCertificateCredential
from azure.identity.aio import ClientAssertionCredential as AsyncClientAssertionCredential

from simulator import tls
from tests.simulator.rig import Simulator

pytestmark = pytest.mark.simulator
SCOPE = "https://graph.microsoft.com/.default"


def options(sim: Simulator) -> dict:
    return {
        "authority": sim.info["loginUrl"],
        "connection_verify": sim.info["caFile"],
        "disable_instance_discovery": True,
        "retry_total": 0,
    }


def assertion(sim: Simulator) -> str:
    query = {"resource": "api://AzureADTokenExchange", "api-version": "2019-08-01"}
    header = {"X-IDENTITY-HEADER": sim.info["identityHeader"]}
    return sim.http.get(sim.info["identityEndpoint"], params=query, headers=header).json()["access_token"]


def certificate(sim: Simulator) -> CertificateCredential:
    info = sim.info
    return CertificateCredential(info["tenantId"], info["clientId"], info["clientCertificate"], **options(sim))


def test_certificate_signs_in(sim: Simulator) -> None:
    """A certificate credential gets a token that Graph accepts and that names tenant, app and permissions."""
    with certificate(sim) as credential:
        token = credential.get_token(SCOPE).token
    claims = jwt.decode(token, options={"verify_signature": False})

    assert (sim.info["tenantId"], sim.info["clientId"]) == (claims["tid"], claims["appid"])
    assert "User.DeleteRestore.All" in claims["roles"]
    assert 200 == sim.client(token).get("/v1.0/organization").status_code


def test_federated_assertion_signs_in(sim: Simulator) -> None:
    """A managed identity's token works as federated credential."""
    with ClientAssertionCredential(
        sim.info["tenantId"], sim.info["clientId"], lambda: assertion(sim), **options(sim)
    ) as credential:
        token = credential.get_token(SCOPE).token

    assert 200 == sim.client(token).get("/v1.0/users").status_code


async def test_async_credentials_sign_in(sim: Simulator) -> None:
    """The asynchronous credentials work too."""
    info = sim.info
    certified = AsyncCertificateCredential(
        info["tenantId"], info["clientId"], info["clientCertificate"], **options(sim)
    )
    federated = AsyncClientAssertionCredential(
        info["tenantId"], info["clientId"], lambda: assertion(sim), **options(sim)
    )
    async with certified, federated:
        tokens = [(await c.get_token(SCOPE)).token for c in (certified, federated)]

    assert [200, 200] == [sim.client(t).get("/v1.0/users").status_code for t in tokens]


def test_foreign_certificate_is_refused(sim: Simulator, tmp_path: Path) -> None:
    """A certificate that is not registered gets AADSTS700027."""
    other = tmp_path / "other"
    other.mkdir()
    strange = str(tls.make(other).client_file)
    with (
        CertificateCredential(sim.info["tenantId"], sim.info["clientId"], strange, **options(sim)) as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS700027"),
    ):
        credential.get_token(SCOPE)


def test_wrong_federated_assertion_is_refused(sim: Simulator) -> None:
    """An assertion for another audience gets AADSTS700212."""
    query = {"resource": "https://vault.azure.net", "api-version": "2019-08-01"}
    header = {"X-IDENTITY-HEADER": sim.info["identityHeader"]}
    wrong = sim.http.get("/msi/token", params=query, headers=header).json()["access_token"]
    with (
        ClientAssertionCredential(sim.info["tenantId"], sim.info["clientId"], lambda: wrong, **options(sim)) as c,
        pytest.raises(ClientAuthenticationError, match="AADSTS700212"),
    ):
        c.get_token(SCOPE)


@pytest.mark.parametrize(("ahead", "refused"), [(60, False), (900, True), (-4200, True)])
def test_clocks_may_differ_a_little(sim: Simulator, ahead: int, refused: bool) -> None:
    """An assertion from a clock that is a minute ahead signs in, one far ahead or long over gets AADSTS700024."""
    now = int(time.time()) + ahead
    identity, home = sim.world.identity, sim.world.home
    claims = {"iss": sim.world.issuer(home), "sub": identity.subject, "aud": "api://AzureADTokenExchange"}
    signed = sim.world.tokens.sign({**claims, "iat": now, "nbf": now, "exp": now + 3600}, 0)
    with ClientAssertionCredential(sim.info["tenantId"], sim.info["clientId"], lambda: signed, **options(sim)) as c:
        if refused:
            with pytest.raises(ClientAuthenticationError, match="AADSTS700024"):
                c.get_token(SCOPE)
        else:
            assert c.get_token(SCOPE).token


def test_missing_service_principal(sim: Simulator) -> None:
    """Without our service principal sign-in says 700016 and Graph 401, while the tenant is still alive."""
    own = sim.world.target.directory.own_sp_id
    assert 204 == sim.graph.delete(f"/v1.0/servicePrincipals/{own}").status_code

    with certificate(sim) as credential, pytest.raises(ClientAuthenticationError, match="AADSTS700016"):
        credential.get_token(SCOPE)
    assert 401 == sim.graph.get("/v1.0/organization").status_code
    assert 200 == httpx.get(f"{sim.url}/{sim.info['tenantId']}/v2.0/.well-known/openid-configuration").status_code


def test_disabled_service_principal(sim: Simulator) -> None:
    """A disabled one gets AADSTS7000112, and Graph answers 401."""
    sim.sim("consent", {"enabled": False})

    with certificate(sim) as credential, pytest.raises(ClientAuthenticationError, match="AADSTS7000112"):
        credential.get_token(SCOPE)
    assert 401 == sim.graph.get("/v1.0/organization").status_code


def test_openid_configuration_before_and_after_deletion(sim: Simulator) -> None:
    """The issuer contains the tenant id; a deleted tenant gets the recorded 90002 body."""
    url = f"{sim.url}/{sim.info['tenantId']}/v2.0/.well-known/openid-configuration"
    by_name = f"{sim.url}/{sim.info['domain']}/v2.0/.well-known/openid-configuration"
    alive = httpx.get(url).json()

    assert sim.info["tenantId"] in alive["issuer"]
    assert alive == httpx.get(by_name).json()

    sim.world.delete_tenant(sim.world.target)
    gone = httpx.get(url)
    assert (400, "invalid_tenant", [90002]) == (gone.status_code, gone.json()["error"], gone.json()["error_codes"])
    assert "AADSTS90002" in gone.json()["error_description"]
    assert 401 == sim.graph.get("/v1.0/organization").status_code
    home = sim.client(sim.token(tenantId=sim.info["homeTenantId"]))
    path = "/v1.0/tenantRelationships/findTenantInformationByTenantId(tenantId='{}')"
    answer = home.get(path.format(sim.info["tenantId"]))
    assert (404, "Directory_ObjectNotFound") == (answer.status_code, answer.json()["error"]["code"])
    assert 200 == home.get(path.format(sim.info["homeTenantId"])).status_code


def test_unsigned_token_is_believed_when_its_tenant_is_ours(sim: Simulator) -> None:
    """The documented leniency for static credentials; everything else is 401."""
    static = jwt.encode({"tid": sim.info["tenantId"]}, "x" * 32, algorithm="HS256")
    strange = jwt.encode({"tid": "00000000-0000-0000-0000-000000000000"}, "x" * 32, algorithm="HS256")
    forged = jwt.encode({"tid": sim.info["tenantId"]}, "x" * 32, "HS256", headers={"kid": "simulator-key-1"})
    expired = sim.token(expiresIn=-5)

    assert 200 == sim.client(static).get("/v1.0/users").status_code
    for token in (strange, forged, expired, "nonsense"):
        answer = sim.client(token).get("/v1.0/users")
        assert (401, "InvalidAuthenticationToken") == (answer.status_code, answer.json()["error"]["code"])
