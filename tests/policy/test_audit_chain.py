"""The audit chain: any line that is changed, missing, inserted or moved is found."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.policy.audit_chain import START, Head, Verdict, encode, follows, head, link, verify

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


def test_a_verdict_tells_where_the_sound_part_ends() -> None:
    """How many lines are sound, the head of those, the fault and its line: who reads it knows where to look."""
    lines = chain([{"a": 1}, {"b": 2}, {"c": 3}])
    good = json.loads(lines[0])["hash"]
    faults = {
        "is not an audit line": [lines[0], b"rubbish", lines[2]],
        "does not follow the line before it": [lines[0], lines[2]],
        "was changed after it was written": [lines[0], lines[1].replace(b'"b":2', b'"b":3'), lines[2]],
    }
    for fault, found in faults.items():
        assert Verdict(False, 1, good, fault, 2) == verify(found)


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


def test_what_follows_a_known_line() -> None:
    """After a line that is known only whole lines of its chain may come: none, all, but no torn or foreign one."""
    lines = chain([{"a": 1}, {"b": 2}, {"c": 3}])
    known = Head(json.loads(lines[0])["hash"], 0, len(lines[0]) + 1)
    rest = b"".join(line + b"\n" for line in lines[1:])
    assert follows(known, b"")
    assert follows(known, rest)
    for wrong in (rest[:-1], lines[2] + b"\n", rest.replace(b'"c":3', b'"c":4'), b"\n", b"rubbish\n"):
        assert not follows(known, wrong)
    assert known == Head.from_dict(known.to_dict())


def test_a_torn_end_starts_anew() -> None:
    """What is appended after a torn line links to the start, so that the break shows for ever."""
    whole = b"\n".join(chain([{"a": 1}, {"b": 2}])) + b"\n"
    assert 2 == head(whole)[1]
    for torn in (whole[:-2], b"rubbish", b"[]\n", b"{}\n", b"\n"):
        assert (START, 0) == head(torn)


def test_rubbish_is_not_an_audit_line() -> None:
    """Text, other JSON and nothing at all are found as faults of that line, never as a crash."""
    for raw in (b"", b"no json", b"[]", b"null", b"{}", b'{"hash":1}', b'{"hash":"x","a":NaN}', b"\xff"):
        verdict = verify([raw])
        assert (verdict.ok, verdict.line) == (False, 1)


def test_an_empty_chain_starts() -> None:
    """Before the first line the head is the start."""
    assert verify([]).head == START
    assert head(b"") == (START, 0)
