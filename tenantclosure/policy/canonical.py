"""Canonical JSON and SHA-256: how plans, shards and audit lines get their digests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import rfc8785


def canonical(value: Any) -> bytes:
    """The RFC 8785 form of a JSON value."""
    return rfc8785.dumps(value)


def sha256(data: bytes) -> str:
    """Lower-case hex SHA-256."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Mapping[str, Any]) -> str:
    """SHA-256 of a JSON object in RFC 8785 form."""
    return sha256(canonical(dict(value)))
