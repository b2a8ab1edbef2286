"""Microsoft's error bodies and headers turned into `Answer`s."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tenantclosure.errors import AccessRefused, ServiceTrouble, SignInRefused
from tenantclosure.gateways.http import Reply, retry_after, throttle_share
from tenantclosure.model.inventory import Answer

MESSAGE_LENGTH = 500
"""Characters of Microsoft's text we keep: enough to act on, too short to flood a record."""
NO_ROLE = (401, 403)
"""Refused although we signed in: a role or a permission is missing."""


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
        used=throttle_share(headers),
    )


def answer_of_reply(item: str, reply: Reply) -> Answer:
    """The answer for a write that was a call of its own."""
    return answer_of(item, reply.status, reply.headers, reply.body)


def request_id_of(headers: Mapping[str, str]) -> str:
    """`request-id` (Graph), `x-ms-request-id` (ARM) or `MS-RequestId` (Partner Center)."""
    found = {name.lower(): value for name, value in headers.items()}
    return _text(found.get("request-id") or found.get("x-ms-request-id") or found.get("ms-requestid"))


def refused(what: str, reply: Reply, role: str) -> ServiceTrouble:
    """Like `trouble`, but AccessRefused where our application lacks a role (401, 403); the text names that role."""
    found = trouble(what, reply)
    return AccessRefused(f"{found}; our application needs: {role}") if reply.status in NO_ROLE else found


def named(answer: Answer, role: str) -> Answer:
    """The answer to a write; one that was refused for want of a role says first which one it is."""
    if answer.status not in NO_ROLE:
        return answer
    return replace(answer, message=f"our application needs: {role}. {answer.message}".strip()[:MESSAGE_LENGTH])


@contextmanager
def signed_in(where: str) -> Iterator[None]:
    """A sign-in elsewhere than in the tenant we close: when it is refused, somebody there must let us in.

    Raises AccessRefused instead of SignInRefused, so that people are asked and no other work waits for it.
    """
    try:
        yield
    except SignInRefused as error:
        if error.code is None:
            raise
        raise AccessRefused(f"no sign-in to {where}: {error}") from error


def trouble(what: str, reply: Reply) -> ServiceTrouble:
    """The error for an answer the caller can't use; names status and code, never the body."""
    code = error_of(reply.body)[0]
    return ServiceTrouble(f"{what}: HTTP {reply.status}{f' {code}' if code else ''}")


def _text(value: Any) -> str:
    return str(value)[:MESSAGE_LENGTH] if isinstance(value, str | int) else ""
