"""A shard's journal: what it knows after a crash is what it knew before, and nothing settled is sent again."""

from __future__ import annotations

from dataclasses import fields
from hashlib import sha256
from typing import Any

from activities.journal import Journal, last_outcomes
from tests.fakes.memory_records import MemoryRecords

PATH = "c-1/evidence/1/users/delete/00000.jsonl"
AT, LATER = "2026-11-01T00:00:00Z", "2026-11-01T01:00:00Z"


def outcome(id_: str, word: str) -> dict[str, Any]:
    return {"t": "outcome", "id": id_, "outcome": word, "at": AT}


def trouble(id_: str, status: int) -> dict[str, Any]:
    return {"t": "trouble", "id": id_, "status": status, "at": AT}


def retry(*ids: str) -> dict[str, Any]:
    return {"t": "retry", "ids": list(ids), "at": AT}


async def journal(*lines: dict[str, Any], sent: tuple[str, ...] = (), again: tuple[str, ...] = ()) -> Journal:
    """A journal in which these ids were sent, and sent again, before these lines came."""
    found = Journal(MemoryRecords(), PATH)
    for ids, repeated in ((sent, False), (again, True)):
        if ids:
            await found.intend(ids, AT, again=repeated)
    await found.answered(list(lines))
    return found


def knowledge(found: Journal) -> dict[str, Any]:
    known = {one.name: getattr(found, one.name) for one in fields(Journal) if one.name not in ("records", "_hash")}
    return {**known, "sha256": found.sha256()}


async def test_it_reads_back_as_it_was_written() -> None:
    """After a crash a new process knows everything the old one did, down to the hash and where the next line goes."""
    written = Journal(MemoryRecords(), PATH)
    await written.intend(["a", "b", "c", "d", "e", "f"], AT, again=False)
    await written.answered([outcome("a", "removed"), outcome("b", "refused"), outcome("f", "kept"), trouble("c", 503)])
    await written.intend(["c", "d"], LATER, again=True)
    await written.answered([{"t": "cause", "cause": "privileged", "ids": ["b"], "at": AT}, retry("b", "f")])
    read = await Journal(written.records, PATH).read()
    assert knowledge(written) == knowledge(read)
    data = await written.records.read_blob(PATH)
    assert (len(data), sha256(data).hexdigest()) == (read.position, read.sha256())
    assert {"removed": 1, "refused": 1, "kept": 1} == read.counts()
    assert (8, 2, AT, {"b": "privileged"}) == (read.writes, read.resent, read.first_write, read.causes)


async def test_it_goes_on_where_it_ended() -> None:
    """What is appended after reading stands behind what was there, and one hash covers both."""
    first = await journal(outcome("a", "removed"), sent=("a",))
    second = await Journal(first.records, PATH).read()
    await second.intend(["b"], LATER, again=False)
    data = await first.records.read_blob(PATH)
    assert (3, sha256(data).hexdigest()) == (len(data.splitlines()), second.sha256())
    assert AT == second.first_write


async def test_a_journal_without_lines_is_empty() -> None:
    """Before anything was sent nothing is known, and nothing to say writes nothing."""
    records = MemoryRecords()
    found = await Journal(records, PATH).read()
    await found.answered([])
    assert ({}, 0, None, []) == (found.counts(), found.position, found.first_write, records.writes)


async def test_sent_and_not_answered_is_in_doubt() -> None:
    """Whoever has an intent and no answer is in doubt, in the order of sending; any answer ends the doubt."""
    found = await journal(outcome("b", "removed"), trouble("d", 429), trouble("d", 503), sent=("c", "b", "a", "d"))
    assert ["c", "a"] == list(found.in_doubt)
    assert {"d": 2} == found.tries


async def test_settled_until_tried_again() -> None:
    """Refused, failed and kept are settled until a review reopens them; the next outcome settles them for good."""
    words = {"a": "removed", "b": "refused", "c": "failed", "d": "kept", "e": "absent"}
    found = await journal(*(outcome(*one) for one in words.items()), sent=tuple("abcdef"))
    assert [*"abcde"] == [id_ for id_ in "abcdef" if found.settled(id_)]
    assert ({"b", "c"}, {"d"}) == (set(found.refusals), set(found.kept))
    await found.answered([retry(*"abcdef")])
    assert {"b", "c", "d"} == found.reopened
    assert [*"ae"] == [id_ for id_ in "abcdef" if found.settled(id_)]
    await found.answered([outcome("b", "removed"), outcome("c", "kept"), outcome("d", "refused")])
    assert [*"abcde"] == [id_ for id_ in "abcdef" if found.settled(id_)]
    assert ({"d"}, {"c"}) == (set(found.refusals), set(found.kept))


async def test_what_may_have_worked_is_looked_up_before_the_next_try() -> None:
    """A 5xx, a lost answer and a resent one may have worked after all; a plain refusal and a 429 have not."""
    words = [trouble("server", 500), trouble("slow", 429), trouble("early", 499), outcome("lost", "failed")]
    names = ("server", "slow", "early", "lost", "plain", "twice")
    found = await journal(*words, sent=names, again=("twice",))
    await found.answered([outcome(name, "refused") for name in names if name != "lost"])
    assert {} == found.in_doubt
    await found.answered([retry(*names)])
    assert {"server", "lost", "twice"} == set(found.in_doubt)


async def test_a_failure_that_was_answered_is_no_lost_answer() -> None:
    """Who was given up after a 429 was never in doubt, so the next try sends without looking up."""
    found = await journal(trouble("slow", 429), outcome("slow", "failed"), retry("slow"), sent=("slow",))
    assert ({"slow"}, {}) == (found.reopened, found.in_doubt)


async def test_the_last_outcome_of_each_item_counts() -> None:
    """What was refused, tried again and removed is told once, as removed; a journal never begun tells nothing."""
    found = await journal(outcome("a", "refused"), outcome("b", "removed"), retry("a"), sent=("a", "b"))
    await found.answered([{**outcome("a", "removed"), "at": LATER}])

    told = await last_outcomes(found.records, PATH)

    assert {"a": {**outcome("a", "removed"), "at": LATER}, "b": outcome("b", "removed")} == told
    assert {} == await last_outcomes(found.records, "elsewhere")
