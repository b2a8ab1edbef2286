"""`ports.Records` whose blobs lie on disk, for tests that measure what activities hold in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from tenantclosure.errors import RecordConflict, RecordMissing
from tenantclosure.names import is_audit
from tests.fakes.memory_records import MemoryRecords

PIECE = 64 * 1024


class DiskRecords(MemoryRecords):
    """Memory records but for the blobs, each a file of `folder`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def _file(self, path: str) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    async def paths(self, prefix: str) -> AsyncIterator[str]:
        found = (file.relative_to(self.folder).as_posix() for file in self.folder.rglob("*") if file.is_file())
        for path in sorted(found):
            if path.startswith(prefix) and not is_audit(path):
                yield path

    async def remove_blob(self, path: str) -> None:
        self._file(path).unlink(missing_ok=True)

    async def write_blob(self, path: str, data: bytes) -> None:
        self._file(path).write_bytes(data)

    async def write_pieces(self, path: str, pieces: AsyncIterator[bytes]) -> None:
        with self._file(path).open("wb") as out:
            async for piece in pieces:
                out.write(piece)

    async def read_blob(self, path: str) -> bytes:
        if not self._file(path).exists():
            raise RecordMissing(path)
        return self._file(path).read_bytes()

    async def read_lines(self, path: str) -> AsyncIterator[bytes]:
        if not self._file(path).exists():
            raise RecordMissing(path)
        with self._file(path).open("rb") as lines:
            for line in lines:
                yield line.removesuffix(b"\n")

    async def read_pieces(self, path: str, length: int | None = None) -> AsyncIterator[bytes]:
        left = await self.length(path) if length is None else length
        if not self._file(path).exists():
            raise RecordMissing(path)
        with self._file(path).open("rb") as file:
            while piece := file.read(min(left, PIECE)):
                left -= len(piece)
                yield piece

    async def append(self, path: str, data: bytes, position: int) -> int:
        if await self.length(path) != position:
            raise RecordConflict(path)
        with self._file(path).open("ab") as file:
            file.write(data)
        return position + len(data)

    async def length(self, path: str) -> int:
        return self._file(path).stat().st_size if self._file(path).exists() else 0

    async def read_from(self, path: str, start: int) -> bytes:
        if not self._file(path).exists():
            return b""
        with self._file(path).open("rb") as file:
            file.seek(start)
            return file.read()
