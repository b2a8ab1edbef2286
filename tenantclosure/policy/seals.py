"""Seals: an HMAC over a document and its place, so that only whoever has the key can have written it there.

A seal is `{"v": schema, "key": id, "mac": hex}`. The key's id is the beginning of its SHA-256, so a ring of keys tells
which one to use, and a new key can sign while an older one is still good for checking.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from tenantclosure.model.keys import KeyRing

MEMBER = "seal"
"""The document's member that holds the seal."""


def sealed(ring: KeyRing, place: str, doc: Mapping[str, Any], schema: int) -> dict[str, Any]:
    """The document with its seal. `place` says where it lies, so that it counts nowhere else."""
    seal = {"v": schema, "key": ring.signing}
    return {**doc, MEMBER: {**seal, "mac": _mac(ring.keys[ring.signing], place, doc, schema)}}


def fault(ring: KeyRing, place: str, doc: Mapping[str, Any]) -> str | None:
    """What is wrong with a stored document's seal, in words for a person; None when it is sound."""
    seal = doc.get(MEMBER)
    if not isinstance(seal, Mapping):
        return "has no seal"
    schema, name, mac = seal.get("v"), seal.get("key"), seal.get("mac")
    if not (isinstance(schema, int) and isinstance(name, str) and isinstance(mac, str)):
        return "has no seal"
    if name not in ring.keys:
        return f"was sealed with a key that we do not have ({name[:12]})"
    if not mac.isascii() or not hmac.compare_digest(mac, _mac(ring.keys[name], place, bare(doc), schema)):
        return "was changed after it was sealed"
    return None


def schema_of(doc: Mapping[str, Any]) -> int:
    """The schema version under which a sound document was sealed."""
    return int(doc[MEMBER]["v"])


def bare(doc: Mapping[str, Any]) -> dict[str, Any]:
    """The document without its seal."""
    return {name: value for name, value in doc.items() if name != MEMBER}


def _mac(key: bytes, place: str, doc: Mapping[str, Any], schema: int) -> str:
    # ASCII with sorted keys: one text for one value, also after a round through storage.
    text = json.dumps([schema, place, doc], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hmac.new(key, text.encode("ascii"), hashlib.sha256).hexdigest()
