"""Whatever a tenant calls itself, a mail's lines stay lines and its addresses plain."""

from __future__ import annotations

from email.headerregistry import Address

from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.errors import Undeliverable
from tenantclosure.gateways.mail_smtp import _message
from tenantclosure.gateways.mail_text import body, line, mailbox, message_id
from tenantclosure.model.mail import Mail

ANYTHING = st.text(st.characters(codec=None), max_size=400)  # lone surrogates too


@given(ANYTHING)
def test_lines(text: str) -> None:
    """No line break of any kind survives, everything can be written, and nothing grows."""
    found = line(text)
    assert [found] == (found.splitlines() or [""])
    assert len(found) <= 250
    assert found == found.encode().decode()
    assert message_id(text).isascii()
    assert len(text) == len(body(text).encode().decode())


@given(ANYTHING)
def test_addresses(text: str) -> None:
    """An address that passes is one that Python's own mail library reads whole."""
    try:
        found = mailbox(text)
    except Undeliverable:
        return
    assert found == Address(addr_spec=found).addr_spec


@given(name=ANYTHING, subject=ANYTHING, text=ANYTHING)
def test_messages(name: str, subject: str, text: str) -> None:
    """Every message can be written, in seven bits, and has exactly our headers."""
    mail = Mail("ann@fabrikam.com", name, subject, text, text, message_id=subject)
    raw = _message("closure@fabrikam.com", mail).as_bytes()
    head = raw.partition(b"\r\n\r\n")[0].decode("ascii")
    names = [row.partition(":")[0] for row in head.split("\r\n") if not row.startswith((" ", "\t"))]
    own = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
    assert own == names
    assert raw.isascii()
