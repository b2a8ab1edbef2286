"""Polls the app's queue triggers like the Functions host: encoding, attempts, poison queues."""

import asyncio
import base64
import binascii
import contextlib
import logging
import os
from typing import Any

from azure.functions.queue import QueueMessage

from embedded.errors import EmbeddedError
from embedded.invocation import Invoker
from embedded.loading import Function, HostSettings, resolve

SHORTEST_NAP_SECONDS = 0.05
LONGEST_NAP_SECONDS = 1.0
# The Functions host hides a message for ten minutes and renews; here a killed host's message comes back sooner.
HIDDEN_SECONDS = 30
RENEW_SECONDS = 10
# Storage cannot be reached: how long to wait before trying again.
TROUBLE_SECONDS = 2.0
# The host stops: how long a function may still work on its message.
LAST_SECONDS = 4.0
logger = logging.getLogger(__name__)


def connection(setting: str) -> str:
    """The connection string behind a binding's ``connection``, which names a setting."""
    for name in (setting, f"AzureWebJobs{setting}"):
        if value := os.environ.get(name):
            return value
    raise EmbeddedError(f"The setting {setting} is missing; a queue trigger connects with it.")


async def finish(tasks: list[asyncio.Task[None]]) -> None:
    """Wait for all; when we are cancelled, give them a moment more, because a message in work is nearly done."""
    if not tasks:
        return
    try:
        await asyncio.wait(tasks)
    except asyncio.CancelledError:
        await asyncio.wait(tasks, timeout=LAST_SECONDS)
        for task in tasks:
            task.cancel()
        raise
    for task in tasks:
        if error := task.exception():
            logger.error("A message could not be settled; it will come again.", exc_info=error)


class QueuePoller:
    """One queue trigger."""

    def __init__(self, function: Function, settings: HostSettings, invoker: Invoker) -> None:
        self._function, self._settings, self._invoker = function, settings, invoker
        self._name = resolve(function.trigger["queueName"])
        self._connection = connection(function.trigger.get("connection") or "AzureWebJobsStorage")

    async def run(self) -> None:
        """Poll until cancelled; a message in work when that happens shows again after its hidden time."""
        from azure.storage.queue.aio import QueueClient  # only apps with a queue trigger pay for this import

        async with (
            QueueClient.from_connection_string(self._connection, self._name) as queue,
            QueueClient.from_connection_string(self._connection, f"{self._name}-poison") as poison,
        ):
            nap, created = SHORTEST_NAP_SECONDS, False
            while True:
                try:
                    if not created:
                        await self._create(queue)
                        created = True
                    found = [
                        message
                        async for page in queue.receive_messages(
                            messages_per_page=self._settings.batch_size,
                            max_messages=self._settings.batch_size,
                            visibility_timeout=HIDDEN_SECONDS,
                        ).by_page()
                        async for message in page
                    ]
                    await finish([asyncio.create_task(self._handle(queue, poison, message)) for message in found])
                except Exception:
                    logger.exception("The queue %s cannot be read; trying again.", self._name)
                    await asyncio.sleep(TROUBLE_SECONDS)
                    continue
                nap = SHORTEST_NAP_SECONDS if found else min(nap * 2, LONGEST_NAP_SECONDS)
                await asyncio.sleep(0 if found else nap)

    @staticmethod
    async def _create(queue: Any) -> None:
        from azure.core.exceptions import ResourceExistsError

        with contextlib.suppress(ResourceExistsError):
            await queue.create_queue()

    async def _handle(self, queue: Any, poison: Any, message: Any) -> None:
        try:
            body = self._decode(message.content)
        except (ValueError, binascii.Error):
            logger.error(
                "A message in %s is not %s; it goes to the poison queue.", self._name, self._settings.queue_encoding
            )
            await self._bury(queue, poison, message, message.pop_receipt)
            return
        receipts = [message.pop_receipt]  # renewing replaces it
        renewing = asyncio.create_task(self._renew(queue, message, receipts))
        try:
            await self._invoker.call(
                self._function,
                QueueMessage(
                    id=message.id,
                    body=body,
                    dequeue_count=message.dequeue_count,
                    expiration_time=message.expires_on,
                    insertion_time=message.inserted_on,
                    time_next_visible=message.next_visible_on,
                    pop_receipt=message.pop_receipt,
                ),
            )
            failed = False
        except Exception:
            logger.exception(
                "The queue function %s failed (attempt %s of %s).",
                self._function.name,
                message.dequeue_count,
                self._settings.max_dequeue_count,
            )
            failed = True
        finally:
            renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        if not failed:
            await queue.delete_message(message.id, receipts[-1])
        elif message.dequeue_count >= self._settings.max_dequeue_count:
            await self._bury(queue, poison, message, receipts[-1])
        else:
            await queue.update_message(
                message.id, receipts[-1], visibility_timeout=int(self._settings.visibility_timeout.total_seconds())
            )

    def _decode(self, content: str) -> bytes:
        if self._settings.queue_encoding == "none":
            return content.encode()
        return base64.b64decode(content, validate=True)

    async def _renew(self, queue: Any, message: Any, receipts: list[str]) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            renewed = await queue.update_message(message.id, receipts[-1], visibility_timeout=HIDDEN_SECONDS)
            receipts.append(renewed.pop_receipt)

    async def _bury(self, queue: Any, poison: Any, message: Any, receipt: str) -> None:
        """Keep the message where people look for it; copied first, so a crash in between only doubles it."""
        await self._create(poison)
        await poison.send_message(message.content, time_to_live=-1)
        await queue.delete_message(message.id, receipt)
