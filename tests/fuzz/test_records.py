"""Our own records read back: what was written is what is read; what was changed since is found or stops the work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from activities.guard import read_manifest, read_shard
from activities.journal import REFUSED, Journal
from tenantclosure import names
from tenantclosure.errors import RailBroken
from tenantclosure.model.inventory import Item
from tenantclosure.names import Outcome, Rail
from tenantclosure.policy.audit_chain import START, encode, head, link, verify
from tenantclosure.policy.canonical import canonical, digest, sha256
from tenantclosure.policy.pacing import Bucket
from tenantclosure.policy.rails import check_manifest
from tests.fakes.memory_records import MemoryRecords
from tests.fuzz.rig import BODIES, Body, fuzz, spoiled

CLOSURE = "0b0a1c2d-0000-4000-8000-000000000001-1"


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


# -- audit chain -------------------------------------------------------------------------------------------------------
DETAILS = st.dictionaries(st.text(max_size=5), st.text(max_size=10) | st.integers(-9, 9) | st.none(), max_size=3)


def chain(told: list[dict[str, Any]]) -> list[bytes]:
    """A sound chain of these details."""
    data = b""
    for detail in told:
        previous, number = head(data)
        data += encode(link({"word": "x:y", "actor": None, "detail": detail}, previous, number))
    return data.splitlines()


@st.composite
def tampered(draw: Any) -> tuple[list[bytes], list[bytes]]:
    """A sound chain, and the same with one to three things done to it other than cutting its end."""
    whole = chain(draw(st.lists(DETAILS, min_size=2, max_size=6)))
    lines = list(whole)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["edit", "rehash", "bytes", "drop", "double", "swap", "insert", "cut", "join"])):
            case "edit":
                lines[at] = _canonical(draw(spoiled(json.loads(whole[min(at, len(whole) - 1)])))) or lines[at]
            case "rehash":
                old = json.loads(whole[min(at, len(whole) - 1)])
                changed = {**{k: v for k, v in old.items() if k not in ("hash", "n", "prev")}, "word": "forged"}
                lines[at] = encode(link(changed, old["prev"], old["n"])).rstrip(b"\n")
            case "bytes":
                lines[at] = draw(BODIES)
            case "drop":
                del lines[at]
            case "double":
                lines.insert(draw(st.integers(0, len(lines))), lines[at])
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case "insert":
                lines.insert(at, encode(link({"word": "forged"}, draw(st.sampled_from([START])), at)).rstrip(b"\n"))
            case "cut":
                lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
            case _:
                lines[at : at + 2] = [b"".join(lines[at : at + 2])]
        if not lines:
            break
    return whole, lines


def _canonical(value: Any) -> bytes:
    try:
        return canonical(value)
    except (ValueError, TypeError):
        return b""


@fuzz(62)
@given(tampered())
def test_any_change_of_a_chain_is_found(chains: tuple[list[bytes], list[bytes]]) -> None:
    """Changed, dropped, doubled, inserted, swapped, joined, rehashed or cut lines: only a sound beginning verifies, and
    its head is another one than the whole chain's unless it is the whole chain. A last line that was made anew with its
    hash shows in the head as well.
    """
    whole, lines = chains
    verdict = verify(lines)

    if lines == whole:
        assert verdict.ok
    elif lines == whole[: len(lines)] or lines[:-1] == whole[: len(lines) - 1]:
        assert not verdict.ok or verdict.head != verify(whole).head
    else:
        assert not verdict.ok
        assert verdict.line is not None and 1 <= verdict.line <= len(lines)


@fuzz(20)
@example(tail=Body(b"[" * 60_000))
@given(BODIES)
def test_a_chain_that_does_not_end_in_a_line_is_shown_broken(tail: bytes) -> None:
    """Whatever was put at its end: the next line is written after it, and a check of the chain finds the place."""
    sound = b"\n".join(chain([{"a": 1}, {"b": 2}])) + b"\n"
    previous, number = head(sound + tail + b"\n")
    grown = sound + tail + b"\n" + encode(link({"word": "x:y"}, previous, number))

    assert not verify(grown.splitlines()).ok or not tail.strip()


# -- manifest and shards -----------------------------------------------------------------------------------------------
MANIFEST = {
    "schema": 1,
    "closureId": CLOSURE,
    "tenantId": "0b0a1c2d-0000-4000-8000-000000000001",
    "serial": 1,
    "keeper": {"id": "k1", "upn": "last.admin@contoso.onmicrosoft.com"},
    "ownServicePrincipal": None,
    "families": {"users": {"count": 1, "shards": [{"count": 1, "sha256": "0" * 64}]}},
    "kept": [],
}
ANN = Item("u1", "Ann", {"upn": "ann@contoso.com"})
ROW = {"closureId": CLOSURE, "planSerial": 1, "tenantId": MANIFEST["tenantId"], "digest": digest(MANIFEST)}


@fuzz(37)
@example(data=Body(b"[" * 60_000))
@example(data=Body(canonical(MANIFEST).replace(b'"kept":[]', b'"kept":[],"kept":[]')))
@given(BODIES | spoiled(MANIFEST).map(lambda found: json.dumps(found).encode()))
def test_a_manifest_counts_only_as_it_was_approved(loop: asyncio.Runner, data: bytes) -> None:
    """Any other bytes in its place break the digest's rail, and nothing else is raised."""
    records = MemoryRecords()
    records.blobs[names.manifest_path(CLOSURE, 1)] = data
    parts: Any = SimpleNamespace(records=records)
    try:
        found = loop.run(read_manifest(parts, ROW))
        check_manifest(found, ROW, {"digest": ROW["digest"], "serial": 1, "state": "approved"})
    except RailBroken as broken:
        assert broken.rail in (Rail.DIGEST, Rail.TENANT_PIN, Rail.APPROVAL)
        return
    assert canonical(MANIFEST) == canonical(found)


@fuzz(25)
@given(BODIES | spoiled(ANN.to_dict()).map(json.dumps).map(str.encode))
def test_a_shard_counts_only_as_it_was_approved(loop: asyncio.Runner, data: bytes) -> None:
    """Other bytes than those under the approved hash are never read as items."""
    sound = canonical(ANN.to_dict()) + b"\n"
    manifest = {"families": {"users": {"shards": [{"count": 1, "sha256": sha256(sound)}]}}}
    spared = SimpleNamespace(own_service_principal=None)
    clearance: Any = SimpleNamespace(row=ROW, manifest=manifest, keeper="k1", spared=spared)
    records = MemoryRecords()
    records.blobs[names.shard_path(CLOSURE, 1, "users", 0)] = data
    parts: Any = SimpleNamespace(records=records)
    try:
        items = loop.run(read_shard(parts, clearance, "users", 0))
    except RailBroken as broken:
        assert Rail.SHARD_HASH == broken.rail
        return
    assert (sound, ["u1"]) == (data, [item.id for item in items])


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FACTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@fuzz(25)
@given(st.lists(st.tuples(TEXT, TEXT, st.dictionaries(TEXT, FACTS, max_size=3)), max_size=4))
def test_items_come_back_from_a_listing_as_they_went_in(found: list[tuple[str, str, dict[str, Any]]]) -> None:
    """Whatever is in a name or a fact, line ends of any kind among them: a line an item, and the same item."""
    items = [Item(*parts) for parts in found]
    data = b"".join(canonical(item.to_dict()) + b"\n" for item in items)

    assert items == [Item.from_dict(json.loads(line)) for line in data.splitlines()]


# -- evidence ----------------------------------------------------------------------------------------------------------
IDS = st.sampled_from(["a", "b", "c", "\u2028d", 'e"\n'])
LINES = st.one_of(
    st.fixed_dictionaries(
        {"t": st.just("intent"), "ids": st.lists(IDS, min_size=1, max_size=3, unique=True), "again": st.booleans()}
    ),
    st.fixed_dictionaries(
        {"t": st.just("outcome"), "id": IDS, "outcome": st.sampled_from(list(map(str, Outcome))), "reason": TEXT}
    ),
    st.fixed_dictionaries({"t": st.just("trouble"), "id": IDS, "status": st.sampled_from([429, 500, 503])}),
    st.fixed_dictionaries({"t": st.just("retry"), "ids": st.lists(IDS, max_size=3, unique=True)}),
    st.fixed_dictionaries({"t": st.just("cause"), "ids": st.lists(IDS, max_size=3, unique=True), "cause": TEXT}),
).map(lambda line: {**line, "at": "2026-11-01T12:00:00.000Z"})


def _seen(journal: Journal) -> Any:
    return (
        journal.outcomes,
        list(journal.in_doubt),
        journal.tries,
        journal.unsure,
        journal.refusals,
        journal.reopened,
        journal.causes,
        (journal.writes, journal.resent, journal.first_write, journal.position, journal.sha256()),
    )


@fuzz(37)
@given(st.lists(st.lists(LINES, min_size=1, max_size=3), max_size=6))
def test_evidence_says_the_same_after_a_crash(loop: asyncio.Runner, story: list[list[dict[str, Any]]]) -> None:
    """A journal read afresh at any moment knows what its writer knew: no outcome, doubt or try is lost or made up."""

    async def tell() -> None:
        records = MemoryRecords()
        journal = await Journal(records, "evidence").read()
        for lines in story:
            await journal.answered(lines)
            again = await Journal(records, "evidence").read()
            assert _seen(journal) == _seen(again)
            assert set(journal.refusals) == {i for i, out in journal.outcomes.items() if out in REFUSED}

    loop.run(tell())


@fuzz(37)
@given(st.lists(LINES, min_size=1, max_size=5), st.data())
def test_evidence_that_was_cut_or_garbled_is_no_evidence(
    loop: asyncio.Runner, lines: list[dict[str, Any]], data: st.DataObject
) -> None:
    """A line that can't be read stops the shard: it is never skipped, so nothing is sent on half a story."""
    whole = [canonical(line) for line in lines]
    at = data.draw(st.integers(0, len(whole) - 1))
    garbled = data.draw(BODIES.filter(lambda body: b"\n" not in body) | st.just(whole[at][:-1]))
    records = MemoryRecords()
    records.blobs["evidence"] = b"\n".join([*whole[:at], garbled, *whole[at + 1 :]]) + b"\n"

    with pytest.raises(RailBroken) as broken:
        loop.run(Journal(records, "evidence").read())
    assert Rail.EVIDENCE == broken.value.rail


# -- pacing ------------------------------------------------------------------------------------------------------------
@fuzz(15)
@given(st.floats(0.1, 1e6), st.floats(1, 1e6), st.floats(-1e6, 1e6), st.integers(0, 10**6))
def test_a_bucket_crosses_a_boundary_whole(rate: float, burst: float, tokens: float, seconds: int) -> None:
    """What an activity hands on is the bucket the next one has."""
    bucket = Bucket(rate, burst, tokens, datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=seconds))

    assert bucket == Bucket.from_dict(json.loads(json.dumps(bucket.to_dict())))
