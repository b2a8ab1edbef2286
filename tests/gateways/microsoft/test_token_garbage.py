"""Whatever bytes a caller sends as token: refused with one of the fixed words, nothing else happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenantclosure.errors import TokenRefused
from tenantclosure.gateways.http import connections
from tenantclosure.gateways.tokens import EntraTokens

from .conftest import settings_for
from .test_tokens import APP, HOME, claims_for, key_set, part, sign

WORDS = {"malformed", "signature", "expired", "audience", "issuer", "tenant"}
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
HEADERS = st.fixed_dictionaries({"alg": st.just("RS256"), "kid": st.just("k1")}, optional={"typ": JSONS, "crit": JSONS})
PARTS = st.one_of(st.binary(max_size=200).map(part), JSONS.map(part), HEADERS.map(part), st.text(max_size=50))
NAMES = st.sampled_from(["aud", "iss", "tid", "exp", "nbf", "iat", "sub", "jti"])


@pytest.fixture(scope="module")
def reason() -> Iterator[Callable[..., str]]:
    """Reads a token (or signs and reads claims) and gives the word of its refusal, "" when it is good."""
    with asyncio.Runner() as runner:

        async def keys(request: web.Request) -> web.Response:
            return web.json_response(key_set("k1"))

        async def start() -> tuple[web.AppRunner, str]:
            app = web.Application()
            app.router.add_get("/{tail:.*}", keys)
            served = web.AppRunner(app, access_log=None, shutdown_timeout=1)
            await served.setup()
            await web.TCPSite(served, "127.0.0.1", 0).start()
            return served, f"http://127.0.0.1:{served.addresses[0][1]}"

        served, url = runner.run(start())
        made = settings_for(url, CLOSURE_HOME_TENANT_ID=HOME, CLOSURE_CLIENT_ID=APP)
        reader = EntraTokens(made)

        async def read(token: str) -> str:
            try:
                await reader.claims(token)
            except TokenRefused as refused:
                return refused.reason
            return ""

        def ask(token: str | None = None, **changes: object) -> str:
            return runner.run(read(sign(claims_for(url, **changes)) if token is None else token))

        assert ask() == ""
        yield ask
        runner.run(connections(made).close())
        runner.run(served.cleanup())


QUIET = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.slow
@QUIET
@given(text=st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")))
def test_any_text(reason: Callable[..., str], text: str) -> None:
    """No text that is no token passes, or raises anything but a refusal."""
    assert reason(text) in {"malformed", "signature"}


@pytest.mark.slow
@QUIET
@given(parts=st.lists(PARTS, min_size=2, max_size=4))
def test_any_parts(reason: Callable[..., str], parts: list[str]) -> None:
    """Nor does anything that looks like a token, with a header of ours before it or not."""
    assert reason(".".join(parts)) in {"malformed", "signature"}


@pytest.mark.slow
@QUIET
@given(name=NAMES, value=JSONS)
def test_any_claim(reason: Callable[..., str], name: str, value: object) -> None:
    """Even signed with the right key, odd values end in a fixed word; only a good value passes."""
    found = reason(**{name: value})
    harmless = name in ("sub", "jti", "iat") or (name in ("exp", "nbf") and value is not None)
    assert found in WORDS | ({""} if harmless else set())
