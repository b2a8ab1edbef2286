"""What can be done to the items of a shard: how it is sent, what it costs, what a success makes of an item."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from tenantclosure.model.inventory import Answer
from tenantclosure.names import Outcome
from tenantclosure.ports import Directory

Send = Callable[[Directory, str, Sequence[str]], Awaitable[list[Answer]]]


async def _delete(directory: Directory, family: str, ids: Sequence[str]) -> list[Answer]:
    return await directory.delete_many(family, ids)


async def _block(directory: Directory, _family: str, ids: Sequence[str]) -> list[Answer]:
    return await directory.block_sign_in(ids)


async def _restore(directory: Directory, family: str, ids: Sequence[str]) -> list[Answer]:
    return await directory.restore_many(family, ids)


async def _enable(directory: Directory, _family: str, ids: Sequence[str]) -> list[Answer]:
    return await directory.allow_sign_in(ids)


OPERATIONS: dict[str, tuple[Send, int, int, Outcome]] = {
    "delete": (_delete, 20, 1, Outcome.REMOVED),
    "block": (_block, 10, 2, Outcome.REMOVED),
    "restore": (_restore, 20, 1, Outcome.RESTORED),
    "enable": (_enable, 20, 1, Outcome.RESTORED),
}
"""Per operation: how to send, items per batch (a batch holds 20 requests), writes per item, what a success makes of an
item. The last two only come about in a rollback's plan.
"""
