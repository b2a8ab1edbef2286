"""Blobs: whole files, files read line by line, and files that only grow."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from tenantclosure.errors import RecordConflict, RecordMissing
from tenantclosure.gateways.records.faults import code_of, reliably
from tenantclosure.names import is_audit

if TYPE_CHECKING:
    from azure.storage.blob.aio import BlobClient

    from tenantclosure.gateways.records.clients import Clients

BLOCK = 4 * 1024 * 1024
"""Bytes in one append, the limit of every service version; also what is read ahead when streaming."""


class Blobs:
    """The blob half of `ports.Records`."""

    clients: Clients

    async def write_blob(self, path: str, data: bytes) -> None:
        """Create or overwrite a blob. Raises ServiceTrouble."""
        blob = self._blob(path)
        await reliably(f"write blob {path}", lambda: blob.upload_blob(data, overwrite=True, max_concurrency=4))

    async def read_blob(self, path: str) -> bytes:
        """A whole blob. Raises RecordMissing if it is not there, RecordConflict if it changed meanwhile."""
        blob = self._blob(path)

        async def send() -> bytes:
            return await (await blob.download_blob()).readall()

        return await reliably(f"read blob {path}", send)

    async def read_lines(self, path: str) -> AsyncIterator[bytes]:
        """A blob's lines without their newline; a last line without newline counts, an empty rest doesn't.

        Holds 4 MiB and one line at a time. Reads what was there at the start: of an append blob that grows meanwhile
        its old length; a blob overwritten meanwhile raises RecordConflict. Raises RecordMissing, ServiceTrouble.
        """
        rest: list[bytes] = []
        async for piece in self._pieces(path):
            head, newline, tail = piece.partition(b"\n")
            rest.append(head)
            if not newline:
                continue
            yield b"".join(rest)
            *lines, last = tail.split(b"\n")
            for line in lines:
                yield line
            rest = [last]
        if any(rest):
            yield b"".join(rest)

    async def append(self, path: str, data: bytes, position: int) -> int:
        """Append to an append blob that is exactly `position` bytes long; 0 creates it. Returns the new length.

        Up to 4 MiB are appended whole or not at all. More goes as several blocks, so a crash or a conflict may leave
        the first ones: whoever reads again sees it in the length. A blob takes 50,000 blocks.
        After a lost answer the bytes at `position` are compared with `data`. Raises RecordConflict, RecordTooLarge,
        ServiceTrouble.
        """
        what = f"append to blob {path} at {position}"
        if position == 0:
            await self._create_append_blob(path)
        if not data and await self.length(path) != position:
            raise RecordConflict(f"{what}: it has another length.")
        for at in range(0, len(data), BLOCK):
            try:
                await self._append_block(path, data[at : at + BLOCK], position + at, what)
            except RecordMissing as error:
                raise RecordConflict(str(error)) from None
        return position + len(data)

    async def length(self, path: str) -> int:
        """Length of a blob in bytes; 0 if it is not there. Raises ServiceTrouble."""
        try:
            return int((await self._properties(path)).size)
        except RecordMissing:
            return 0

    async def read_tail(self, path: str, size: int) -> bytes:
        """The last `size` bytes of a blob; all of a shorter one, empty if it is not there. Raises ServiceTrouble."""
        end = await self.length(path)
        start = max(0, end - size)
        return await self._range(path, start, end - start) if end > start else b""

    def _blob(self, path: str) -> BlobClient:
        clients = self.clients.here()
        return (clients.audit if is_audit(path) else clients.container).get_blob_client(path)

    async def _append_block(self, path: str, block: bytes, position: int, what: str) -> None:
        blob = self._blob(path)

        async def send() -> bool:
            # A stream, because aiohttp writes large bytes in one go and the event loop would stand still.
            await blob.append_block(io.BytesIO(block), length=len(block), appendpos_condition=position)
            return True

        async def landed() -> bool | None:
            # Two writers with the very same bytes for the same place can't be told apart; then both are right.
            if await self.length(path) < position + len(block):
                return None
            return True if await self._range(path, position, len(block)) == block else None

        await reliably(what, send, landed)

    async def _create_append_blob(self, path: str) -> None:
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceExistsError, ResourceModifiedError

        blob = self._blob(path)

        async def send() -> None:
            try:
                await blob.create_append_blob(match_condition=MatchConditions.IfMissing)
            except (ResourceExistsError, ResourceModifiedError) as error:
                # It may be ours from a crash between creation and first block; the position decides.
                if code_of(error) not in ("BlobAlreadyExists", "ConditionNotMet"):
                    raise

        await reliably(f"create append blob {path}", send)

    async def _properties(self, path: str) -> Any:
        blob = self._blob(path)
        return await reliably(f"look at blob {path}", blob.get_blob_properties)

    async def _range(self, path: str, start: int, size: int, **condition: Any) -> bytes:
        blob = self._blob(path)

        async def send() -> bytes:
            data: bytes = await (await blob.download_blob(offset=start, length=size, **condition)).readall()
            return data

        return await reliably(f"read blob {path} at {start}", send)

    async def _pieces(self, path: str) -> AsyncIterator[bytes]:
        from azure.core import MatchConditions

        properties = await self._properties(path)
        condition: dict[str, Any] = {}
        # An append blob's ETag changes as it grows, but what was read before stays as it was.
        if properties.blob_type != "AppendBlob":
            condition = {"etag": properties.etag, "match_condition": MatchConditions.IfNotModified}
        for start in range(0, properties.size, BLOCK):
            yield await self._range(path, start, min(BLOCK, properties.size - start), **condition)
