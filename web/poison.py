"""Requests from the queue that were refused: put aside with their problem, and shown where people look."""

from __future__ import annotations

import json
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
"""What is shown for a message the host itself moved here."""


async def put_aside(records: Records, message: str, problem: JSON, at: str) -> None:
    """Keep a refused message with the reason."""
    kept = cut(message)
    entry: JSON = {"message": kept, "problem": problem, "at": at}
    if len(kept) < len(message):
        entry["cut"] = True
    await records.enqueue(names.POISON_QUEUE, entry)


async def poison_list(records: Records) -> list[JSON]:
    """What lies in the poison queue, oldest first; looking takes nothing away."""
    shown: list[JSON] = []
    for found in await records.peek(names.POISON_QUEUE, MOST):
        body: Any = found.get("body")
        if isinstance(body, dict) and isinstance(body.get("problem"), dict):
            entry = {"message": str(body.get("message", "")), "problem": body["problem"], "at": body.get("at")}
        else:
            text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
            entry = {"message": cut(text), "problem": UNKNOWN, "at": found.get("insertedAt")}
        shown.append({"id": str(found.get("id", "")), **entry})
    return shown


def cut(text: str) -> str:
    """The longest beginning whose JSON form, escapes included, stays within KEPT bytes."""
    if len(json.dumps(text)) <= KEPT:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(json.dumps(text[:middle])) <= KEPT else (low, middle - 1)
    return text[:low]
