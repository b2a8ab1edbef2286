"""What every fuzz test stands on: how many examples, JSON that nobody expects, and documents with one thing wrong."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("EXAMPLES") or 0)
"""`make fuzz` sets it; without it every test runs its own few examples, the same ones each time."""


def fuzz(usual: int) -> settings:
    """`usual` examples, or as many as EXAMPLES says; a failing one prints what replays it."""
    return settings(
        max_examples=EXAMPLES or usual,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


TEXTS = st.text(max_size=20) | st.sampled_from(
    ["", " ", "\ud800", "null", "0", "-1", "\u00b2", "1" * 5000, "x" * 600, "\x00", "../x", "'\"<&>", "1e400", "[]"]
)
NUMBERS = st.integers() | st.sampled_from([0, -1, 2**53, 2**64, 10**30]) | st.floats(allow_nan=False)
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
"""Any JSON value; half characters and numbers that fit nowhere among them."""


class Body(bytes):
    """Bytes that show only how they begin."""

    def __repr__(self) -> str:
        return f"{bytes(self[:60])!r} ({len(self)} bytes)"


BODIES: st.SearchStrategy[bytes] = st.one_of(
    st.binary(max_size=60),
    TEXTS.map(lambda text: text.encode("utf-8", "replace")),
    JUNK.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [
            b"",
            b"{",
            b"null",
            b"[" * 60_000,
            b'{"a":' * 12_000,
            b"\xef\xbb\xbf{}",
            b"\xff\xfe",
            b"NaN",
            b'{"a":1e999}',
            b'{"a":1,"a":2}',
            b"1" * 5000,
            b'"\\ud800"',
            b"<html>",
            b"{}{}",
        ]
    ),
).map(Body)
"""Bytes where JSON is expected."""


def encoded(value: Any) -> bytes:
    """As a service may write it: escaped, so that half characters get through."""
    return json.dumps(value).encode()


def kept(text: str) -> str:
    """A text of an answer as we keep it: half a character is replaced."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, member in inner for place in _places(member, (*path, key)))]


@st.composite
def spoiled(draw: Callable[..., Any], document: Any, most: int = 2) -> Any:
    """The document with one to `most` of its values replaced, removed, doubled, or joined by a stranger."""
    found = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, most))):
        path = draw(st.sampled_from(_places(found)))
        if not path:
            how = "replace" if draw(st.integers(0, 9)) == 0 else "none"
        else:
            how = draw(st.sampled_from(["replace", "replace", "remove", "double", "add"]))
        if how == "none":
            continue
        if not path:
            found = draw(JUNK)
            continue
        *way, last = path
        holder = found
        for key in way:
            holder = holder[key]
        if how == "replace":
            holder[last] = draw(JUNK)
        elif how == "remove":
            del holder[last]
        elif how == "double" and isinstance(holder, list):
            holder.insert(draw(st.integers(0, len(holder))), copy.deepcopy(holder[last]))
        elif isinstance(holder, list):
            holder.insert(draw(st.integers(0, len(holder))), draw(JUNK))
        else:
            holder[draw(TEXTS)] = draw(JUNK)
    return found
