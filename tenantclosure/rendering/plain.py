"""Text from outside made harmless for a message: one line, no control or direction marks, no live links, bounded."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

_SPACE = frozenset({"Cc", "Zs", "Zl", "Zp"})
_GONE = frozenset({"Cf", "Cs", "Co", "Cn"})
"""Format marks (direction overrides, zero-width and tag characters), lone surrogates, private use, unassigned."""
_WEB = re.compile(r"(?i)\bwww(?=\.)")
FREE = frozenset(
    {
        *("displayName", "domain", "initialDomain", "reason", "name", "upn", "comment", "why", "asked", "deputies"),
        *("limits", "title", "who", "probe"),
    }
)
"""Members of a message's data whose length people choose; the others are ours and short."""
SHORT = 100


def clean(text: object, most: int = 300) -> str:
    """`text` as one line of at most `most` characters that shows what it is and does nothing.

    An address loses its colon or dot's place ("https[:]//", "www[.]"), so that no mail program makes a link of it.
    """
    known = unicodedata.normalize("NFC", str(text))
    kinds = ((char, unicodedata.category(char)) for char in known)
    line = " ".join("".join(" " if kind in _SPACE else char for char, kind in kinds if kind not in _GONE).split())
    line = _WEB.sub("www[.]", line.replace("://", "[:]//"))
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def cleaned(value: Any, most: int, key: str = "") -> Any:
    """A whole message's data with every text clean: free ones cut to `most` characters, lists to ten entries."""
    match value:
        case str():
            return clean(value, most if key in FREE else SHORT)
        case Mapping():
            return {clean(name, SHORT): cleaned(member, most, str(name)) for name, member in value.items()}
        case list() | tuple():
            return [cleaned(member, most, key) for member in value[:10]]
        case _:
            return value
