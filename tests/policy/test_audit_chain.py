"""The audit chain: any line that is changed, missing, inserted or moved is found."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.policy.audit_chain import START, encode, head, link, verify

details = st.dictionaries(
    st.text(max_size=5), st.one_of(st.text(max_size=10), st.integers(-9, 9), st.booleans()), max_size=3
)
CHAINS = st.lists(details, min_size=2, max_size=8)


def chain(told: list[dict[str, Any]]) -> list[bytes]:
    data = b""
    for detail in told:
        previous, number = head(data)
        data += encode(link({"word": "x:y", "detail": detail}, previous, number))
    return data.splitlines()


@given(CHAINS)
def test_a_whole_chain_is_whole(told: list[dict[str, Any]]) -> None:
    """An untouched chain verifies, names its length and its head."""
    lines = chain(told)
    verdict = verify(lines)
    assert (verdict.ok, verdict.lines, verdict.head) == (True, len(told), json.loads(lines[-1])["hash"])


@given(CHAINS, st.data())
def test_any_changed_byte_is_found(told: list[dict[str, Any]], data: st.DataObject) -> None:
    """Whatever byte of whatever line is replaced, removed or doubled, the check says so."""
    lines = chain(told)
    number = data.draw(st.integers(0, len(lines) - 1))
    line = lines[number]
    at = data.draw(st.integers(0, len(line) - 1))
    new = data.draw(st.binary(max_size=2).filter(lambda piece: piece != line[at : at + 1]))
    changed = line[:at] + new + line[at + 1 :]
    assert not verify([*lines[:number], changed, *lines[number + 1 :]]).ok


@given(CHAINS, st.data())
def test_missing_inserted_and_moved_lines_are_found(told: list[dict[str, Any]], data: st.DataObject) -> None:
    """A line that is missing (before the end), twice, foreign, or in another place is found."""
    lines = chain(told)
    at = data.draw(st.integers(0, len(lines) - 2))
    foreign = chain([{"other": 1}, {"story": 2}])[min(at, 1)]
    assert not verify([*lines[:at], *lines[at + 1 :]]).ok
    assert not verify([*lines[:at], lines[at], *lines[at:]]).ok
    assert not verify([*lines[:at], foreign, *lines[at:]]).ok
    assert not verify([*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]).ok


@given(CHAINS)
def test_an_end_cut_off_shows_in_the_head_only(told: list[dict[str, Any]]) -> None:
    """Lines missing at the very end leave a sound chain: only a head noted elsewhere (the report's) tells of them."""
    lines = chain(told)
    whole, cut = verify(lines), verify(lines[:-1])
    assert cut.ok
    assert cut.head != whole.head
    assert cut.lines == whole.lines - 1


def test_a_rewritten_line_needs_every_later_one() -> None:
    """A line whose own hash was made anew no longer fits the line after it."""
    lines = chain([{"a": 1}, {"b": 2}])
    forged = {key: value for key, value in json.loads(lines[0]).items() if key not in ("hash", "n", "prev")}
    again = encode(link({**forged, "word": "forged"}, START, 0)).rstrip()
    verdict = verify([again, lines[1]])
    assert (verdict.ok, verdict.line) == (False, 2)


def test_a_doubled_key_is_found() -> None:
    """Bytes that parse to the same object but read otherwise to a person are a change."""
    line = chain([{"a": 1}])[0]
    assert not verify([b'{"word":"forged",' + line[1:]]).ok
    assert not verify([line.replace(b",", b", ", 1)]).ok


def test_rubbish_is_not_an_audit_line() -> None:
    """Text, other JSON and nothing at all are found as faults of that line, never as a crash."""
    for raw in (b"", b"no json", b"[]", b"null", b"{}", b'{"hash":1}', b'{"hash":"x","a":NaN}', b"\xff"):
        verdict = verify([raw])
        assert (verdict.ok, verdict.line) == (False, 1)


def test_an_empty_chain_starts() -> None:
    """Before the first line the head is the start."""
    assert verify([]).head == START
    assert head(b"") == (START, 0)
