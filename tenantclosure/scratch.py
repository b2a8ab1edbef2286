"""Ids and mappings on temporary disk: what is too many for memory is compared here, and vanishes with its use."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from types import TracebackType
from typing import Any, Self

CACHE = 8 * 1024
"""KiB of pages that SQLite keeps in memory."""

_IDS = "CREATE TABLE ids (id BLOB PRIMARY KEY, part INTEGER NOT NULL, note TEXT) WITHOUT ROWID"
_SHELF = "CREATE TABLE shelf (board INTEGER, id BLOB, value TEXT NOT NULL, PRIMARY KEY (board, id)) WITHOUT ROWID"


class _Scratch:
    """A private temporary database of SQLite: without a name it has no file that anybody else could open, it spills
    beyond its cache, and it is gone when this closes or the process dies. An id is kept as bytes, so that none is
    altered.
    """

    def __init__(self, table: str) -> None:
        # Another thread than the one that made it may close it, when a generator is given up.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for pragma in (f"cache_size=-{CACHE}", "journal_mode=OFF", "synchronous=OFF", "temp_store=FILE"):
            self._db.execute(f"PRAGMA {pragma}").close()
        self._db.execute(table).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()


class Ids(_Scratch):
    """A set of ids, each in a numbered part and marked or not; a mark may carry a note."""

    def __init__(self) -> None:
        super().__init__(_IDS)

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


class Shelf(_Scratch):
    """Mappings with ids as their keys, side by side in one database."""

    def __init__(self) -> None:
        super().__init__(_SHELF)
        self._db.execute("BEGIN").close()  # never committed: nobody else reads it, and each write is cheaper
        self._boards = 0

    def mapping[V](self, dump: Callable[[V], str], load: Callable[[str], V]) -> MutableMapping[str, V]:
        """A new, empty one, which iterates in the order of its keys; values are kept as text."""
        self._boards += 1
        return _Board(self._db, self._boards, dump, load)


class _Board[V](MutableMapping[str, V]):
    """One mapping of a shelf."""

    def __init__(self, db: sqlite3.Connection, number: int, dump: Callable[[V], str], load: Callable[[str], V]) -> None:
        self._db, self._number, self._dump, self._load = db, number, dump, load

    def __getitem__(self, id_: str) -> V:
        where = (self._number, _key(id_))
        row = self._db.execute("SELECT value FROM shelf WHERE board = ? AND id = ?", where).fetchone()
        if row is None:
            raise KeyError(id_)
        return self._load(row[0])

    def __setitem__(self, id_: str, value: V) -> None:
        row = (self._number, _key(id_), self._dump(value))
        self._db.execute("INSERT OR REPLACE INTO shelf (board, id, value) VALUES (?, ?, ?)", row).close()

    def __delitem__(self, id_: str) -> None:
        where = (self._number, _key(id_))
        if not self._db.execute("DELETE FROM shelf WHERE board = ? AND id = ?", where).rowcount:
            raise KeyError(id_)

    def __iter__(self) -> Iterator[str]:
        some, last = "SELECT id FROM shelf WHERE board = ? AND id > ? ORDER BY id LIMIT 1000", b""
        while found := self._db.execute(some, (self._number, last)).fetchall():
            for (last,) in found:
                yield _id(last)

    def __len__(self) -> int:
        return int(self._db.execute("SELECT COUNT(*) FROM shelf WHERE board = ?", (self._number,)).fetchone()[0])


def _key(id_: str) -> bytes:
    return id_.encode("utf-8", "surrogatepass")


def _id(key: bytes) -> str:
    return key.decode("utf-8", "surrogatepass")
