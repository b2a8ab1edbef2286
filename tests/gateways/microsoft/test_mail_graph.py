"""Mail through Graph: one message to one person, nothing kept behind, refusals told apart from trouble."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tenantclosure.errors import ServiceTrouble, Throttled, Undeliverable
from tenantclosure.gateways.http import connections
from tenantclosure.gateways.identity import Credentials
from tenantclosure.gateways.mail_graph import GraphMailer
from tenantclosure.model.mail import Mail

from .conftest import jwt, settings_for
from .simulated import Simulated

HOME = "d0000000-0000-4000-8000-00000000000a"
LINK = "http://127.0.0.1:7071/approvals/secret-of-ann"
MAIL = Mail(
    to="ann@fabrikam.com",
    to_name="Ann <Adler>",
    subject="Approve Contoso",
    text=f"Please look: {LINK}",
    html=f'<p>Please <a href="{LINK}">look</a> & say.</p>',
    message_id="plan-001-ask@closure",
)
SENDER = {"CLOSURE_MAIL_FROM": "closure@fabrikam.com"}


@pytest.mark.simulator
async def test_a_mail_lands_in_the_simulated_inbox(home: Simulated) -> None:
    """Signed in by certificate, a mail reaches its one addressee with our own message id."""
    settings = home.settings("certificate", **SENDER)
    await GraphMailer(settings, Credentials(settings)).send(MAIL)
    await connections(settings).close()
    (found,) = home.sim("inbox.json?to=ann@fabrikam.com")["messages"]
    assert ("mail", ["ann@fabrikam.com"], "closure@fabrikam.com") == (found["kind"], found["to"], found["sender"])
    assert (MAIL.subject, MAIL.html) == (found["subject"], found["html"])
    assert LINK in found["text"]
    assert {"x-closure-message-id": MAIL.message_id} == found["headers"]


@pytest.mark.simulator
async def test_refusals_in_the_simulator(home: Simulated) -> None:
    """A final 400 is undeliverable, a passing 503 carries its wait, and afterwards the mail goes out."""
    settings = home.settings(**SENDER)
    mailer = GraphMailer(settings, Credentials(settings))
    to_cyd = dataclasses.replace(MAIL, to="cyd@fabrikam.com")
    home.sim("inbox/refuse", {"to": "CYD@fabrikam.com", "status": 400})
    with pytest.raises(Undeliverable, match="ErrorInvalidRecipients"):
        await mailer.send(to_cyd)
    home.sim("inbox/refuse", {"to": "cyd@fabrikam.com", "status": 503, "retryAfter": 2, "times": 1})
    with pytest.raises(Throttled) as caught:
        await mailer.send(to_cyd)
    assert 2.0 == caught.value.retry_after
    await mailer.send(to_cyd)
    await connections(settings).close()
    assert 1 == len(home.sim("inbox.json?to=cyd@fabrikam.com")["messages"])


@pytest.mark.simulator
async def test_a_mailbox_that_is_not_there(home: Simulated) -> None:
    """A sender that nobody has is a refusal with Microsoft's code."""
    settings = home.settings(CLOSURE_MAIL_FROM="nobody@fabrikam.com")
    with pytest.raises(Undeliverable, match="ErrorInvalidUser"):
        await GraphMailer(settings, Credentials(settings)).send(MAIL)
    await connections(settings).close()


@pytest_asyncio.fixture
async def mailer(server) -> AsyncIterator[GraphMailer]:
    """The mailer before the scripted server."""
    own = {"CLOSURE_HOME_TENANT_ID": HOME, "CLOSURE_HOME_STATIC_TOKEN": jwt(tid=HOME), **SENDER}
    settings = settings_for(server.url, **own)
    yield GraphMailer(settings, Credentials(settings))
    await connections(settings).close()


async def test_what_goes_over_the_wire(mailer, server) -> None:
    """One recipient, HTML, nothing saved in Sent Items; line breaks and broken text in names can't do harm."""
    server.script = lambda seen: (202, None)
    odd = dataclasses.replace(MAIL, subject="Close\r\nBcc: eve@x\u2028now", to_name="A\nB", html="<p>\ud800</p>")
    await mailer.send(dataclasses.replace(odd, message_id="a\r\nBcc: b"))
    (seen,) = server.seen
    assert ("POST", "/v1.0/users/closure@fabrikam.com/sendMail") == (seen.method, seen.path)
    assert {
        "message": {
            "subject": "Close Bcc: eve@x now",
            "body": {"contentType": "HTML", "content": "<p>?</p>"},
            "toRecipients": [{"emailAddress": {"address": "ann@fabrikam.com", "name": "A B"}}],
            "internetMessageHeaders": [{"name": "x-closure-message-id", "value": "a--Bcc--b"}],
        },
        "saveToSentItems": False,
    } == seen.body


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ((400, {"error": {"code": "ErrorInvalidRecipients", "message": "secret-of-ann"}}), Undeliverable),
        ((403, {"error": {"code": "ErrorAccessDenied"}}), Undeliverable),
        ((404, {}), Undeliverable),
        ((413, {}), Undeliverable),
        ((401, {}), ServiceTrouble),
        ((408, {}), ServiceTrouble),
        ((429, {}), Throttled),
        ((500, {}), ServiceTrouble),
        ((503, {}), ServiceTrouble),
        ((302, {}), ServiceTrouble),
        (None, ServiceTrouble),
    ],
)
async def test_answers(mailer, server, caplog, said, error) -> None:
    """4xx about the message is final, all else may pass; neither text nor log holds mail, link or token."""
    caplog.set_level(logging.DEBUG)
    server.script = lambda seen: said
    with pytest.raises(error) as caught:
        await mailer.send(MAIL)
    assert error is type(caught.value)
    shown = repr(caught.value) + caplog.text
    assert [] == [word for word in ("secret-of-ann", jwt(tid=HOME), "Please") if word in shown]


@pytest.mark.parametrize("to", ["", "eve", "a@b, c@d", "ann@x\r\nBcc: e@x", "<ann@x>", "änn@x.de", "a" * 300 + "@x.de"])
async def test_an_odd_address_is_never_tried(mailer, server, to) -> None:
    """What is not one plain address reaches no server, and no error text."""
    with pytest.raises(Undeliverable) as caught:
        await mailer.send(dataclasses.replace(MAIL, to=to))
    assert [] == server.seen
    assert not to or to not in str(caught.value)
