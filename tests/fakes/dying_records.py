"""Records whose process dies at the n-th write, and the same records for the next process."""

from __future__ import annotations

from typing import Any

from tests.fakes.memory_records import MemoryRecords


class Crash(BaseException):
    """The process is gone; no `except Exception` sees it."""


class DyingRecords(MemoryRecords):
    """The records of `base`; at write number `at` the process dies, before it landed or (`landed`) right after.

    With `at` 0 nothing dies; `count` tells how many writes there were. A dead process writes nothing more.
    """

    def __init__(self, base: MemoryRecords, at: int = 0, *, landed: bool = False) -> None:
        self.__dict__.update(base.__dict__)
        self.at, self.landed, self.count, self.dead = at, landed, 0, False

    async def _dying(self, write: Any) -> Any:
        if self.dead:
            write.close()
            raise Crash
        self.count += 1
        if self.count != self.at:
            return await write
        self.dead = True
        if self.landed:
            await write
        else:
            write.close()
        raise Crash

    async def create(self, *args: Any, **named: Any) -> Any:
        return await self._dying(super().create(*args, **named))

    async def replace(self, *args: Any, **named: Any) -> Any:
        return await self._dying(super().replace(*args, **named))

    async def put(self, *args: Any, **named: Any) -> Any:
        return await self._dying(super().put(*args, **named))

    async def remove(self, *args: Any, **named: Any) -> Any:
        return await self._dying(super().remove(*args, **named))

    async def remove_blob(self, *args: Any, **named: Any) -> Any:
        return await self._dying(super().remove_blob(*args, **named))

    async def write_blob(self, *args: Any, **named: Any) -> Any:
        return await self._dying(super().write_blob(*args, **named))

    async def write_pieces(self, *args: Any, **named: Any) -> Any:
        return await self._dying(super().write_pieces(*args, **named))

    async def append(self, *args: Any, **named: Any) -> Any:
        return await self._dying(super().append(*args, **named))
