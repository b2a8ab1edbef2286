"""The ring of keys that Records are sealed with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LEAST = 32
"""Bytes of a key: as long as the hash, so that guessing it is no easier than forging the hash."""


def key_id(key: bytes) -> str:
    """What names a key without telling it."""
    return hashlib.sha256(key).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys by their ids; `signing` makes new seals, every one is good for checking."""

    signing: str
    keys: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def of(cls, keys: Sequence[bytes]) -> KeyRing:
        """A ring whose first key signs. Raises ValueError for none, or one that is too short."""
        if not keys or any(len(key) < LEAST for key in keys):
            raise ValueError(f"a seal key has {LEAST} bytes or more")
        return cls(key_id(keys[0]), {key_id(key): key for key in keys})
