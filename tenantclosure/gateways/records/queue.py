"""Queues: requests go in as base64 JSON text, as the Functions queue trigger expects, and can be looked at."""

from __future__ import annotations

import base64
import contextlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tenantclosure.gateways.records.faults import RecordTooLarge, code_of, reliably
from tenantclosure.ports import JSON

if TYPE_CHECKING:
    from tenantclosure.gateways.records.clients import Clients

LIMIT = 48 * 1024
"""Bytes of JSON in one message: base64 makes 64 KiB of them, the service's limit."""

MOST = 32
"""Messages that one look returns at most."""


def body_of(content: str) -> Any:
    """A message's body: its JSON value, otherwise its text; messages from elsewhere may lack the base64.

    A value that could not be shown (half a character, no number, bottomless) is a text too.
    """
    with contextlib.suppress(ValueError):
        content = base64.b64decode(content, validate=True).decode()
    try:
        found = json.loads(content)
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return content
    return found


def packed(queue: str, message: JSON) -> str:
    """The text of a message on the wire. Raises RecordTooLarge past 48 KiB of JSON."""
    text = json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    if len(text) > LIMIT:
        raise RecordTooLarge(f"A message for queue {queue} takes {len(text)} bytes; {LIMIT} is the most.")
    return base64.b64encode(text).decode()


class Queues:
    """The queue half of `ports.Records`."""

    clients: Clients

    async def enqueue(self, queue: str, message: JSON) -> None:
        """Put one message on a queue; it never expires. After a lost answer it may be there twice.

        Raises RecordTooLarge, ServiceTrouble.
        """
        client = self.clients.here().queues.get_queue_client(queue)
        text = packed(queue, message)
        # The default life of seven days would lose a request that waits for a longer outage to end.
        await reliably(f"put on queue {queue}", lambda: client.send_message(text, time_to_live=-1))

    async def peek(self, queue: str, most: int = MOST) -> list[JSON]:
        """Look at up to 32 messages without taking them, oldest first. Raises ServiceTrouble.

        Each is {"id", "insertedAt" (ISO 8601 UTC), "body" (the JSON value, or the text where it is none)}.
        """
        client = self.clients.here().queues.get_queue_client(queue)
        found = await reliably(f"look at queue {queue}", lambda: client.peek_messages(max_messages=min(most, MOST)))
        return [
            {
                "id": message.id,
                "insertedAt": _utc(message.inserted_on),
                "body": body_of(message.content),
            }
            for message in found
        ]

    async def _create_queue(self, queue: str) -> None:
        from azure.core.exceptions import ResourceExistsError

        try:
            await self.clients.here().queues.create_queue(queue)
        except ResourceExistsError as error:
            if code_of(error) != "QueueAlreadyExists":
                raise


def _utc(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else ""
