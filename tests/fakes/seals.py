"""Records of a test under a seal: what its process writes is sealed, what a test writes past it is not."""

from __future__ import annotations

import json
from typing import Any

from tenantclosure.ledger.sealed import SealedRecords
from tenantclosure.model.keys import KeyRing
from tenantclosure.names import SCHEMA
from tenantclosure.policy import seals
from tests.fakes.memory_records import MemoryRecords

RING = KeyRing.of([b"k" * 32])


async def _ring() -> KeyRing:
    return RING


def sealed(records: Any, ring: KeyRing = RING) -> SealedRecords:
    """These records, sealed and ready."""
    made = SealedRecords(records, _ring)
    made._ring = ring
    return made


def rewrite(records: MemoryRecords, partition: str, key: str, **changes: Any) -> None:
    """Change a stored document behind everybody's back, by somebody who has the key: its seal is sound."""
    text, etag = records.documents[partition, key]
    doc = {**seals.bare(json.loads(text)), **changes}
    records.documents[partition, key] = (json.dumps(seals.sealed(RING, f"{partition}/{key}", doc, SCHEMA)), etag)
