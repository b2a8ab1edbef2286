"""Catches every mail and Teams card that is sent, shows them as people see them, and refuses some on purpose."""

import itertools
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from simulator.cards import page
from simulator.commerce.wire import stamp
from simulator.graph.router import GraphCall, GraphReply
from simulator.mail_html import plain_text
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
    card: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Refusal:
    """How messages to one address are turned away, and how often still (None = always)."""

    status: int
    code: str
    retry_after: str | None
    times: int | None

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> "Refusal":
        """Read a refusal from JSON; ValueError in words for a person."""
        if set(raw) - {"to", "status", "code", "retryAfter", "times"}:
            raise ValueError("a refusal has the keys to, status, code, retryAfter, times")
        status, wait, times = int(raw["status"]), raw.get("retryAfter"), raw.get("times")
        if not 400 <= status <= 599:
            raise ValueError("'status' is 400 to 599, or null to let messages through again")
        code = str(raw.get("code", "ErrorInvalidRecipients" if status < 500 else "ServiceUnavailable"))
        return cls(status, code, None if wait is None else str(wait), None if times is None else int(times))

    @property
    def headers(self) -> dict[str, str]:
        """What goes with the refusal."""
        return {} if self.retry_after is None else {"Retry-After": self.retry_after}


class Inbox:
    """All messages of this run, in order of arrival."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._ids = itertools.count(1)
        self._refusals: dict[str, Refusal] = {}

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

    def refuse(self, sent: dict[str, Any]) -> dict[str, Any]:
        """Turn away what goes to one address from now on; with a null status no longer."""
        address = str(sent["to"]).lower()
        if sent.get("status") is None:
            self._refusals.pop(address, None)
        else:
            self._refusals[address] = Refusal.parse(sent)
        return {"refused": sorted(self._refusals)}

    def refusal(self, to: list[str]) -> Refusal | None:
        """The refusal that one of these addresses meets; uses up one of its times."""
        for address in map(str.lower, to):
            found = self._refusals.get(address)
            if found is not None and found.times != 0:
                found.times = None if found.times is None else found.times - 1
                return found
        return None


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
        # Nothing of a message may run here, and whoever follows a link must not tell where from.
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
        return web.Response(text=shown, content_type="text/html", headers=headers)

    async def refuse(request: web.Request) -> web.Response:
        try:
            return web.json_response(inbox.refuse(await request.json()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return web.json_response({"error": str(error) or type(error).__name__}, status=400)

    world.graph.add("POST", "/users/{id}/sendMail", send_mail, versions=("v1.0",), roles=("Mail.Send",))
    app.router.add_post("/_teams/workflows/{id}", webhook)
    app.router.add_get("/_sim/inbox", as_html)
    app.router.add_get("/_sim/inbox.json", as_json)
    app.router.add_post("/_sim/inbox/refuse", refuse)


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
        headers = {str(h["name"]): str(h["value"]) for h in message.get("internetMessageHeaders") or []}
    except (AttributeError, KeyError, TypeError):
        raise GraphError(400, "ErrorInvalidRequest", "A recipient, a header or the body is malformed.") from None
    if not to:
        raise GraphError(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
    for name in headers:
        if not name.lower().startswith("x-"):
            text = f"The internet message header name '{name}' should start with 'x-' or 'X-'."
            raise GraphError(400, "InvalidInternetMessageHeader", text)
    if (refusal := inbox.refusal(to)) is not None:
        raise GraphError(refusal.status, refusal.code, "The message was refused on purpose.", refusal.headers)
    is_html = str(body.get("contentType", "text")).lower() == "html"
    inbox.add(
        "mail",
        to,
        sender.userPrincipalName,
        str(message.get("subject", "")),
        plain_text(content) if is_html else content,
        call.world.clock.now(),
        html=content if is_html else None,
        headers=headers,
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
    texts = [b for b in blocks if isinstance(b, dict)] if isinstance(blocks, list) else []
    title = next((str(b.get("text", "")) for b in texts if b.get("type") == "TextBlock"), "")
    to = [f"workflow:{request.match_info['id']}"]
    if (refusal := inbox.refusal(to)) is not None:
        return _workflow_error(refusal.status, refusal.code, "The message was refused on purpose.", refusal.headers)
    inbox.add("teams", to, "Workflows", title, json.dumps(card, ensure_ascii=False), world.clock.now(), card=card)
    return web.Response(status=202)


def _workflow_error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=headers)
