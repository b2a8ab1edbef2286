"""Sign-in and what stands around it: people, the view from outside, signing keys, token endpoint, callers' tokens."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tenantclosure.errors import ServiceTrouble, TokenRefused
from tenantclosure.gateways.answers import answer_of, error_of, request_id_of
from tenantclosure.gateways.http import retry_after
from tenantclosure.gateways.identity import Credentials, identity_of
from tenantclosure.gateways.outside import OutsideView
from tenantclosure.gateways.people import HomeDirectory
from tenantclosure.gateways.tokens import EntraTokens
from tests.fuzz.microsoft import HOME, TENANT, Bench, Said
from tests.fuzz.rig import BODIES, JUNK, TEXTS, Body, encoded, fuzz, spoiled
from tests.gateways.microsoft.test_tokens import claims_for, key_set, part, sign

pytestmark = pytest.mark.slow

ROW = {
    "id": "0A",
    "userPrincipalName": "Ann@fabrikam.com",
    "displayName": "Ann",
    "mail": "ann@fabrikam.com",
    "accountEnabled": True,
    "userType": "Member",
}


@fuzz(40)
@given(spoiled(ROW) | BODIES, st.sampled_from([200, 200, 200, 204, 400, 401, 403, 404, 500]))
def test_an_approver_is_read_whole_or_not(bench: Bench, row: Any, status: int) -> None:
    """An account bears the asked name and says whether it is enabled; nobody is made up from half an answer."""
    bench.always(Said(b"" if status == 204 else row if isinstance(row, bytes) else encoded(row), status))
    found = bench.outcome(HomeDirectory(bench.settings, bench.credentials).find("ann@fabrikam.com"), ServiceTrouble)
    if isinstance(found, ServiceTrouble) or found is None:
        return
    assert 200 == status
    assert "ann@fabrikam.com" == found.upn.casefold()
    assert row["accountEnabled"] is found.enabled
    assert row["id"].lower() == found.object_id
    assert all(isinstance(text, str) for text in (found.name, found.mail))


ALIVE = {"issuer": f"https://login/{TENANT}/v2.0"}
GONE = {"error": "invalid_tenant", "error_codes": [90002]}


@fuzz(20)
@example(body=Body(b"[" * 60_000), status=400, where="x")
@example(body=b"{}", status=302, where="http://[")
@given(
    spoiled(ALIVE) | spoiled(GONE) | BODIES,
    st.sampled_from([200, 400, 404, 429, 500, 302]),
    st.sampled_from(["x", "http://[", "http://a:b/", "//", "http://\x7f/"]),
)
def test_gone_and_alive_need_their_full_proof(bench: Bench, body: Any, status: int, where: str) -> None:
    """Everything else, whatever it is, is unknown; a redirect is followed nowhere."""
    bench.always(Said(body if isinstance(body, bytes) else encoded(body), status, (("Location", where),)))
    seen = bench.run(OutsideView(bench.settings, TENANT).sighting())

    if seen == "gone":
        assert 400 == status
        codes = body.get("error_codes")
        assert body.get("error") == "invalid_tenant" or (isinstance(codes, list) and 90002 in codes)
    elif seen == "alive":
        assert 200 == status and TENANT in str(body["issuer"]).lower()
    else:
        assert "unknown" == seen


@fuzz(30)
@example(keys=Body(b"[" * 60_000))
@example(keys={"keys": [{"kty": "RSA", "kid": "k1", "use": "sig", "n": 5, "e": "AQAB"}]})
@example(keys={"keys": [{"kty": "RSA", "kid": "k1", "use": "sig", "n": "AQAB", "e": "AQ"}]})
@given(spoiled(key_set("k1", "k2")) | BODIES)
def test_odd_signing_keys_never_make_a_token_good_or_break_the_door(bench: Bench, keys: Any) -> None:
    """A token of a key that was read stands or falls by it; without keys nobody comes in, and that is trouble."""
    bench.always(Said(keys if isinstance(keys, bytes) else encoded(keys)))
    reader = EntraTokens(bench.settings)
    good = sign(_claims(bench))
    found = bench.outcome(reader.claims(good), ServiceTrouble, TokenRefused)

    if not isinstance(found, Exception):
        assert any(isinstance(row, dict) and row.get("kid") == "k1" for row in keys["keys"])
    # Another key's token under the same name is never good.
    forged = bench.outcome(reader.claims(good[:-8] + "AAAAAAAA"), ServiceTrouble, TokenRefused)
    assert isinstance(forged, Exception)


def test_the_good_token_is_good(bench: Bench) -> None:
    """What is spoiled above is a key set that works."""
    bench.always(Said.of(key_set("k1", "k2")))
    claims = _claims(bench)

    assert claims == bench.run(EntraTokens(bench.settings).claims(sign(claims)))


def _claims(bench: Bench) -> dict[str, Any]:
    login = bench.settings.endpoint("login")
    return claims_for(login, aud=bench.settings.client_id, iss=f"{login}/{HOME}/v2.0", tid=HOME)


def _token(header: bytes, payload: bytes = b"{}") -> str:
    return f"{part(header)}.{part(payload)}.AAAA"


@fuzz(40)
@example(header=Body(b"[" * 11_000))
@example(header=Body(b'{"alg":"RS256","kid":"k1","x":' + b"[" * 10_000))
@given(BODIES | spoiled({"alg": "RS256", "kid": "k1", "typ": "JWT"}).map(encoded))
def test_any_header_of_a_token_is_refused_with_a_word(bench: Bench, header: bytes) -> None:
    """Callers write what they like there."""
    bench.always(Said.of(key_set("k1")))
    found = bench.outcome(EntraTokens(bench.settings).claims(_token(header)), TokenRefused)

    assert isinstance(found, TokenRefused)


@fuzz(40)
@example(payload=Body(b"[" * 60_000))
@given(BODIES | spoiled({"tid": TENANT, "appid": "a", "oid": "o", "roles": ["r"], "exp": 1}).map(encoded))
def test_our_own_token_names_a_tenant_or_is_trouble(payload: bytes) -> None:
    """Whatever the payload is: an identity of text, or ServiceTrouble."""
    token = f"e30.{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}."
    try:
        found = identity_of(token)
    except ServiceTrouble as error:
        assert token not in str(error)
        return
    assert found.tenant_id == found.tenant_id.lower() != ""
    assert found.roles is not None and all(isinstance(role, str) for role in found.roles)


@fuzz(74)
@given(JUNK | st.fixed_dictionaries({"error": JUNK | st.fixed_dictionaries({"code": JUNK, "innerError": JUNK})}))
def test_any_error_body_becomes_three_short_texts(body: Any) -> None:
    """Code, message and request id of Graph, ARM and Partner Center; whatever else stands there is left out."""
    texts = error_of(body)
    answer = answer_of("id", 400, {"Retry-After": str(body)[:50]}, body)

    assert all(isinstance(text, str) and len(text) <= 500 for text in (*texts, answer.code, answer.message))


@fuzz(74)
@example(text="1e300")
@example(text="9" * 5000)
@example(text="inf")
@given(TEXTS | st.floats().map(str) | st.integers().map(str))
def test_a_wait_is_a_time_that_a_timer_can_hold(text: str) -> None:
    """Retry-After gives seconds from none to a day, or nothing."""
    wait = retry_after({"retry-AFTER": text})

    assert wait is None or 0 <= wait <= 86_400
    assert isinstance(request_id_of({"Request-Id": text}), str)


@fuzz(16)
@example(which="token", said={"access_token": None, "token_type": "Bearer", "expires_in": 3600}, status=200)
@given(
    st.sampled_from(["configuration", "token", "neither"]),
    spoiled({"access_token": "t", "token_type": "Bearer", "expires_in": 3600})
    | spoiled({"error": "invalid_client", "error_description": "AADSTS700016: x", "error_codes": [700016]})
    | BODIES,
    st.sampled_from([200, 400, 401, 500]),
)
def test_any_answer_of_the_login_endpoint_gives_a_token_or_trouble(
    bench: Bench, which: str, said: Any, status: int
) -> None:
    """Configuration and token endpoint may say what they like: a text as token, or ServiceTrouble."""
    settings = bench.signing_in
    url = settings.endpoint("login")
    configuration = {
        "issuer": f"{url}/{TENANT}/v2.0",
        "authorization_endpoint": f"{url}/authorize",
        "token_endpoint": f"{url}/token",
    }
    token = {"access_token": "t", "token_type": "Bearer", "expires_in": 3600}
    odd = Said(said if isinstance(said, bytes) else encoded(said), status)

    def answer(request: Any, _: bytes) -> Said:
        if request.path.endswith("/token"):
            return odd if which == "token" else Said.of(token)
        return odd if which == "configuration" else Said.of(configuration)

    bench.script(answer)
    found = bench.outcome(Credentials(settings).token_for(TENANT, f"{url}/.default"), ServiceTrouble)

    assert isinstance(found, ServiceTrouble) or (isinstance(found, str) and found)
    assert which != "neither" or "t" == found
