"""Failing services that know our secrets: none of them stands in a log record, an error or on the terminal."""

from __future__ import annotations

import json
import logging
import socket
import traceback
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tenantclosure import redaction
from tenantclosure.gateways.arm import ArmBilling
from tenantclosure.gateways.http import connections
from tenantclosure.gateways.identity import Credentials
from tenantclosure.gateways.mail_graph import GraphMailer
from tenantclosure.gateways.mail_smtp import SmtpMailer
from tenantclosure.gateways.records import AzureRecords, faults
from tenantclosure.gateways.teams import TeamsChannel
from tenantclosure.model.mail import Mail
from tenantclosure.wiring import build
from web.problems import document_of

from .conftest import TENANT, ScriptedServer, jwt, settings_for

MARK = "s3cretMark"
"""Stands in everything that is secret here."""
SIGNATURE = f"{MARK}%2BSignature"
LINK = f"https://closure.fabrikam.com/approvals/{MARK}-of-ann-xxxxxxxxxxxxxxxxxxxx"
MAIL = Mail("ann@fabrikam.com", "Ann", "Approve", f"Open {LINK}", f'<a href="{LINK}">Open</a>', "n1@closure")
AWAY = "http://127.0.0.1:9"
"""Nobody listens there."""

Said = list[logging.LogRecord]
Fail = Callable[[Any], Awaitable[Any]]


def _token() -> str:
    return jwt(tid=TENANT, aud="x", exp=4_000_000_000, note=MARK) + MARK


@pytest.fixture
def said() -> Iterator[Said]:
    """Every log record of any library, at DEBUG, under the net that the app puts up."""
    records: Said = []
    handler = logging.Handler(logging.DEBUG)
    handler.emit = records.append  # type: ignore[method-assign]
    root, made = logging.getLogger(), logging.getLogRecordFactory()
    level = root.level
    redaction.install()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield records
    root.removeHandler(handler)
    root.setLevel(level)
    logging.setLogRecordFactory(made)
    redaction._known.clear()


def _quoting(seen: Any) -> Any:
    """An answer that repeats whatever it was told: query, headers, body."""
    told = {"query": seen.query, "headers": seen.headers, "body": seen.body}
    return 403, {"error": {"code": "Denied", "message": json.dumps(told), "innerError": told}}, {"Set-Cookie": MARK}


def _settings(url: str, **more: Any) -> Any:
    values = {"CLOSURE_STATIC_TOKEN": _token(), "CLOSURE_HOME_STATIC_TOKEN": _token(), "CLOSURE_HOME_TENANT_ID": TENANT}
    return settings_for(url, **{**values, **more})


async def _arm(url: str) -> None:
    settings = _settings(url)
    try:
        await ArmBilling(settings, Credentials(settings), TENANT).azure_subscriptions()
    finally:
        await connections(settings).close()


async def _teams(url: str) -> None:
    settings = _settings(url, CLOSURE_TEAMS_WEBHOOK=f"{url}/workflows/{MARK}/invoke?sig={SIGNATURE}")
    try:
        await TeamsChannel(settings).post({"type": "AdaptiveCard", "text": LINK})
    finally:
        await connections(settings).close()


async def _mail(url: str) -> None:
    settings = _settings(url, CLOSURE_MAIL_FROM="closure@fabrikam.com")
    try:
        await GraphMailer(settings, Credentials(settings)).send(MAIL)
    finally:
        await connections(settings).close()


async def _storage(url: str) -> None:
    signature = f"sv=2024-11-04&ss=bqt&srt=sco&sp=rwdlac&sig={SIGNATURE}"
    ends = ";".join(f"{kind}Endpoint={url}/account" for kind in ("Blob", "Queue", "Table"))
    records = AzureRecords(_settings(url, CLOSURE_STORAGE=f"{ends};SharedAccessSignature={signature}"))
    try:
        await records.read_blob("c/report.html")
    finally:
        await records.close()


async def _smtp(url: str) -> None:
    """A mail server that quotes the password in its refusal."""

    def refuse(server: Any, session: Any, envelope: Any, kind: str, data: LoginPassword) -> AuthResult:
        return AuthResult(success=False, handled=False, message=f"535 not with {data.password.decode()}")

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(object(), hostname="127.0.0.1", port=port, authenticator=refuse, auth_require_tls=False)
    controller.start()
    try:
        login = {"CLOSURE_SMTP_USER": "closure", "CLOSURE_SMTP_PASSWORD": f"word-{MARK}"}
        sender = {"CLOSURE_SMTP": f"127.0.0.1:{port}", "CLOSURE_MAIL_FROM": "closure@fabrikam.com"}
        await SmtpMailer(_settings(url, **sender, **login)).send(MAIL)
    finally:
        controller.stop()


FAILING: dict[str, Fail] = {"arm": _arm, "teams": _teams, "mail": _mail, "storage": _storage, "smtp": _smtp}


def _written(record: logging.LogRecord) -> str:
    return logging.Formatter("%(name)s %(message)s").format(record) + str(record.args) + str(record.msg)


def _theirs(record: logging.LogRecord) -> bool:
    """Whether the mail server of this test wrote it, which is another program in life."""
    return record.name.startswith("mail.")


@pytest.mark.parametrize("answer", ["refused", "garbage", "away"])
@pytest.mark.parametrize("service", FAILING)
async def test_a_failing_service_gives_nothing_away(
    server: ScriptedServer,
    said: Said,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    service: str,
    answer: str,
) -> None:
    """Refused with everything quoted, an answer nobody can read, no answer: the error and its causes, the problem
    document, each log record at DEBUG and both streams are free of token, signature, password and link.
    """
    monkeypatch.setattr(faults, "PAUSES", (0.0, 0.0))
    server.script = _quoting if answer == "refused" else lambda seen: (200, "garbage", {"x-told": seen.query})
    try:
        await FAILING[service](AWAY if answer == "away" else server.url)
    except Exception as error:
        told = "".join(traceback.format_exception(error)) + json.dumps(document_of(error))
    else:
        told = ""
    shown = "".join(capfd.readouterr())

    assert told or (service, answer) in {("teams", "garbage"), ("mail", "garbage")}
    assert MARK not in told
    assert [] == [text for text in (_written(record) for record in said if not _theirs(record)) if MARK in text]
    assert MARK not in shown


def test_the_deployments_own_secrets_are_known(said: Said) -> None:
    """Once parts are made, a setting that is a secret goes wherever it is quoted, also out of its usual form."""
    words = {"CLOSURE_SMTP": "127.0.0.1:25", "CLOSURE_MAIL_FROM": "a@fabrikam.com", "CLOSURE_SMTP_USER": "closure"}
    words["CLOSURE_STORAGE"] = "UseDevelopmentStorage=true"
    build(_settings(AWAY, **words, CLOSURE_SMTP_PASSWORD=f"word {MARK}", CLOSURE_TEAMS_WEBHOOK=f"{AWAY}/{MARK}"))
    logging.getLogger("a.library").error("said word %s to %s/%s", MARK, AWAY, MARK)

    assert [f"said {redaction.BLACK} to {redaction.BLACK}"] == [record.getMessage() for record in said]
