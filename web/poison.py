"""Messages from our queues that were refused: put aside with their problem, and shown where people look."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from tenantclosure import names
from tenantclosure.ports import JSON, Records

KEPT = 32 * 1024
"""Bytes of the original message that are kept; a queue message holds 48 kB."""
MOST = 32

UNKNOWN = {
    "type": "urn:tenant-closure:problem:gave-up",
    "title": "Gave up",
    "status": 500,
    "detail": "The host gave the message up after several tries.",
    "remedy": "Read the log of that time, then send the request again.",
}
"""What is shown for a request the host itself moved here."""
UNDELIVERED = {**UNKNOWN, "remedy": "Read the log of that time; the sweep sends the message again by itself."}
"""The same for a message to people."""


async def put_aside(records: Records, message: str, problem: JSON, at: str, *, queue: str = names.POISON_QUEUE) -> None:
    """Keep a refused message with the reason in a poison queue."""
    kept = cut(message)
    entry: JSON = {"message": kept, "problem": problem, "at": at}
    if len(kept) < len(message):
        entry["cut"] = True
    await records.enqueue(queue, entry)


async def poison_list(records: Records) -> list[JSON]:
    """Requests that were put aside, oldest first; looking takes nothing away."""
    return await _lying_in(records, names.POISON_QUEUE, UNKNOWN)


async def notice_poison(records: Records) -> list[JSON]:
    """Messages to people that could not be delivered, or that were none, in the same form."""
    return await _lying_in(records, names.NOTICE_POISON_QUEUE, UNDELIVERED)


async def _lying_in(records: Records, queue: str, unknown: JSON) -> list[JSON]:
    shown: list[JSON] = []
    for found in await records.peek(queue, MOST):
        body: Any = found.get("body")
        if _ours(body):
            entry = {key: body[key] for key in ("message", "problem", "at")}
        else:
            text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
            entry = {"message": cut(text), "problem": unknown, "at": found.get("insertedAt")}
        shown.append({"id": str(found.get("id", "")), **entry})
    return shown


def _ours(body: Any) -> bool:
    """Whether it is what `put_aside` writes; a message from elsewhere may only look like it."""
    if not isinstance(body, dict) or not isinstance(body.get("problem"), dict):
        return False
    message, at = body.get("message"), body.get("at", 0)
    told = (body["problem"].get(key) for key in ("title", "detail", "remedy"))
    if not isinstance(message, str) or len(message) > KEPT or not all(isinstance(text, str | None) for text in told):
        return False
    try:
        return at is None or datetime.fromisoformat(at).tzinfo is not None
    except (TypeError, ValueError):
        return False


def cut(text: str) -> str:
    """The longest beginning whose JSON form, escapes included, stays within KEPT bytes."""
    if len(json.dumps(text)) <= KEPT:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(json.dumps(text[:middle])) <= KEPT else (low, middle - 1)
    return text[:low]
