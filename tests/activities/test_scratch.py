"""Ids on temporary disk: a set that tells what is new, where it belongs and what was marked; and mappings."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure import scratch
from tenantclosure.scratch import Ids, Shelf

some = st.lists(st.text(min_size=1, max_size=3), max_size=8)


@given(st.lists(st.tuples(some, some), max_size=5))
def test_it_does_what_a_set_does(steps: list[tuple[list[str], list[str]]]) -> None:
    """Whatever ids come, also repeated or of strange characters: fresh, part, marked and counted as with a dict."""
    parts: dict[str, int] = {}
    marked: dict[str, str] = {}
    with Ids() as ids:
        for number, (add, mark) in enumerate(steps):
            fresh = [id_ for id_ in dict.fromkeys(add) if id_ not in parts]
            parts |= dict.fromkeys(fresh, number)
            assert fresh == ids.add(add, number)
            marked |= {id_: str(number) for id_ in mark if id_ in parts}
            ids.note((id_, str(number)) for id_ in mark)
            assert {id_: parts[id_] for id_ in add + mark if id_ in parts} == ids.parts(add + mark)
            assert {id_: marked[id_] for id_ in add + mark if id_ in marked} == ids.notes(add + mark)
        assert sorted(marked, key=str.encode) == [*ids.each(marked=True)]
        assert sorted(parts.keys() - marked.keys(), key=str.encode) == [*ids.each(marked=False)]
        assert (len(marked), len(parts) - len(marked)) == (ids.count(marked=True), ids.count(marked=False))


def test_each_goes_past_one_fetch() -> None:
    """More than one fetch brings comes whole and in order, marked or not."""
    with Ids() as ids:
        names = [f"{number:05d}" for number in range(2_500)]
        ids.add(reversed(names))
        ids.mark(names[::2])
        assert (names[::2], names[1::2]) == ([*ids.each(marked=True)], [*ids.each(marked=False)])


def test_ids_that_no_text_can_hold() -> None:
    """Half a surrogate pair, a NUL and a letter's other case are ids of their own, and come back unchanged."""
    strange = ["a", "A", "a\0", "a\0b", "\ud800", "ä", "a\u0308"]
    with Ids() as ids:
        assert strange == ids.add(strange)
        assert [] == ids.add(strange)
        assert set(strange) == set(ids.each(marked=False))


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["put", "take", "keep"]), some), max_size=8))
def test_a_mapping_does_what_a_dict_does(steps: list[tuple[bool, str, list[str]]]) -> None:
    """Whatever is put in, taken out or kept: two mappings of one shelf are two dicts, in their keys' order."""
    with Shelf() as shelf:
        dicts: tuple[dict[str, int], dict[str, int]] = ({}, {})
        boards = (shelf.mapping(str, int), shelf.mapping(str, int))
        for number, (which, what, ids) in enumerate(steps):
            for one in (dicts[which], boards[which]):
                for id_ in ids:
                    match what:
                        case "put":
                            one[id_] = number
                        case "take":
                            one.pop(id_, None)
                        case _:
                            one.setdefault(id_, number)
            for expected, found in zip(dicts, boards, strict=True):
                ordered = sorted(expected.items(), key=lambda item: item[0].encode())
                assert (len(expected), ordered) == (len(found), [*found.items()])


def test_a_mapping_goes_past_one_fetch() -> None:
    """More than one fetch brings comes whole and in order, also while what was seen is taken out."""
    with Shelf() as shelf:
        board = shelf.mapping(str, int)
        names = {f"{number:05d}": number for number in range(2_500)}
        board.update(reversed(names.items()))
        assert [*names] == [board.pop(name) is None or name for name in board]
        with pytest.raises(KeyError):
            del board["00000"]
        assert 0 == len(board)


def test_it_spills(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What does not fit the cache goes to a file that nobody else sees, and no file is left behind."""
    monkeypatch.setattr(scratch, "CACHE", 64)
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    before = _written()
    with Ids() as ids:
        for start in range(0, 20_000, 1_000):
            ids.add(f"{number * 7919 % 20_000:036d}" for number in range(start, start + 1_000))
        assert [] == [*tmp_path.iterdir()]
        assert 20_000 * 36 < _written() - before
    assert [] == [*tmp_path.iterdir()]


def _written() -> int:
    """Bytes that this process has handed to write calls."""
    (line,) = [line for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("wchar")]
    return int(line.split()[1])
