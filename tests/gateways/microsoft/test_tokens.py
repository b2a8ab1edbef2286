"""Tokens that callers bring: only Entra's own, for us, of the hosting tenant and in their time are good."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import time
import traceback
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tenantclosure.errors import ServiceTrouble, TokenRefused
from tenantclosure.gateways.http import connections
from tenantclosure.gateways.tokens import EntraTokens
from tenantclosure.settings import Settings

from .conftest import ScriptedServer, settings_for
from .simulated import Simulated

HOME = "d0000000-0000-4000-8000-00000000000a"
APP = "a0000000-0000-4000-8000-00000000000b"
OURS, OTHERS = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
PEM = OURS.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_set(*ids: str, key: rsa.RSAPrivateKey = OURS) -> dict[str, Any]:
    """A key set as Entra publishes it, with things in it that are no signing keys of ours."""
    row = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"use": "sig"}
    row.pop("key_ops", None)
    odd = [{"kty": "EC", "kid": "ec"}, {**row, "use": "enc", "kid": "enc"}, {"kty": "RSA", "kid": "bare"}, 7, row]
    return {"keys": [*odd, *({**row, "kid": name} for name in ids)]}


def part(value: Any) -> str:
    return (
        base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode())
        .rstrip(b"=")
        .decode()
    )


def claims_for(login: str, **changes: Any) -> dict[str, Any]:
    """A person's v2.0 claims, changed; a change to None leaves the claim out."""
    now = int(time.time())
    good = {"aud": APP, "iss": f"{login}/{HOME}/v2.0", "tid": HOME, "oid": "o", "nbf": now, "exp": now + 600}
    return {name: value for name, value in (good | changes).items() if value is not None}


def sign(claims: dict[str, Any], *, key: Any = OURS, kid: str | None = "k1", algorithm: str = "RS256") -> str:
    """A signed token whatever the claims are; jwt.encode would refuse odd ones."""
    return jwt.api_jws.encode(json.dumps(claims).encode(), key, algorithm, {} if kid is None else {"kid": kid})


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def hand() -> Hand:
    """A clock moved by hand."""
    return Hand()


@pytest_asyncio.fixture
async def tokens(server: ScriptedServer, hand: Hand) -> AsyncIterator[EntraTokens]:
    """The reader before a scripted key endpoint that knows k1."""
    settings = settings_for(server.url, CLOSURE_HOME_TENANT_ID=HOME, CLOSURE_CLIENT_ID=APP)
    server.script = lambda seen: key_set("k1")
    yield EntraTokens(settings, hand)
    await connections(settings).close()


async def refusal(tokens: EntraTokens, token: str) -> str:
    """The word with which a token is refused; the token is in no text on the way."""
    with pytest.raises(TokenRefused) as caught:
        await tokens.claims(token)
    assert not token or token not in "".join(traceback.format_exception(caught.value))
    return caught.value.reason


@pytest.mark.simulator
async def test_the_simulators_tokens(home: Simulated) -> None:
    """A person's v2.0 and an app's v1.0 token of the hosting tenant are good, over TLS; other audiences are not."""
    settings, ready = home.settings(), home.ready
    reader = EntraTokens(settings)
    ann = home.sim("user-token", {"upn": "ann@fabrikam.com", "roles": ["Approver"]})["token"]
    app = {"tenantId": ready["homeTenantId"], "appId": ready["flowClientId"], "roles": ["Callback"]}
    flow = home.sim("token", {**app, "audience": f"api://{ready['clientId']}"})["token"]
    try:
        person, machine = await reader.claims(ann), await reader.claims(flow)
        assert ("ann@fabrikam.com", ["Approver"], None) == (
            person["preferred_username"],
            person["roles"],
            person.get("idtyp"),
        )
        assert (ready["flowClientId"], "app") == (machine["appid"], machine["idtyp"])
        assert "audience" == await refusal(reader, ready["homeToken"])
        elsewhere = home.sim("token", {"tenantId": ready["tenantId"], "audience": ready["clientId"]})["token"]
        assert "issuer" == await refusal(reader, elsewhere)
        old = home.sim("user-token", {"upn": "ann@fabrikam.com", "expiresIn": -120})["token"]
        assert "expired" == await refusal(reader, old)
        assert "signature" == await refusal(reader, ann[:-8] + "AAAAAAAA")
    finally:
        await connections(settings).close()


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"aud": f"api://{APP}"},
        {"iss": f"https://sts.windows.net/{HOME}/"},
        {"tid": HOME.upper()},
        {"exp": lambda: int(time.time()) - 30},
        {"nbf": lambda: int(time.time()) + 45},
    ],
)
async def test_good_tokens(tokens, server, change) -> None:
    """Both audiences, both issuers, and a minute of leeway either way."""
    # Reckoned now: tests are collected long before they run.
    claims = claims_for(server.url, **{name: value() if callable(value) else value for name, value in change.items()})
    assert claims == await tokens.claims(sign(claims))
    assert [f"/{HOME}/discovery/v2.0/keys"] == [seen.path for seen in server.seen]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"aud": "https://graph.microsoft.com"}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": []}, "audience"),
        ({"aud": 7}, "audience"),
        ({"iss": f"https://sts.windows.net/{APP}/"}, "issuer"),
        ({"iss": f"https://login.microsoftonline.com/{HOME}/v2.0"}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"iss": [f"https://sts.windows.net/{HOME}/"]}, "issuer"),
        ({"tid": APP}, "tenant"),
        ({"tid": None}, "tenant"),
        ({"exp": 1}, "expired"),
        ({"exp": int(time.time()) - 90}, "expired"),
        ({"exp": None}, "expired"),
        ({"nbf": int(time.time()) + 600}, "expired"),
        ({"nbf": None}, "expired"),
        ({"exp": "soon"}, "malformed"),
        ({"exp": float("inf")}, "malformed"),
    ],
)
async def test_wrong_claims(tokens, server, change, reason) -> None:
    """Every claim that binds a token to us is needed and checked."""
    assert reason == await refusal(tokens, sign(claims_for(server.url, **change)))


async def test_wrong_signatures(tokens, server) -> None:
    """Another key, no algorithm, the public key as HMAC secret, another RSA form, no key id: all refused alike."""
    claims = claims_for(server.url)
    head = part({"alg": "HS256", "typ": "JWT", "kid": "k1"}) + "." + part(claims)
    forged = head + "." + part(hmac.new(PEM, head.encode(), hashlib.sha256).digest())
    bad = [
        sign(claims, key=OTHERS),
        sign(claims, algorithm="RS512"),
        sign(claims, algorithm="PS256"),
        sign(claims, kid=None),
        part({"alg": "none", "kid": "k1"}) + "." + part(claims) + ".",
        part({"alg": "none"}) + "." + part(claims) + ".",
        part({"alg": "RS256", "kid": "k1"}) + "." + part(claims) + ".",
        forged,
        sign(claims, kid="enc"),
        sign(claims, kid="bare"),
    ]
    assert ["signature"] * len(bad) == [await refusal(tokens, token) for token in bad]


async def test_keys_inside_the_token_count_for_nothing(tokens, server) -> None:
    """A token that brings its own key, or says where to fetch one, is checked with Entra's keys all the same."""
    own = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(OTHERS.public_key()))
    headers = {"kid": "k1", "jwk": own, "jku": f"{server.url}/mine", "x5u": f"{server.url}/mine"}
    token = jwt.encode(claims_for(server.url), OTHERS, algorithm="RS256", headers=headers)
    assert "signature" == await refusal(tokens, token)
    assert 1 == len(server.seen)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "opaque",
        "a.b.c",
        "..",
        "ä.ö.ü",
        "\ud800",
        "x" * 16_385,
        part([1]) + ".e30.",
        part(b"[" * 12_000) + ".e30.x",
        part({"alg": "RS256", "kid": 7}) + ".e30.x",
        part({"alg": "RS256", "kid": None}) + ".e30.x",
    ],
)
async def test_malformed_tokens(tokens, server, token) -> None:
    """What is no token is refused before any key is asked for."""
    assert await refusal(tokens, token) in ("malformed", "signature")
    assert [] == server.seen


async def test_an_oversized_token_is_not_read(tokens, server) -> None:
    """A good signature does not make 16 kB too much all right."""
    assert "malformed" == await refusal(tokens, sign(claims_for(server.url, groups=["g" * 36] * 400)))
    assert await tokens.claims(sign(claims_for(server.url, groups=["g" * 36] * 200)))


async def test_one_fetch_for_many_callers(tokens, server) -> None:
    """Fifty callers at once, and everybody after them for a day, cost one request for keys."""
    token = sign(claims_for(server.url))
    await asyncio.gather(*(tokens.claims(token) for _ in range(50)))
    await tokens.claims(token)
    assert 1 == len(server.seen)


async def test_keys_are_read_again_after_a_day(tokens, server, hand) -> None:
    """A key that Entra took back is not good for ever."""
    token = sign(claims_for(server.url))
    await tokens.claims(token)
    server.script = lambda seen: key_set("k2")
    hand.time += 86_399
    await tokens.claims(token)
    hand.time += 1
    assert "signature" == await refusal(tokens, token)


async def test_an_unknown_key_is_asked_for_at_most_once_a_minute(tokens, server, hand) -> None:
    """New keys are found at once, made-up ones cost one request a minute whoever sends how many."""
    await tokens.claims(sign(claims_for(server.url)))
    hand.time += 61
    unknown = [sign(claims_for(server.url), kid=f"made-up-{n}") for n in range(20)]
    assert ["signature"] * 20 == await asyncio.gather(*(refusal(tokens, token) for token in unknown))
    assert 2 == len(server.seen)
    server.script = lambda seen: key_set("k2", key=OTHERS)
    fresh = sign(claims_for(server.url), key=OTHERS, kid="k2")
    hand.time += 59
    assert "signature" == await refusal(tokens, fresh)
    hand.time += 1
    assert APP == (await tokens.claims(fresh))["aud"]
    assert 3 == len(server.seen)


@pytest.mark.parametrize(
    "said",
    [None, (500, {}), (429, {}), (404, {}), (302, {}), (200, []), (200, {}), (200, {"keys": []}), (200, {"keys": "k"})],
)
async def test_keys_that_cant_be_read(tokens, server, caplog, said) -> None:
    """Without keys nothing is known about a token: trouble, not a refusal; the next caller tries again."""
    caplog.set_level(logging.DEBUG)
    token = sign(claims_for(server.url))
    server.script = lambda seen: said
    found = await asyncio.gather(*(tokens.claims(token) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(error, ServiceTrouble) for error in found)
    assert 1 == len(server.seen)
    shown = "".join(traceback.format_exception(found[0])) + caplog.text  # type: ignore[arg-type]
    assert token not in shown
    server.script = lambda seen: key_set("k1")
    assert APP == (await tokens.claims(token))["aud"]


async def test_a_caller_who_gives_up_takes_nobody_along(tokens, server) -> None:
    """The others still get the keys that the first one asked for."""
    go_on = asyncio.Event()

    async def slowly(seen: object) -> object:
        await go_on.wait()
        return key_set("k1")

    server.script = slowly
    token = sign(claims_for(server.url))
    first, second = (asyncio.create_task(tokens.claims(token)) for _ in range(2))
    await asyncio.sleep(0.1)
    first.cancel()
    await asyncio.sleep(0)
    go_on.set()
    assert APP == (await second)["aud"]
    assert 1 == len(server.seen)


@pytest.mark.parametrize(
    ("cloud", "issuers"),
    [
        ("global", [f"https://login.microsoftonline.com/{HOME}/v2.0", f"https://sts.windows.net/{HOME}/"]),
        ("usgov", [f"https://login.microsoftonline.us/{HOME}/v2.0", f"https://sts.windows.net/{HOME}/"]),
        ("usgov-dod", [f"https://login.microsoftonline.us/{HOME}/v2.0", f"https://sts.windows.net/{HOME}/"]),
        ("china", [f"https://login.partner.microsoftonline.cn/{HOME}/v2.0", f"https://sts.chinacloudapi.cn/{HOME}/"]),
    ],
)
def test_issuers_of_the_clouds(cloud, issuers) -> None:
    """Each national cloud names its issuers in its own way."""
    names = {"CLOSURE_CLOUD": cloud, "CLOSURE_CLIENT_ID": APP, "CLOSURE_HOME_TENANT_ID": HOME}
    names["CLOSURE_IDENTITY_CLIENT_ID"] = "identity"
    assert issuers == EntraTokens(Settings.model_validate(names))._issuers
