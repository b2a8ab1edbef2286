"""Catches every mail and Teams card that is sent, and shows them as a person would see them."""

import itertools
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from simulator.cards import page, plain_text
from simulator.commerce.wire import stamp
from simulator.graph.router import GraphCall, GraphReply
from simulator.world import GraphError, World

CARD_TYPE = "application/vnd.microsoft.card.adaptive"
MAX_CARD_BYTES = 28_000  # Teams refuses larger messages


@dataclass
class Message:
    """One thing somebody received."""

    id: int
    kind: str  # "mail" or "teams"
    to: list[str]
    sender: str
    subject: str
    text: str
    received: str
    html: str | None = None
    card: dict[str, Any] | None = field(default=None)


class Inbox:
    """All messages of this run, in order of arrival."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._ids = itertools.count(1)

    def add(self, kind: str, to: list[str], sender: str, subject: str, text: str, at: datetime, **more: Any) -> Message:
        """Keep one message."""
        message = Message(next(self._ids), kind, to, sender, subject, text, stamp(at) or "", **more)
        self.messages.append(message)
        return message

    def received_by(self, address: str | None) -> list[Message]:
        """The messages to one address (or all), newest last; a Teams workflow's address is `workflow:{id}`."""
        if not address:
            return self.messages
        wanted = address.lower()
        return [message for message in self.messages if wanted in (a.lower() for a in message.to)]


def register(app: web.Application, world: World) -> None:
    """Add Graph's sendMail, the Teams webhook and the two views."""
    inbox = world.inbox = world.inbox or Inbox()

    async def send_mail(call: GraphCall) -> GraphReply:
        return _send_mail(inbox, call)

    async def webhook(request: web.Request) -> web.Response:
        return await _webhook(inbox, world, request)

    async def as_json(request: web.Request) -> web.Response:
        found = inbox.received_by(request.query.get("to"))
        return web.json_response({"messages": [asdict(message) for message in found]})

    async def as_html(request: web.Request) -> web.Response:
        shown = page(inbox.received_by(request.query.get("to")))
        # Mails are shown as their text, links included; no script of a message may run here.
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        return web.Response(text=shown, content_type="text/html", headers={"Content-Security-Policy": policy})

    world.graph.add("POST", "/users/{id}/sendMail", send_mail, versions=("v1.0",), roles=("Mail.Send",))
    app.router.add_post("/_teams/workflows/{id}", webhook)
    app.router.add_get("/_sim/inbox", as_html)
    app.router.add_get("/_sim/inbox.json", as_json)


def _send_mail(inbox: Inbox, call: GraphCall) -> GraphReply:
    """Graph sendMail: 202 without a body (tenant-facts C5)."""
    sender = call.tenant.directory.find_user(call.params["id"])
    if sender is None:
        raise GraphError(404, "ErrorInvalidUser", f"The requested user '{call.params['id']}' is invalid.")
    message = call.body.get("message") if isinstance(call.body, dict) else None
    if not isinstance(message, dict):
        raise GraphError(400, "ErrorInvalidRequest", "The message of the request is missing.")
    fields = ("toRecipients", "ccRecipients", "bccRecipients")
    try:
        to = [str(entry["emailAddress"]["address"]) for name in fields for entry in message.get(name) or []]
        body = message.get("body") or {}
        content = str(body.get("content", ""))
    except (AttributeError, KeyError, TypeError):
        raise GraphError(400, "ErrorInvalidRequest", "A recipient or the body is malformed.") from None
    if not to:
        raise GraphError(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
    is_html = str(body.get("contentType", "text")).lower() == "html"
    inbox.add(
        "mail",
        to,
        sender.userPrincipalName,
        str(message.get("subject", "")),
        plain_text(content) if is_html else content,
        call.world.clock.now(),
        html=content if is_html else None,
    )
    return GraphReply(202)


async def _webhook(inbox: Inbox, world: World, request: web.Request) -> web.Response:
    """A Teams Workflows webhook: takes a message with one Adaptive Card and answers 202 at once."""
    raw = await request.read()
    if len(raw) > MAX_CARD_BYTES:
        return _workflow_error(413, "RequestEntityTooLarge", "The message is larger than 28 KB.")
    try:
        body = json.loads(raw)
        attachments = body["attachments"]
        card = next(a["content"] for a in attachments if a.get("contentType") == CARD_TYPE)
        if body.get("type") != "message" or card["type"] != "AdaptiveCard":
            raise KeyError("type")
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return _workflow_error(400, "TriggerInputSchemaMismatch", "A message with an Adaptive Card is expected.")
    blocks = card.get("body")
    texts = (
        [b for b in blocks if isinstance(b, dict) and b.get("type") == "TextBlock"] if isinstance(blocks, list) else []
    )
    title = str(texts[0].get("text", "")) if texts else ""
    to = [f"workflow:{request.match_info['id']}"]
    inbox.add("teams", to, "Workflows", title, json.dumps(card, ensure_ascii=False), world.clock.now(), card=card)
    return web.Response(status=202)


def _workflow_error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)
