"""Whether Records still are what we wrote: decisions, audit chain and evidence, before anything relies on them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable

from tenantclosure import names
from tenantclosure.errors import RailBroken, RecordMissing
from tenantclosure.ledger.gates import Words
from tenantclosure.names import Rail
from tenantclosure.policy.audit_chain import Verdict
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts

AT_ONCE = 8
"""Shards whose evidence is read side by side."""


async def check_words(parts: Parts, closure: str) -> Words:
    """Before each batch: every decision and gate is sealed and the audit chain was not cut. Raises RailBroken."""
    words = await parts.ledger.words(closure)
    if fault := await parts.ledger.chain_fault(closure, words.note):
        raise RailBroken(Rail.AUDIT, f"The audit chain {fault}.")
    return words


async def check_records(parts: Parts, closure: str) -> None:
    """Before each phase and each wave: also every audit line, and all evidence, are as they were written.

    Raises RailBroken. It reads all evidence of the closure, a few hundred bytes for each item.
    """
    if (fault := sentence(await parts.ledger.audit_verdict(closure))) is not None:
        raise RailBroken(Rail.AUDIT, fault)
    some: list[Awaitable[None]] = []
    async for serial, family, operation, shard, noted in parts.ledger.shards(closure):
        some.append(check_evidence(parts, names.evidence_path(closure, serial, family, operation, shard), noted))
        if len(some) == AT_ONCE:
            await asyncio.gather(*some)
            some.clear()
    await asyncio.gather(*some)


def sentence(verdict: Verdict) -> str | None:
    """What a check of the audit chain found wrong, or None."""
    where = f"Line {verdict.line} of the audit chain" if verdict.line else "The audit chain"
    return None if verdict.ok else f"{where} {verdict.fault}."


async def check_evidence(parts: Parts, path: str, noted: JSON) -> None:
    """That a shard's journal begins with what its note says; what a crash let come after it may follow."""
    whole, length = hashlib.sha256(), 0
    try:
        async for piece in parts.records.read_pieces(path, noted["length"]):
            whole.update(piece)
            length += len(piece)
    except RecordMissing:
        pass
    if (length, whole.hexdigest()) != (noted["length"], noted["sha256"]):
        raise RailBroken(Rail.EVIDENCE, f"The evidence {path} is not what was written.")
