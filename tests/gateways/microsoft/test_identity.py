"""Tokens: what they say, how they are cached, and that a refused sign-in says why."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import CredentialUnavailableError

from tenantclosure.errors import ServiceTrouble, SettingsError, SignInRefused
from tenantclosure.gateways.identity import Credentials, identity_of

from .conftest import TENANT, jwt, settings_for


def test_claims() -> None:
    """Tenant, application, object and roles come from the payload; v2 tokens name the application azp."""
    found = identity_of(jwt(tid=TENANT.upper(), azp="APP", oid="o", roles=["User.Read.All"]))
    assert (found.tenant_id, found.app_id, found.object_id) == (TENANT, "app", "o")
    assert found.roles == {"User.Read.All"}
    assert identity_of(jwt(tid="t")).roles == frozenset()
    assert identity_of(jwt(tid="t"), roles_unknown=True).roles is None


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "a.eyJ9.c", jwt(), "a.W10.c"])
def test_unreadable_tokens(token: str) -> None:
    """A token that is no JWT, or names no tenant, is trouble, never an unknown tenant."""
    with pytest.raises(ServiceTrouble):
        identity_of(token)


class Signer:
    """Stands in for a credential of azure-identity, slowly."""

    def __init__(self, lifetime: float = 3600, error: Exception | None = None) -> None:
        self.calls, self.lifetime, self.error = 0, lifetime, error

    def get_token(self, scope: str) -> AccessToken:
        self.calls += 1
        time.sleep(0.05)
        if self.error:
            raise self.error
        return AccessToken(f"token-{self.calls}", int(time.time() + self.lifetime))


def credentials_with(monkeypatch: pytest.MonkeyPatch, signer: Signer) -> Credentials:
    settings = settings_for("https://127.0.0.1:1", CLOSURE_CREDENTIAL="federated", CLOSURE_CLIENT_ID="app")
    made = Credentials(settings)
    monkeypatch.setattr(made, "_signer", lambda tenant: signer)
    return made


async def test_one_sign_in_for_many_callers(monkeypatch) -> None:
    """Fifty callers at once make one sign-in; its token serves until shortly before its end."""
    signer = Signer()
    made = credentials_with(monkeypatch, signer)
    tokens = await asyncio.gather(*(made.token_for("t", "s/.default") for _ in range(50)))
    assert set(tokens) == {"token-1"} and signer.calls == 1
    made.forget("t", "s/.default", "another token")
    assert await made.token_for("t", "s/.default") == "token-1"
    made.forget("t", "s/.default", "token-1")
    assert await made.token_for("t", "s/.default") == "token-2"


async def test_a_token_near_its_end_is_renewed(monkeypatch) -> None:
    """No token ends on its way."""
    signer = Signer(lifetime=200)
    made = credentials_with(monkeypatch, signer)
    assert await made.token_for("t", "s") != await made.token_for("t", "s")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ClientAuthenticationError("AADSTS90002: Tenant 'x' not found."), 90002),
        (ValueError("Unable to get authority configuration: invalid_tenant"), 90002),
        (ClientAuthenticationError("Authentication failed: AADSTS700016: Application with identifier"), 700016),
        (ServiceRequestError("connection refused"), None),
    ],
)
async def test_refused_sign_ins_name_the_code(monkeypatch, error, code) -> None:
    """Microsoft's number is kept, its text is not; no answer at all is plain trouble."""
    made = credentials_with(monkeypatch, Signer(error=error))
    with pytest.raises(ServiceTrouble) as caught:
        await made.token_for("t", "s")
    assert getattr(caught.value, "code", None) == code
    assert isinstance(caught.value, SignInRefused) == (code is not None)
    assert "identifier" not in str(caught.value)


async def test_static_tokens() -> None:
    """The partner's tenant gets the partner's token under any URL; expired and missing ones say what to set."""
    settings = settings_for("http://127.0.0.1:1")
    made = Credentials(settings)
    assert await made.token_for(TENANT, "http://127.0.0.1:1/.default") == settings.static_token
    assert made.partner_tenant == "partner"
    assert await made.token_for("partner", "http://127.0.0.1:1/.default") == settings.partner_static_token
    old = Credentials(settings_for("http://127.0.0.1:1", CLOSURE_STATIC_TOKEN=jwt(tid=TENANT, exp=1)))
    with pytest.raises(ServiceTrouble, match="CLOSURE_STATIC_TOKEN"):
        await old.token_for(TENANT, "http://127.0.0.1:1/.default")
    none = Credentials(settings_for("http://127.0.0.1:1", CLOSURE_PARTNER_STATIC_TOKEN=""))
    with pytest.raises(SettingsError, match="CLOSURE_PARTNER_STATIC_TOKEN"):
        _ = none.partner_tenant


async def test_the_hosting_tenant_has_a_static_token_of_its_own() -> None:
    """The hosting tenant is never asked with the target's token; an expired one says what to set."""
    own = {"CLOSURE_HOME_TENANT_ID": "home", "CLOSURE_HOME_STATIC_TOKEN": jwt(tid="home")}
    settings = settings_for("http://127.0.0.1:1", **own)
    assert await Credentials(settings).token_for("home", "s/.default") == jwt(tid="home")
    assert await Credentials(settings).token_for(TENANT, "s/.default") == settings.static_token
    assert await Credentials(settings).token_for("partner", "s/.default") == settings.partner_static_token
    old = settings_for("http://127.0.0.1:1", **own | {"CLOSURE_HOME_STATIC_TOKEN": jwt(tid="home", exp=1)})
    with pytest.raises(ServiceTrouble, match="CLOSURE_HOME_STATIC_TOKEN"):
        await Credentials(old).token_for("home", "s/.default")


def test_clients_leave_no_secret_in_their_repr() -> None:
    """A token source or credential can be printed without giving a token away."""
    settings: Any = settings_for("http://127.0.0.1:1")
    source = Credentials(settings).source("t", "s")
    assert settings.static_token not in repr(source) + repr(settings)


HOME = "77777777-1111-4222-8333-444455556666"


def vouched_by(monkeypatch: pytest.MonkeyPatch, found: str | Exception) -> Credentials:
    """Credentials of a host whose managed identity gives this token, or this error."""
    import azure.identity

    class Identity:
        def __init__(self, **_: Any) -> None: ...

        def get_token(self, scope: str) -> AccessToken:
            if isinstance(found, Exception):
                raise found
            return AccessToken(found, int(time.time() + 3600))

    monkeypatch.setattr(azure.identity, "ManagedIdentityCredential", Identity)
    values = {"CLOSURE_CREDENTIAL": "federated", "CLOSURE_CLIENT_ID": "app", "CLOSURE_HOME_TENANT_ID": HOME}
    return Credentials(settings_for("https://127.0.0.1:1", **values))


async def test_what_the_managed_identity_vouches_with(monkeypatch) -> None:
    """Issuer and subject are the token's own; the audience is the cloud's, which the token only has as a number."""
    made = vouched_by(monkeypatch, jwt(tid=HOME, iss="issuer", sub="subject", aud="fb60f99c"))
    wanted = {"issuer": "issuer", "subject": "subject", "audience": "api://AzureADTokenExchange"}
    assert wanted == await made.vouching()
    assert {} == await Credentials(settings_for("http://127.0.0.1:1")).vouching()


@pytest.mark.parametrize(
    ("found", "setting"),
    [
        (jwt(tid=TENANT, iss="issuer", sub="subject"), "CLOSURE_HOME_TENANT_ID"),
        (jwt(iss="issuer"), "CLOSURE_HOME_TENANT_ID"),
        (ClientAuthenticationError("no identity found"), "CLOSURE_IDENTITY_CLIENT_ID"),
        (CredentialUnavailableError("no identity here"), "CLOSURE_IDENTITY_CLIENT_ID"),
    ],
)
async def test_an_identity_that_is_not_ours(monkeypatch, found, setting) -> None:
    """Neither the preflight nor a sign-in goes on with it, and the setting is named."""
    made = vouched_by(monkeypatch, found)
    with pytest.raises(SettingsError, match=setting):
        await made.vouching()
    with pytest.raises(SettingsError, match=setting):
        made._signer("t")._func()


async def test_an_identity_endpoint_that_is_away_is_trouble(monkeypatch) -> None:
    """It says nothing about the setting."""
    made = vouched_by(monkeypatch, ServiceRequestError("connection refused"))
    with pytest.raises(ServiceTrouble):
        await made.vouching()


async def test_a_wrong_setting_is_no_passing_trouble(monkeypatch) -> None:
    """A sign-in that a setting keeps from working is told as that."""
    made = credentials_with(monkeypatch, Signer(error=SettingsError("CLOSURE_HOME_TENANT_ID is wrong.")))
    with pytest.raises(SettingsError):
        await made.token_for("t", "s")


async def test_a_renewed_token_is_a_new_one(monkeypatch) -> None:
    """What was granted a minute ago is in no older token; from then on everybody gets the new one."""
    made = credentials_with(monkeypatch, Signer())
    assert "token-1" == await made.token_for("t", "s")
    assert "token-2" == await made.renewed("t", "s")
    assert "token-2" == await made.token_for("t", "s")
