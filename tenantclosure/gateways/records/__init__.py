"""Records in Azure Storage: documents in a table, files in a container, requests on queues."""

from tenantclosure.gateways.records.blobs import Blobs
from tenantclosure.gateways.records.clients import Clients
from tenantclosure.gateways.records.documents import Documents
from tenantclosure.gateways.records.faults import RecordTooLarge, code_of, reliably
from tenantclosure.gateways.records.queue import Queues
from tenantclosure.names import (
    NOTICE_POISON_QUEUE,
    NOTICE_QUEUE,
    POISON_QUEUE,
    REQUEST_QUEUE,
    TABLE,
)
from tenantclosure.settings import Settings

__all__ = ["AzureRecords", "RecordTooLarge"]


class AzureRecords(Documents, Blobs, Queues):
    """`ports.Records` over Azure Storage, or over Azurite when CLOSURE_STORAGE holds its connection string.

    Make one per process: it opens its connections at the first call, one set for each running event loop. Every
    method raises ServiceTrouble (Throttled for 429) after three tries; a write whose answer was lost is checked, so a
    try of ours that had landed is never reported as somebody else's. Raises SettingsError for unusable settings.
    """

    def __init__(self, settings: Settings) -> None:
        self.clients = Clients(settings)

    async def prepare(self) -> None:
        """Create container, table and queues if they are missing; harmless to repeat."""
        clients = self.clients.here()

        async def send() -> None:
            from azure.core.exceptions import ResourceExistsError

            for container in (clients.container, clients.audit):
                # In Azure our role ends at the two containers: making one is more than it lets us do.
                if await container.exists():
                    continue
                try:
                    await container.create_container()
                except ResourceExistsError as error:
                    # "being deleted" is a 409 too, and then nothing is prepared.
                    if code_of(error) != "ContainerAlreadyExists":
                        raise
            await clients.tables.create_table_if_not_exists(TABLE)
            for queue in (REQUEST_QUEUE, POISON_QUEUE, NOTICE_QUEUE, NOTICE_POISON_QUEUE):
                await self._create_queue(queue)

        await reliably("prepare the records", send)

    async def close(self) -> None:
        """Close the running event loop's connections; a later call opens new ones."""
        await self.clients.close()
