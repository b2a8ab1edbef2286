"""Mail through SMTP against a real server: both forms arrive, TLS is not optional, and secrets stay where they are."""

from __future__ import annotations

import dataclasses
import email.policy
import logging
import socket
import ssl
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from simulator import tls
from tenantclosure.errors import ServiceTrouble, Undeliverable
from tenantclosure.gateways import mail_smtp
from tenantclosure.gateways.mail_smtp import SmtpMailer
from tenantclosure.model.mail import Mail
from tenantclosure.settings import Settings

LINK = "https://closure.example.com/approvals/secret-of-ann"
PASSWORD = "secret-password"
MAIL = Mail(
    to="ann@fabrikam.com",
    to_name="Ann Ädler",
    subject="Approve Contöso",
    text=f"Bitte prüfen: {LINK}\n.\nEnd",
    html=f'<p>Bitte <a href="{LINK}">prüfen</a></p>',
    message_id="plan-001-ask@closure.example.com",
)


class Postbox:
    """Keeps what arrives, or answers RCPT or DATA with the words given."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.says: dict[str, str] = {}
        self.logins: list[tuple[bytes, bytes]] = []
        self.encrypted: list[bool] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "RCPT" in self.says:
            return self.says["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if "DATA" in self.says:
            return self.says["DATA"]
        self.encrypted.append(session.ssl is not None)
        self.envelopes.append(envelope)
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(email.message_from_bytes(content, policy=email.policy.default))
        return "250 OK"

    def login(self, server: SMTP, session: Session, envelope: Envelope, kind: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data == LoginPassword(b"closure", PASSWORD.encode()), handled=False)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tls.Certificates:
    """A throw-away certificate for 127.0.0.1."""
    return tls.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def postbox() -> Postbox:
    """Where the mails arrive."""
    return Postbox()


Start = Callable[..., SmtpMailer]


@pytest.fixture
def start(postbox: Postbox, certificates: tls.Certificates) -> Iterator[Start]:
    """Starts a mail server, with STARTTLS unless told otherwise, and gives a mailer for it."""
    with ExitStack() as stack:

        def begin(host: str = "127.0.0.1", context: ssl.SSLContext | None = None, **options: Any) -> SmtpMailer:
            user = options.pop("user", "")
            ca_file = options.pop("ca_file", certificates.ca_file)
            controller = Controller(
                postbox,
                hostname=host,
                port=free_port(host),
                tls_context=context,
                authenticator=postbox.login,
                auth_require_tls=context is not None,
                **options,
            )
            controller.start()
            stack.callback(controller.stop)
            return SmtpMailer(settings_for(f"{host}:{controller.port}", user, ca_file))

        yield begin


def free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def settings_for(server: str, user: str = "", ca_file: Path | None = None) -> Settings:
    names = {
        "CLOSURE_CREDENTIAL": "federated",
        "CLOSURE_IDENTITY_CLIENT_ID": "identity",
        "CLOSURE_CLIENT_ID": "app",
        "CLOSURE_HOME_TENANT_ID": "home",
        "CLOSURE_MAIL_FROM": "closure@fabrikam.com",
        "CLOSURE_SMTP": server,
        "CLOSURE_SMTP_USER": user,
        "CLOSURE_SMTP_PASSWORD": PASSWORD if user else "",
        "CLOSURE_CA_FILE": ca_file,
    }
    return Settings.model_validate(names)


async def refusal(mailer: SmtpMailer, kind: type[Exception], caplog: pytest.LogCaptureFixture) -> str:
    """The text of the error that sending ends in; neither it, its causes nor our log hold a secret."""
    with pytest.raises(kind) as caught:
        await mailer.send(MAIL)
    # aiosmtpd, the server, runs in this process too and writes what it got.
    ours = [record.getMessage() for record in caplog.records if record.name != "mail.log"]
    assert "secret" not in "".join(traceback.format_exception(caught.value)) + "".join(ours)
    return str(caught.value)


async def test_html_and_text_arrive_under_tls(start: Start, postbox: Postbox, certificates) -> None:
    """One addressee, both forms, our message id, signed in, and encrypted all the way."""
    mailer = start(context=certificates.server_context, user="closure", require_starttls=True, auth_required=True)
    await mailer.send(MAIL)
    (mail,), (envelope,) = postbox.mails, postbox.envelopes
    assert ("closure@fabrikam.com", ["ann@fabrikam.com"]) == (envelope.mail_from, envelope.rcpt_tos)
    assert ("closure@fabrikam.com", "Ann Ädler <ann@fabrikam.com>") == (mail["From"], mail["To"])
    assert (MAIL.subject, f"<{MAIL.message_id}>") == (mail["Subject"], mail["Message-ID"])
    assert "auto-generated" == mail["Auto-Submitted"]
    assert mail["Date"].datetime.tzinfo is not None
    assert "multipart/alternative" == mail.get_content_type()
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None and html is not None
    assert MAIL.text == text.get_content().replace("\r\n", "\n").rstrip("\n")
    assert MAIL.html == html.get_content().strip()
    assert [True] == postbox.encrypted
    assert [(b"closure", PASSWORD.encode())] == postbox.logins


async def test_loopback_may_go_without_tls(start: Start, postbox: Postbox) -> None:
    """A rehearsal's mail server on this machine needs no certificate."""
    await start().send(MAIL)
    assert [False] == postbox.encrypted


async def test_elsewhere_tls_is_needed(start: Start, postbox: Postbox, caplog) -> None:
    """A server that offers no STARTTLS, or hides it, gets neither password nor mail."""
    caplog.set_level(logging.DEBUG)
    mailer = start(host="127.0.0.2", user="closure", auth_required=False)
    assert "STARTTLS" in await refusal(mailer, ServiceTrouble, caplog)
    assert ([], []) == (postbox.mails, postbox.logins)


async def test_a_strange_certificate_is_refused(start: Start, postbox: Postbox, certificates, caplog) -> None:
    """Without trust in the certificate's issuer nothing is sent."""
    caplog.set_level(logging.DEBUG)
    mailer = start(context=certificates.server_context, user="closure", ca_file=None)
    assert "SSLCertVerificationError" in await refusal(mailer, ServiceTrouble, caplog)
    assert ([], []) == (postbox.mails, postbox.logins)


@pytest.mark.parametrize(
    ("command", "words", "kind"),
    [
        ("RCPT", "550 no secret-of-ann here", Undeliverable),
        ("RCPT", "450 later", ServiceTrouble),
        ("DATA", "554 5.7.1 secret-of-ann is spam", Undeliverable),
        ("DATA", "451 4.3.0 later", ServiceTrouble),
    ],
)
async def test_refusals(start: Start, postbox: Postbox, caplog, command, words, kind) -> None:
    """5xx is final, 4xx may pass; only the number is told, because servers quote what they got."""
    caplog.set_level(logging.DEBUG)
    postbox.says[command] = words
    assert words[:3] in await refusal(start(), kind, caplog)
    assert [] == postbox.mails


async def test_a_wrong_password(start: Start, postbox: Postbox, certificates, caplog) -> None:
    """A refused sign-in is final and says nothing of the password."""
    caplog.set_level(logging.DEBUG)
    mailer = start(context=certificates.server_context, user="somebody")
    assert "535" in await refusal(mailer, Undeliverable, caplog)
    assert {(b"somebody", PASSWORD.encode())} == set(postbox.logins)


async def test_a_password_that_cant_be_sent(start: Start, certificates, caplog, monkeypatch) -> None:
    """SMTP's sign-in is ASCII; the error names the setting, not its value."""
    monkeypatch.setattr("tests.gateways.test_mail_smtp.PASSWORD", "secret-pässword")
    mailer = start(context=certificates.server_context, user="closure")
    assert "CLOSURE_SMTP_PASSWORD" in await refusal(mailer, ServiceTrouble, caplog)


async def test_nobody_there(caplog) -> None:
    """A server that can't be reached is trouble that may pass."""
    mailer = SmtpMailer(settings_for(f"127.0.0.1:{free_port('127.0.0.1')}", "closure"))
    assert "ConnectionRefusedError" in await refusal(mailer, ServiceTrouble, caplog)


async def test_a_silent_server(caplog, monkeypatch) -> None:
    """A server that takes the connection and says nothing is given up after a while."""
    monkeypatch.setattr(mail_smtp, "SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mailer = SmtpMailer(settings_for(f"127.0.0.1:{silent.getsockname()[1]}"))
        assert "no answer" in await refusal(mailer, ServiceTrouble, caplog)


async def test_no_header_can_be_smuggled_in(start: Start, postbox: Postbox) -> None:
    """Line breaks in name, subject and id become spaces or dashes; the addressee stays alone."""
    odd = "Ann\r\nBcc: eve@example.com\r\n\r\nbody\ud800"
    await start().send(dataclasses.replace(MAIL, to_name=odd, subject=odd, message_id=odd, text=odd, html=odd))
    (mail,), (envelope,) = postbox.mails, postbox.envelopes
    assert ["ann@fabrikam.com"] == envelope.rcpt_tos
    assert "Ann Bcc: eve@example.com body?" == mail["Subject"]
    assert ([], "Ann Bcc: eve@example.com body? <ann@fabrikam.com>") == (
        [name for name in mail if name.lower() in ("bcc", "cc")],
        str(mail["To"]).replace('"', ""),
    )


@pytest.mark.parametrize("to", ["eve", "a@b, c@d", "eve@x\r\nRCPT TO:<e@x>", "<eve@x>", "ä@x.de", "a..b@x.de"])
async def test_an_odd_address_is_never_tried(start: Start, postbox: Postbox, to: str) -> None:
    """What is not one plain address reaches no server."""
    with pytest.raises(Undeliverable) as caught:
        await start().send(dataclasses.replace(MAIL, to=to))
    assert ([], False) == (postbox.mails, to in str(caught.value))
