"""Ids on temporary disk: what is too many for memory is compared here, and vanishes with its use."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

CACHE = 8 * 1024
"""KiB of pages that SQLite keeps in memory."""

_TABLE = "CREATE TABLE ids (id BLOB PRIMARY KEY, part INTEGER NOT NULL, note TEXT) WITHOUT ROWID"


class Ids:
    """A set of ids, each in a numbered part and marked or not; a mark may carry a note.

    A private temporary database of SQLite: without a name it has no file that anybody else could open, it spills beyond
    its cache, and it is gone when this closes or the process dies. An id is kept as bytes, so that none is altered.
    """

    def __init__(self) -> None:
        # Another thread than the one that made it may close it, when a generator is given up.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for pragma in (f"cache_size=-{CACHE}", "journal_mode=OFF", "synchronous=OFF", "temp_store=FILE"):
            self._db.execute(f"PRAGMA {pragma}").close()
        self._db.execute(_TABLE).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def add(self, ids: Iterable[str], part: int = 0) -> list[str]:
        """Put ids into a part; returns those that were not here yet, each once, in their order."""
        wanted = list(dict.fromkeys(ids))
        known = self.parts(wanted)
        fresh = [id_ for id_ in wanted if id_ not in known]
        self._many("INSERT INTO ids (id, part) VALUES (?, ?)", [(_key(id_), part) for id_ in sorted(fresh)])
        return fresh

    def parts(self, ids: Iterable[str]) -> dict[str, int]:
        """Which of these ids are here, and in which part each is."""
        return {id_: int(part) for id_, (part, _) in self._rows(ids)}

    def mark(self, ids: Iterable[str], note: str = "") -> None:
        """Mark ids that are here."""
        self.note((id_, note) for id_ in ids)

    def note(self, notes: Iterable[tuple[str, str]]) -> None:
        """Mark ids that are here, each with its note."""
        self._many("UPDATE ids SET note = ? WHERE id = ?", [(note, _key(id_)) for id_, note in notes])

    def notes(self, ids: Iterable[str]) -> dict[str, str]:
        """The notes of those of these ids that are marked."""
        return {id_: str(note) for id_, (_, note) in self._rows(ids) if note is not None}

    def count(self, *, marked: bool) -> int:
        """How many are marked, or are not."""
        return int(self._db.execute("SELECT COUNT(*) FROM ids WHERE (note IS NOT NULL) = ?", (marked,)).fetchone()[0])

    def each(self, *, marked: bool) -> Iterator[str]:
        """All that are marked, or are not, in order."""
        some, last = "SELECT id FROM ids WHERE id > ? AND (note IS NOT NULL) = ? ORDER BY id LIMIT 1000", b""
        while found := self._db.execute(some, (last, marked)).fetchall():
            for (last,) in found:
                yield _id(last)

    def _rows(self, ids: Iterable[str]) -> Iterator[tuple[str, tuple[Any, Any]]]:
        for id_ in ids:
            row = self._db.execute("SELECT part, note FROM ids WHERE id = ?", (_key(id_),)).fetchone()
            if row is not None:
                yield id_, row

    def _many(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        self._db.execute("BEGIN").close()
        self._db.executemany(statement, rows).close()
        self._db.execute("COMMIT").close()


def _key(id_: str) -> bytes:
    return id_.encode("utf-8", "surrogatepass")


def _id(key: bytes) -> str:
    return key.decode("utf-8", "surrogatepass")
