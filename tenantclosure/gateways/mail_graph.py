"""`ports.Mailer` on Microsoft Graph: `sendMail` from a mailbox of the hosting tenant (tenant-facts C5).

Graph takes a message as JSON with one body, or as MIME. MIME would carry the plain text too, but such a message always
lands in Sent Items, where everybody who opens that mailbox would find other people's personal links. So we send the
HTML as JSON and have nothing saved; the plain text rides along by SMTP only.
"""

from __future__ import annotations

from typing import Any

from tenantclosure.errors import Undeliverable
from tenantclosure.gateways.answers import trouble
from tenantclosure.gateways.http import Caller, connections, segment
from tenantclosure.gateways.identity import Credentials
from tenantclosure.gateways.mail_text import body, line, mailbox, message_id
from tenantclosure.model.mail import Mail
from tenantclosure.settings import Settings

PASSING = frozenset({401, 408})
"""4xx answers that say nothing about the message: our token, or a request that took too long."""
ID_HEADER = "x-closure-message-id"
"""Graph takes only headers of our own that begin with x-; so the id that stays the same on a resend travels here."""


class GraphMailer:
    """Mail of `CLOSURE_MAIL_FROM`; needs Mail.Send in the hosting tenant. `GraphMailer(settings, credentials)`."""

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        host = settings.endpoint("graph")
        self._url = f"{host}/v1.0/users/{segment(settings.mail_from)}/sendMail"
        tokens = credentials.source(settings.home_tenant_id, f"{host}/.default")
        self._caller = Caller(connections(settings), tokens)

    async def send(self, mail: Mail) -> None:
        """Hand one message over (202). Raises Undeliverable for 4xx other than 401, 408 and 429, else ServiceTrouble.

        202 means that Exchange took the message, not that it arrived.
        """
        reply = await self._caller.call("POST", self._url, body=_request(mail))
        if reply.ok:
            return
        refusal = trouble("Graph sendMail", reply)
        raise refusal if reply.status in PASSING else Undeliverable(str(refusal))


def _request(mail: Mail) -> dict[str, Any]:
    return {
        "message": {
            "subject": line(mail.subject),
            "body": {"contentType": "HTML", "content": body(mail.html)},
            "toRecipients": [{"emailAddress": {"address": mailbox(mail.to), "name": line(mail.to_name)}}],
            "internetMessageHeaders": [{"name": ID_HEADER, "value": message_id(mail.message_id)}],
        },
        "saveToSentItems": False,
    }
