"""Documents: JSON objects with ETags, one table entity each.

The JSON text is cut over the properties `d0`, `d1`, ... because one property holds 32k characters. `write` holds a
random mark of the call that wrote the entity; after a lost answer it tells our own write from an equal one.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tenantclosure.errors import RecordConflict, RecordMissing
from tenantclosure.gateways.records.faults import RecordTooLarge, reliably
from tenantclosure.gateways.records.keys import bound, escape, unescape
from tenantclosure.ports import JSON

if TYPE_CHECKING:
    from tenantclosure.gateways.records.clients import Clients

PIECE = 30_000
"""Characters in one property (the limit is 64 KiB of UTF-16)."""

LIMIT = 500_000
"""Characters in one document: an entity holds 1 MiB of UTF-16, keys and names included."""


def packed(partition: str, key: str, doc: JSON) -> dict[str, str]:
    """The entity of a document. Raises RecordTooLarge; ValueError for numbers that JSON lacks (NaN)."""
    # ASCII only: then a character is one UTF-16 unit, pieces can't cut one in two, and half surrogates survive.
    text = json.dumps(doc, separators=(",", ":"), allow_nan=False)
    if len(text) > LIMIT:
        raise RecordTooLarge(
            f"Document {partition}/{key} takes {len(text)} characters as JSON; {LIMIT} is the most. Put it in a blob."
        )
    pieces = {f"d{n}": text[at : at + PIECE] for n, at in enumerate(range(0, len(text), PIECE))}
    return {"PartitionKey": escape(partition), "RowKey": escape(key), "write": uuid4().hex, **pieces}


def unpacked(entity: Any) -> JSON:
    """The document of an entity."""
    pieces: list[str] = []
    while (piece := entity.get(f"d{len(pieces)}")) is not None:
        pieces.append(piece)
    doc: JSON = json.loads("".join(pieces))
    return doc


class Documents:
    """The document half of `ports.Records`."""

    clients: Clients

    async def create(self, partition: str, key: str, doc: JSON) -> str:
        """Insert a document (JSON values, at most 500,000 characters as ASCII JSON). Returns the ETag.

        Raises RecordConflict if the key exists, RecordTooLarge, ServiceTrouble.
        """
        entity = packed(partition, key, doc)
        table = self.clients.here().table

        async def send() -> str:
            return _etag(await table.create_entity(entity))

        return await reliably(f"create document {partition}/{key}", send, self._landed(entity))

    async def read(self, partition: str, key: str) -> tuple[JSON, str] | None:
        """A document with its ETag, or None. Raises ServiceTrouble."""
        entity = await self._entity(escape(partition), escape(key), f"read document {partition}/{key}")
        return None if entity is None else (unpacked(entity), entity.metadata["etag"])

    async def replace(self, partition: str, key: str, doc: JSON, etag: str) -> str:
        """Overwrite a document that still has this ETag. Returns the new ETag.

        Raises RecordConflict if it has another one or is gone, RecordTooLarge, ServiceTrouble.
        """
        from azure.core import MatchConditions
        from azure.data.tables import UpdateMode

        entity = packed(partition, key, doc)
        table = self.clients.here().table

        async def send() -> str:
            return _etag(
                await table.update_entity(
                    entity, mode=UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified
                )
            )

        try:
            return await reliably(f"replace document {partition}/{key}", send, self._landed(entity))
        except RecordMissing as error:
            raise RecordConflict(str(error)) from None

    async def put(self, partition: str, key: str, doc: JSON) -> None:
        """Insert or overwrite without asking; only for documents with one writer.

        Raises RecordTooLarge, ServiceTrouble.
        """
        from azure.data.tables import UpdateMode

        entity = packed(partition, key, doc)
        table = self.clients.here().table
        await reliably(f"put document {partition}/{key}", lambda: table.upsert_entity(entity, mode=UpdateMode.REPLACE))

    async def remove(self, partition: str, key: str) -> None:
        """Delete a document; nothing happens if it is not there. Raises ServiceTrouble."""
        table = self.clients.here().table
        await reliably(
            f"remove document {partition}/{key}", lambda: table.delete_entity(escape(partition), escape(key))
        )

    async def scan(
        self, partition: str | None = None, *, first: str = "", last: str = "", spoiled: list[str] | None = None
    ) -> AsyncIterator[tuple[str, str, JSON]]:
        """(partition, key, document) by partition, then key, as Python sorts them.

        partition: None for all. first, last: only keys within [first, last]; empty for no limit. A page of up to
        1,000 entities is held at a time. Documents written meanwhile may or may not appear. Raises ServiceTrouble.
        """
        terms, values = [], {}
        if partition is not None:
            terms.append("PartitionKey eq @partition")
            values["partition"] = bound(partition)
        if first:
            terms.append("RowKey ge @first")
            values["first"] = bound(first)
        if last:
            terms.append("RowKey le @last")
            values["last"] = bound(last)
        table = self.clients.here().table
        token: Any = None
        while True:

            async def send(token: Any = token) -> tuple[list[Any], Any]:
                found = table.query_entities(" and ".join(terms), parameters=values) if terms else table.list_entities()
                pages = found.by_page(continuation_token=token)
                page = [entity async for entity in await anext(pages)]
                return page, getattr(pages, "continuation_token")  # noqa: B009  # not in the declared type

            page, token = await reliably("scan documents", send)
            for entity in page:
                yield unescape(entity["PartitionKey"]), unescape(entity["RowKey"]), unpacked(entity)
            if not token:
                return

    async def _entity(self, partition: str, key: str, what: str) -> Any:
        table = self.clients.here().table
        try:
            return await reliably(what, lambda: table.get_entity(partition, key))
        except RecordMissing:
            return None

    def _landed(self, entity: dict[str, str]) -> Any:
        """For `reliably`: the stored entity's ETag if this very call wrote it."""

        async def look() -> str | None:
            stored = await self._entity(entity["PartitionKey"], entity["RowKey"], "read a document after a lost answer")
            return stored.metadata["etag"] if stored is not None and stored["write"] == entity["write"] else None

        return look


def _etag(answer: Any) -> str:
    return str(answer["etag"])
