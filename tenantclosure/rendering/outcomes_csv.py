"""Every item's outcome as CSV that a spreadsheet opens without running anything in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

COLUMNS = ("family", "operation", "id", "name", "outcome", "status", "code", "reason", "requestId", "at")

RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A cell that begins so may be taken for a formula (the wide forms in some locales); a quote in front makes it text."""


def header() -> bytes:
    """The byte order mark by which spreadsheets know UTF-8, and the line of column names."""
    return b"\xef\xbb\xbf" + _lines([COLUMNS])


def rows(family: str, operation: str, lines: Iterable[Mapping[str, Any]]) -> bytes:
    """One line per outcome; what an entry lacks stays empty."""
    return _lines([family, operation, *(line.get(column) for column in COLUMNS[2:])] for line in lines)


def safe(value: object) -> str:
    """The value as text that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value).replace("\x00", "")
    return f"'{text}" if text.lstrip(" ").startswith(RISKY) else text


def _lines(table: Iterable[Iterable[object]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    for row in table:
        writer.writerow([safe(value) for value in row])
    return out.getvalue().encode("utf-8", errors="replace")
