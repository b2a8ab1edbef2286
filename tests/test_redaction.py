"""What is a secret, or looks like one, is blacked out in every log record; what is none stays readable."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator

import pytest

from tenantclosure import redaction
from tenantclosure.redaction import BLACK, PERSON, redacted
from tenantclosure.telemetry import lines
from tests.test_house import ROOT

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhcHAifQ.c2lnbmF0dXJlLXNlY3JldA"
SECRETS = {
    "https://closure.blob.core.windows.net/records/a?sv=2024-11-04&sr=b&sig=SECRET%2Fabc%3D&se=2030": "SECRET",
    "https://prod-1.westeurope.logic.azure.com:443/workflows/SECRET/triggers/manual?api-version=1&sig=SECRET": "SECRET",
    "https://default0f.0f.environment.api.powerplatform.com:443/powerautomate/automations/SECRET?sig=x": "SECRET",
    "https://fabrikam.webhook.office.com/webhookb2/SECRET@home/IncomingWebhook/SECRET": "SECRET",
    "GET /runtime/webhooks/durabletask/instances/x?taskHub=T&code=SECRETSECRET==": "SECRET",
    "DefaultEndpointsProtocol=https;AccountName=c;AccountKey=SECRETkey+/==;EndpointSuffix=core.windows.net": "SECRET",
    "BlobEndpoint=https://c.blob.core.windows.net;SharedAccessSignature=sv=2024&sig=SECRET": "SECRET",
    "Endpoint=sb://x/;SharedAccessKeyName=k;SharedAccessKey=SECRET=": "SECRET",
    "Authorization: Bearer SECRETopaque-token": "SECRET",
    "authorization: SharedKey closure:SECRETsignature=": "SECRET",
    "sent header (b'Set-Cookie', b'closure-csrf=SECRET; Path=/')": "SECRET",
    "{'Cookie': 'AppServiceAuthSession=SECRET', 'Accept': '*/*'}": "SECRET",
    "{'X-MS-CLIENT-PRINCIPAL': 'SECRETprincipal'}": "SECRET",
    f"the token {JWT} was refused": "c2lnbmF0dXJlLXNlY3JldA",
    f"(b'x', b'{JWT}')": "eyJhdWQiOiJhcHAifQ",
    '{"access_token":"SECRET","token_type":"Bearer"}': "SECRET",
    "grant_type=client_credentials&client_assertion=SECRET&client_id=app": "SECRET",
    "{'client_secret': 'SECRET'}": "SECRET",
    "smtp login with password=SECRET failed": "SECRET",
    "smtp://closure:SECRET@mail.fabrikam.com:587": "SECRET",
    "GET https://closure.fabrikam.com/approvals/SECRET-of-ann-xxxxxxxxxxxxxxxxxxxxxxxxx answered 500": "SECRET",
    "-----BEGIN PRIVATE KEY-----\nSECRET\nSECRET\n-----END PRIVATE KEY-----": "SECRET",
    "-----BEGIN RSA PRIVATE KEY-----\nSECRET, cut": "SECRET",
}
HARMLESS = (
    "deleting users of 0b0a1c2d-0000-4000-8000-000000000001-1, shard 3: HTTP 403 code Authorization_RequestDenied",
    '{"error": {"code": "Authorization_RequestDenied", "message": "Insufficient privileges"}}',
    "AADSTS700016: our application is not in the tenant",
    "GET /v1.0/users?$select=id,displayName&$top=999&$skiptoken=abc answered 503",
    "digest sha256 0f343b0931126a20f133d67c2b018a3b0f343b0931126a20f133d67c2b018a3b",
    "key=users serial=2 token refused: expired",
    "the server wants basic authentication, or a bearer token",
    "https://closure.fabrikam.com/closures/0b0a1c2d-0000-4000-8000-000000000001-1/gates/plan",
    "approved at https://closure.fabrikam.com:443/closures",
    "package azurite@3.35.0, extension bundle @ 4, 5@6.7",
    "DELETE /v1.0/domains/contoso.onmicrosoft.com: HTTP 503",
)
PEOPLE = {
    "GET /v1.0/users/olga%40fabrikam.com: no answer (ConnectError)": "GET /v1.0/users/{}: no answer (ConnectError)",
    "ann@fabrikam.com approved at https://closure.fabrikam.com": "{} approved at https://closure.fabrikam.com",
    "no mail to 'o'hara.b-c@mail.fabrikam.co.uk'.": "no mail to '{}'.",
    "<ann+closure@xn--bcher-kva.de>, zoë@bücher.de; next": "<{}>, {}; next",
    "/users/bob_gmail.com%23EXT%23%40contoso.onmicrosoft.com?x": "/users/{}?x",
    "guest bob_gmail.com#EXT#@contoso.onmicrosoft.com.": "guest {}.",
    "{'userPrincipalName': 'ann@fabrikam.com', 'mail': None}": "{'userPrincipalName': '{}', 'mail': None}",
}


@pytest.fixture
def net() -> Iterator[None]:
    """The net as the app has it; taken away afterwards, with the secrets it knew."""
    before = logging.getLogRecordFactory()
    redaction.install()
    yield
    logging.setLogRecordFactory(before)
    redaction._known.clear()


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_blacked_out(text: str) -> None:
    """Tokens, keys, signatures, webhooks, passwords and links go, and what was said about them stays."""
    safe = redacted(text)

    assert SECRETS[text] in text and SECRETS[text] not in safe
    assert BLACK in safe
    assert safe == redacted(safe)


@pytest.mark.parametrize("text", HARMLESS)
def test_the_rest_stays_readable(text: str) -> None:
    """Ids, codes, digests, hosts and sentences are what a log is for."""
    assert text == redacted(text)


@pytest.mark.parametrize("text", PEOPLE)
def test_nobody_is_named(text: str) -> None:
    """An address is blacked out whole, in a sentence, a path or a document; nothing beside it is."""
    safe = redacted(text)

    assert PEOPLE[text].replace("{}", PERSON) == safe
    assert safe == redacted(safe)


@pytest.mark.usefixtures("net")
def test_a_known_secret_goes_wherever_it_stands(caplog: pytest.LogCaptureFixture) -> None:
    """A password looks like any word; the deployment's own are known."""
    redaction.know(["correct horse", "", "abc"])
    logging.getLogger("smtplib").error("535 no such login: correct horse (abc)")

    assert [f"535 no such login: {BLACK} (abc)"] == [record.getMessage() for record in caplog.records]


@pytest.mark.usefixtures("net")
def test_every_record_passes_the_net(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever logs it: in the text, in its arguments, in an exception and what caused it, in a stack."""
    caplog.set_level(logging.DEBUG)
    log = logging.getLogger("somebody.else")
    try:
        try:
            raise ValueError("GET https://x/?sig=SECRET")
        except ValueError as error:
            raise RuntimeError("password=SECRET") from error
    except RuntimeError:
        log.exception("failed at %s", "https://x/?sig=SECRET")
    log.debug("headers: %r", {"Authorization": "SECRET"}, stack_info=True)
    log.info("wrong %d arguments ?sig=SECRET", "https://x/?sig=SECRET")

    assert "SECRET" not in caplog.text
    assert "ValueError" in caplog.text and "RuntimeError" in caplog.text
    assert 3 == len(caplog.records)


@pytest.mark.usefixtures("net")
def test_a_harmless_record_stays_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """Exporters find message, arguments and exception apart, as they were given."""
    error = ValueError("plain")
    logging.getLogger("ours").warning("closure %s waits", "c-1", exc_info=error)
    (record,) = caplog.records

    assert ("closure %s waits", ("c-1",)) == (record.msg, record.args)
    assert record.exc_info is not None and error is record.exc_info[1]


@pytest.mark.usefixtures("net")
def test_the_net_is_put_up_once() -> None:
    """A second call changes nothing, also after somebody else put a factory around ours."""
    lines.install()
    first = logging.getLogRecordFactory()
    redaction.install()

    assert first is logging.getLogRecordFactory()
    assert f"?sig={BLACK}" == first("a", logging.INFO, "a.py", 1, "?sig=SECRET", (), None).getMessage()


def test_the_app_has_the_net() -> None:
    """Loading the function app is enough, whoever hosts it."""
    body = ast.parse((ROOT / "function_app.py").read_text(encoding="utf-8")).body

    assert "redaction.install()" in [ast.unparse(node) for node in body]
