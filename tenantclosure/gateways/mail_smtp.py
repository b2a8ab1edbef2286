"""`ports.Mailer` on SMTP: any mail server, HTML and plain text, under STARTTLS always but on loopback."""

from __future__ import annotations

import asyncio
import smtplib
from contextlib import suppress
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from tenantclosure.errors import ClosureError, ServiceTrouble, Undeliverable
from tenantclosure.gateways.http import tls
from tenantclosure.gateways.mail_text import body, line, mailbox, message_id
from tenantclosure.model.mail import Mail
from tenantclosure.settings import LOOPBACK, Settings

SECONDS = 30.0
"""How long one answer of the server may take."""
POLICY = SMTP.clone(cte_type="7bit")
"""Seven bits pass every server, also those without 8BITMIME."""


class SmtpMailer:
    """Mail of `CLOSURE_MAIL_FROM` through `CLOSURE_SMTP` (host:port). `SmtpMailer(settings)`."""

    def __init__(self, settings: Settings) -> None:
        host, _, port = settings.smtp.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._settings = settings

    async def send(self, mail: Mail) -> None:
        """Hand one message over. Raises Undeliverable for a final refusal (5xx), otherwise ServiceTrouble."""
        message = _message(self._settings.mail_from, mail)
        await asyncio.to_thread(self._deliver, message)

    def _deliver(self, message: EmailMessage) -> None:
        what = f"SMTP {self._host}:{self._port}"
        try:
            client = smtplib.SMTP(self._host, self._port, timeout=SECONDS)
            try:
                self._hand_over(client, message, what)
            finally:
                client.close()
        # Servers may quote the message or the login in their answers, so only the number is kept, and no cause.
        except smtplib.SMTPRecipientsRefused as error:
            raise _refusal(what, next(iter(error.recipients.values()))[0]) from None
        except smtplib.SMTPResponseException as error:
            raise _refusal(what, error.smtp_code) from None
        except smtplib.SMTPNotSupportedError:
            raise Undeliverable(f"{what}: the server can't do what the message or the login needs") from None
        except UnicodeError:
            raise ServiceTrouble(f"{what}: CLOSURE_SMTP_USER and CLOSURE_SMTP_PASSWORD must be ASCII") from None
        except OSError as error:
            raise ServiceTrouble(f"{what}: no answer ({type(error).__name__})") from None

    def _hand_over(self, client: smtplib.SMTP, message: EmailMessage, what: str) -> None:
        client.ehlo_or_helo_if_needed()
        if client.has_extn("starttls"):
            client.starttls(context=tls(self._settings))
        elif self._host not in LOOPBACK:
            raise ServiceTrouble(f"{what}: the server offers no STARTTLS, so nothing was sent")
        if self._settings.smtp_user:
            client.login(self._settings.smtp_user, self._settings.smtp_password)
        client.send_message(message)
        # The message is the server's now: a failed goodbye must not have it sent again.
        with suppress(OSError):
            client.quit()


def _message(sender: str, mail: Mail) -> EmailMessage:
    message = EmailMessage(policy=POLICY)
    message["From"] = Address(addr_spec=sender)
    message["To"] = Address(line(mail.to_name), addr_spec=mailbox(mail.to))
    message["Subject"] = line(mail.subject)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{message_id(mail.message_id)}>"
    message["Auto-Submitted"] = "auto-generated"  # no out-of-office reply, please
    message.set_content(body(mail.text))
    message.add_alternative(body(mail.html), subtype="html")
    return message


def _refusal(what: str, code: int) -> ClosureError:
    kind = Undeliverable if 500 <= code < 600 else ServiceTrouble
    return kind(f"{what}: the server answered {code}")
