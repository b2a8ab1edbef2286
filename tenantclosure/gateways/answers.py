"""Microsoft's error bodies and headers turned into `Answer`s."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenantclosure.errors import ServiceTrouble
from tenantclosure.gateways.http import Reply, retry_after
from tenantclosure.model.inventory import Answer

MESSAGE_LENGTH = 500
"""Characters of Microsoft's text we keep: enough to act on, too short to flood a record."""


def error_of(body: Any) -> tuple[str, str, str]:
    """(code, message, request id) from an error body of Graph, ARM or Partner Center; empty strings where absent.

    Graph and ARM: `{"error": {"code", "message", "innerError": {"request-id"}}}` (tenant-facts C6). Partner Center:
    `{"code": 800091, "description"}` (subscription-facts 4).
    """
    if not isinstance(body, Mapping):
        return "", "", ""
    error = body.get("error")
    if isinstance(error, Mapping):
        inner = error.get("innerError") or error.get("innererror")
        request_id = inner.get("request-id", "") if isinstance(inner, Mapping) else ""
        return _text(error.get("code")), _text(error.get("message")), _text(request_id)
    return _text(body.get("code")), _text(body.get("description") or body.get("message")), ""


def answer_of(item: str, status: int, headers: Mapping[str, str], body: Any, outer_request_id: str = "") -> Answer:
    """The answer for one item; without an id of its own it carries the outer call's request id."""
    code, message, inner_id = error_of(body) if status >= 400 else ("", "", "")
    return Answer(
        id=item,
        status=status,
        code=code,
        message=message,
        request_id=request_id_of(headers) or inner_id or outer_request_id,
        retry_after=retry_after(headers),
    )


def answer_of_reply(item: str, reply: Reply) -> Answer:
    """The answer for a write that was a call of its own."""
    return answer_of(item, reply.status, reply.headers, reply.body)


def request_id_of(headers: Mapping[str, str]) -> str:
    """`request-id` (Graph), `x-ms-request-id` (ARM) or `MS-RequestId` (Partner Center)."""
    found = {name.lower(): value for name, value in headers.items()}
    return _text(found.get("request-id") or found.get("x-ms-request-id") or found.get("ms-requestid"))


def trouble(what: str, reply: Reply) -> ServiceTrouble:
    """The error for an answer the caller can't use; names status and code, never the body."""
    code = error_of(reply.body)[0]
    return ServiceTrouble(f"{what}: HTTP {reply.status}{f' {code}' if code else ''}")


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:MESSAGE_LENGTH]
