"""Connections to the storage account, one set for each event loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tenantclosure.errors import SettingsError
from tenantclosure.gateways.records.counting import blob_request, queue_request, table_request
from tenantclosure.settings import Settings

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AioHttpTransport
    from azure.data.tables.aio import TableClient, TableServiceClient
    from azure.identity.aio import ManagedIdentityCredential
    from azure.storage.blob.aio import BlobServiceClient, ContainerClient
    from azure.storage.queue.aio import QueueServiceClient

SUFFIXES = {"usgov": "core.usgovcloudapi.net", "usgov-dod": "core.usgovcloudapi.net", "china": "core.chinacloudapi.cn"}
"""Domain of storage accounts in national clouds; elsewhere core.windows.net."""

MIB = 1024 * 1024
CONNECT_SECONDS = 10
ANSWER_SECONDS = 60


@dataclass(frozen=True)
class Open:
    """The clients of one event loop, over one pool of connections."""

    blobs: BlobServiceClient
    container: ContainerClient
    audit: ContainerClient
    tables: TableServiceClient
    table: TableClient
    queues: QueueServiceClient
    transport: AioHttpTransport
    credential: ManagedIdentityCredential | None


class Clients:
    """Opens clients when they are first needed. Raises SettingsError when the settings name no or two accounts."""

    def __init__(self, settings: Settings) -> None:
        if bool(settings.storage) == bool(settings.storage_account):
            raise SettingsError(
                "Set either CLOSURE_STORAGE (a connection string) or CLOSURE_STORAGE__accountName (with a managed "
                "identity), exactly one of them."
            )
        self._settings = settings
        self._open: dict[asyncio.AbstractEventLoop, Open] = {}

    def here(self) -> Open:
        """Clients for the running event loop."""
        loop = asyncio.get_running_loop()
        clients = self._open.get(loop)
        if clients is None:
            # A closed loop can't end its connections any more; forgetting them is all that is left to do.
            for closed in [other for other in self._open if other.is_closed()]:
                del self._open[closed]
            clients = self._open[loop] = self._connect()
        return clients

    async def close(self) -> None:
        """Close what the running event loop opened."""
        clients = self._open.pop(asyncio.get_running_loop(), None)
        if clients is None:
            return
        await clients.transport.close()
        if clients.credential is not None:
            await clients.credential.close()

    def _connect(self) -> Open:
        # Imported here because the SDKs take a second to load, and most of the program never needs them.
        from azure.core.pipeline.transport import AioHttpTransport
        from azure.data.tables.aio import TableServiceClient
        from azure.identity.aio import ManagedIdentityCredential
        from azure.storage.blob.aio import BlobServiceClient
        from azure.storage.queue.aio import QueueServiceClient

        from tenantclosure.names import AUDIT_CONTAINER, CONTAINER, TABLE

        class SendOnce(AioHttpTransport):  # type: ignore[misc]  # azure-core exports it untyped
            """aiohttp that leaves every second try to us."""

            async def open(self) -> None:
                await super().open()
                # aiohttp silently sends a PUT again when a reused connection breaks. The second one would then meet
                # the first one's result and look like another writer. There is no public switch.
                assert self.session is not None
                self.session._retry_connection = False

        transport = SendOnce()
        options: dict[str, Any] = {
            "transport": transport,
            # Tries are made in faults.reliably alone: only there a write is known to have been sent before.
            "retry_total": 0,
            "connection_timeout": CONNECT_SECONDS,
            "read_timeout": ANSWER_SECONDS,
        }
        credential: ManagedIdentityCredential | None = None
        text, account = self._settings.storage, self._settings.storage_account
        # Larger blobs go in blocks and appear whole at the end; a request past 1 MiB would hold up the event loop.
        upload: dict[str, Any] = {"max_single_put_size": MIB, "max_block_size": MIB}
        for_blobs = {**upload, **options, "raw_request_hook": blob_request}
        for_tables = {**options, "raw_request_hook": table_request}
        for_queues = {**options, "raw_request_hook": queue_request}
        if text:
            try:
                blobs = BlobServiceClient.from_connection_string(text, **for_blobs)
                tables = TableServiceClient.from_connection_string(text, **for_tables)
                queues = QueueServiceClient.from_connection_string(text, **for_queues)
            except (ValueError, KeyError):
                # The SDK's own text could quote the string, and the string holds the account key.
                raise SettingsError("CLOSURE_STORAGE is not a usable storage connection string.") from None
        else:
            suffix = SUFFIXES.get(self._settings.cloud, "core.windows.net")
            client_id = self._settings.storage_client_id
            credential = ManagedIdentityCredential(client_id=client_id) if client_id else ManagedIdentityCredential()
            blobs = BlobServiceClient(f"https://{account}.blob.{suffix}", credential=credential, **for_blobs)
            tables = TableServiceClient(
                endpoint=f"https://{account}.table.{suffix}", credential=credential, **for_tables
            )
            queues = QueueServiceClient(f"https://{account}.queue.{suffix}", credential=credential, **for_queues)
        return Open(
            blobs=blobs,
            container=blobs.get_container_client(CONTAINER),
            audit=blobs.get_container_client(AUDIT_CONTAINER),
            tables=tables,
            table=tables.get_table_client(TABLE),
            queues=queues,
            transport=transport,
            credential=credential,
        )
