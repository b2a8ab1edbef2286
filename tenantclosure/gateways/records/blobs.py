"""Blobs: whole files, files read line by line, and files that only grow."""

from __future__ import annotations

import io
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tenantclosure.errors import RailBroken, RecordConflict, RecordMissing
from tenantclosure.gateways.records.faults import code_of, reliably
from tenantclosure.names import Rail, is_audit

if TYPE_CHECKING:
    from azure.storage.blob.aio import BlobClient, ContainerClient

    from tenantclosure.gateways.records.clients import Clients

BLOCK = 4 * 1024 * 1024
"""Bytes in one append, the limit of every service version."""
PIECE = 1024 * 1024
"""Bytes that are held of a blob that is read or written as a stream; the clients make a few copies of them."""
THERE = frozenset({"BlobAlreadyExists", "ConditionNotMet", "BlobImmutableDueToPolicy"})
"""How storage says that a blob is there already; the last one in a container under an immutability policy."""


class Blobs:
    """The blob half of `ports.Records`."""

    clients: Clients

    async def write_blob(self, path: str, data: bytes) -> None:
        """Create or overwrite a blob. Raises ServiceTrouble."""
        blob = self._blob(path)
        await reliably(f"write blob {path}", lambda: blob.upload_blob(data, overwrite=True, max_concurrency=4))

    async def write_pieces(self, path: str, pieces: AsyncIterator[bytes]) -> None:
        """Create or overwrite a blob with what comes piece by piece; about a block of it is held at a time.

        Blocks are staged and only the last call makes them the blob: if that is not reached, the blob is as it was. A
        blob takes 50,000 blocks. Raises ServiceTrouble, and whatever `pieces` raises.
        """
        held, staged = bytearray(), list[str]()
        write = secrets.token_hex(8)  # another writer's blocks are none of ours
        async for piece in pieces:
            held += piece
            while len(held) >= PIECE:
                staged.append(await self._stage(path, f"{write}-{len(staged):05d}", bytes(held[:PIECE])))
                del held[:PIECE]
        if not staged:
            await self.write_blob(path, bytes(held))
            return
        if held:
            staged.append(await self._stage(path, f"{write}-{len(staged):05d}", bytes(held)))
        await self._commit(path, staged)

    async def read_blob(self, path: str) -> bytes:
        """A whole blob. Raises RecordMissing if it is not there, RecordConflict if it changed meanwhile."""
        blob = self._blob(path)

        async def send() -> bytes:
            return await (await blob.download_blob()).readall()

        return await reliably(f"read blob {path}", send)

    async def read_lines(self, path: str) -> AsyncIterator[bytes]:
        """A blob's lines without their newline; a last line without newline counts, an empty rest doesn't.

        Holds 1 MiB and one line at a time. Reads what was there at the start: of an append blob that grows meanwhile
        its old length; a blob overwritten meanwhile raises RecordConflict. Raises RecordMissing, ServiceTrouble.
        """
        rest: list[bytes] = []
        async for piece in self.read_pieces(path):
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

    async def read_pieces(self, path: str, length: int | None = None) -> AsyncIterator[bytes]:
        """A blob's first `length` bytes (all of it by default, or if it is shorter) in pieces of 1 MiB at most.

        What was there at the start, as with `read_lines`. Raises RecordMissing, RecordConflict, ServiceTrouble.
        """
        from azure.core import MatchConditions

        properties = await self._properties(path)
        condition: dict[str, Any] = {}
        # An append blob's ETag changes as it grows, but what was read before stays as it was.
        if properties.blob_type != "AppendBlob":
            condition = {"etag": properties.etag, "match_condition": MatchConditions.IfNotModified}
        end = properties.size if length is None else min(length, properties.size)
        for start in range(0, end, PIECE):
            yield await self._range(path, start, min(PIECE, end - start), **condition)

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

    async def read_from(self, path: str, start: int) -> bytes:
        """A blob's bytes from `start` to its end, in one request; empty if it is no longer than that, or not there.

        Raises ServiceTrouble.
        """
        blob = self._blob(path)

        async def send() -> bytes:
            from azure.core.exceptions import HttpResponseError

            try:
                data: bytes = await (await blob.download_blob(offset=start)).readall()
            except HttpResponseError as error:
                if code_of(error) == "InvalidRange":
                    return b""
                raise
            return data

        try:
            return await reliably(f"read blob {path} from {start}", send)
        except RecordMissing:
            return b""

    async def paths(self, prefix: str) -> AsyncIterator[str]:
        """Paths of all blobs that begin so, but for audit chains, in order. Raises ServiceTrouble."""
        container = self.clients.here().container
        at: str | None = None

        async def send() -> tuple[list[str], str | None]:
            return await _page(container, prefix, at)

        while True:
            found, at = await reliably(f"list blobs {prefix}", send)
            for path in found:
                yield path
            if not at:
                return

    async def remove_blob(self, path: str) -> None:
        """Delete a blob with its snapshots; nothing happens if it is not there.

        Raises RailBroken for an audit chain, ServiceTrouble, also where a policy or a legal hold keeps it.
        """
        if is_audit(path):
            raise RailBroken(Rail.AUDIT, f"{path} is an audit chain: it is never deleted.")
        blob = self._blob(path)
        with suppress(RecordMissing):
            await reliably(f"delete blob {path}", lambda: blob.delete_blob(delete_snapshots="include"))

    def _blob(self, path: str) -> BlobClient:
        clients = self.clients.here()
        return (clients.audit if is_audit(path) else clients.container).get_blob_client(path)

    async def _stage(self, path: str, block_id: str, block: bytes) -> str:
        blob = self._blob(path)
        # A stream, as in an append; staged twice it is there once.
        await reliably(
            f"stage a block of blob {path}",
            lambda: blob.stage_block(block_id, io.BytesIO(block), length=len(block)),
        )
        return block_id

    async def _commit(self, path: str, staged: list[str]) -> None:
        from azure.storage.blob import BlobBlock

        blob, blocks = self._blob(path), [BlobBlock(block_id) for block_id in staged]
        await reliably(f"write blob {path}", lambda: blob.commit_block_list(blocks))

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
                if code_of(error) not in THERE:
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


async def _page(container: ContainerClient, prefix: str, at: str | None) -> tuple[list[str], str | None]:
    """One page of names, and where the next one begins."""
    pages: Any = container.list_blob_names(name_starts_with=prefix).by_page(at)
    async for page in pages:
        return [name async for name in page], pages.continuation_token
    return [], None
