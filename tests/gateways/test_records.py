"""What every implementation of `ports.Records` does: the one in Azure Storage and the one in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenantclosure import names
from tenantclosure.errors import RailBroken, RecordConflict, RecordMissing
from tenantclosure.gateways.records import AzureRecords, RecordTooLarge
from tenantclosure.ledger.sealed import SealedRecords
from tenantclosure.model.tally import tallying
from tenantclosure.names import REQUEST_QUEUE, audit_path
from tenantclosure.policy import seals
from tenantclosure.ports import Records
from tests.fakes.memory_records import MemoryRecords
from tests.fakes.seals import RING, sealed

MIB = 1024 * 1024
TRAPS = "/\\#?%'\"!~.+&$[> \x00\x1f\x7f\uffff😀\ue000"
AWKWARD = st.text(
    st.one_of(st.characters(), st.characters(codec="ascii"), st.sampled_from(TRAPS)),
    max_size=30,
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | AWKWARD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(AWKWARD, inner, max_size=4),
    max_leaves=12,
)
SLOW_OK = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest_asyncio.fixture(params=["memory", "sealed", pytest.param("azure", marks=pytest.mark.azurite)])
async def records(request: pytest.FixtureRequest, settings_for: Any) -> AsyncIterator[Records]:
    """Both implementations, and one under seals, prepared."""
    made: Any
    if request.param == "memory":
        made = MemoryRecords()
    elif request.param == "sealed":
        made = sealed(MemoryRecords())
    else:
        made = AzureRecords(settings_for(CLOSURE_STORAGE=request.getfixturevalue("azurite")))
    await made.prepare()
    yield made
    await made.close()


@pytest.fixture
def name() -> str:
    """A partition or path that no other test uses."""
    return f"t-{uuid4()}"


async def scanned(records: Records, *args: Any, **kwargs: Any) -> list[tuple[str, str, Any]]:
    """All rows of a scan."""
    return [row async for row in records.scan(*args, **kwargs)]


async def lines_of(records: Records, path: str) -> list[bytes]:
    """All lines of a blob."""
    return [line async for line in records.read_lines(path)]


async def test_it_is_the_port(records: Records) -> None:
    """Each implementation has every method of the port."""
    assert isinstance(records, Records)


async def test_prepare_again(records: Records, name: str) -> None:
    """Preparing twice changes nothing."""
    await records.put(name, "k", {"a": 1})
    await records.prepare()
    assert (await records.read(name, "k") or [None])[0] == {"a": 1}


async def test_create_then_read(records: Records, name: str) -> None:
    """A created document is read back with the ETag that creation returned."""
    etag = await records.create(name, "k", {"a": [1, {"b": "ä"}]})
    assert await records.read(name, "k") == ({"a": [1, {"b": "ä"}]}, etag)


async def test_read_nothing(records: Records, name: str) -> None:
    """A document that isn't there reads as None."""
    assert await records.read(name, "k") is None


async def test_create_twice(records: Records, name: str) -> None:
    """A second creation of a key is a conflict, even with an equal document, and changes nothing."""
    await records.create(name, "k", {"a": 1})
    for doc in ({"a": 1}, {"a": 2}):
        with pytest.raises(RecordConflict):
            await records.create(name, "k", doc)
    assert (await records.read(name, "k") or [None])[0] == {"a": 1}


async def test_replace(records: Records, name: str) -> None:
    """Replacing with the current ETag works and gives a new one; the old one is a conflict from then on."""
    old = await records.create(name, "k", {"a": "x" * 70_000})
    new = await records.replace(name, "k", {"a": 2}, old)
    assert new != old
    with pytest.raises(RecordConflict):
        await records.replace(name, "k", {"a": 3}, old)
    assert await records.read(name, "k") == ({"a": 2}, new)


async def test_replace_removed(records: Records, name: str) -> None:
    """Replacing a document that was removed is a conflict and doesn't bring it back."""
    etag = await records.create(name, "k", {"a": 1})
    await records.remove(name, "k")
    with pytest.raises(RecordConflict):
        await records.replace(name, "k", {"a": 2}, etag)
    assert await records.read(name, "k") is None


async def test_put_changes_the_etag(records: Records, name: str) -> None:
    """A put overwrites unasked, so a holder of the former ETag meets a conflict."""
    etag = await records.create(name, "k", {"a": 1, "b": 2})
    await records.put(name, "k", {"a": 2})
    assert (await records.read(name, "k") or [None])[0] == {"a": 2}
    with pytest.raises(RecordConflict):
        await records.replace(name, "k", {}, etag)


async def test_remove_twice(records: Records, name: str) -> None:
    """Removing what isn't there does nothing."""
    await records.create(name, "k", {})
    await records.remove(name, "k")
    await records.remove(name, "k")
    assert await records.read(name, "k") is None


async def test_a_read_document_is_a_copy(records: Records, name: str) -> None:
    """Changing a document after writing or reading it changes nothing that is stored."""
    doc = {"a": [1]}
    await records.create(name, "k", doc)
    doc["a"].append(2)
    found = await records.read(name, "k")
    assert found is not None and found[0] == {"a": [1]}
    found[0]["a"].append(3)
    assert (await records.read(name, "k") or [None])[0] == {"a": [1]}


@pytest.mark.parametrize("fill", ["x", "ä", "😀", "\ud800", "\\"])
async def test_large_documents(records: Records, name: str, fill: str) -> None:
    """A document far past the 64 KiB of one table property comes back whole, whatever its characters."""
    doc = {"a": fill * 40_000}
    await records.put(name, "k", doc)
    assert (await records.read(name, "k") or [None])[0] == doc


async def test_the_largest_document(records: Records, name: str) -> None:
    """500,000 characters, a seal included, fit; one more is refused with a text that says what to do."""
    seal = len(json.dumps(seals.sealed(RING, "", {}, 1), separators=(",", ":"))) - 1
    room = 500_000 - 8 - (seal if isinstance(records, SealedRecords) else 0)
    await records.create(name, "k", {"a": "x" * room})
    with pytest.raises(RecordTooLarge, match=r"500001 characters.*blob"):
        await records.create(name, "l", {"a": "x" * (room + 1)})


async def test_key_too_long(records: Records, name: str) -> None:
    """A key past the table's limit is refused by name, not sent."""
    await records.create(name, "k" * 512, {"a": 1})
    assert await records.read(name, "k" * 512) is not None
    with pytest.raises(RecordTooLarge, match="512 is the most"):
        await records.create(name, "k" * 513, {})


async def test_no_nan(records: Records, name: str) -> None:
    """Numbers that JSON lacks are refused before anything is stored."""
    with pytest.raises(ValueError):
        await records.create(name, "k", {"a": float("nan")})


@SLOW_OK
@given(key=AWKWARD, partition=AWKWARD, doc=st.dictionaries(AWKWARD, VALUES, max_size=5))
async def test_round_trip(records: Records, key: str, partition: str, doc: dict[str, Any]) -> None:
    """Any text is a key and any JSON object a document: written, found by scan and read as it was, then removed."""
    partition = f"{uuid4()}{partition}"
    await records.create(partition, key, doc)
    assert (await records.read(partition, key) or [None])[0] == doc
    assert await scanned(records, partition) == [(partition, key, doc)]
    await records.remove(partition, key)
    assert await records.read(partition, key) is None


@SLOW_OK
@given(keys=st.sets(AWKWARD, max_size=12), first=AWKWARD, last=AWKWARD)
async def test_scan_order(records: Records, keys: set[str], first: str, last: str) -> None:
    """A scan sorts keys as Python does, and a range cuts them as Python's comparison would."""
    partition = str(uuid4())
    for key in keys:
        await records.put(partition, key, {"key": key})
    assert await scanned(records, partition) == [(partition, key, {"key": key}) for key in sorted(keys)]
    within = [key for key in sorted(keys) if first <= key and (not last or key <= last)]
    assert [key for _, key, _ in await scanned(records, partition, first=first, last=last)] == within


async def test_scan_of_a_prefix(records: Records, name: str) -> None:
    """A prefix is the range from itself to itself with the highest character."""
    for key in ("gate/plan", "gate/plan/1", "gate/plan/ü", "gate/plan/😀", "gate/plan.x", "gate/planet", "task/1"):
        await records.put(name, key, {})
    found = await scanned(records, name, first="gate/plan/", last="gate/plan/\U0010ffff")
    assert [key for _, key, _ in found] == ["gate/plan/1", "gate/plan/ü", "gate/plan/😀"]


async def test_scan_of_all_partitions(records: Records, name: str) -> None:
    """Without a partition a scan goes by partition, then key; the range holds in each partition."""
    for partition in ("b", "a", "a.b", "a/b"):
        for key in ("2", "1", "3"):
            await records.put(f"{name}{partition}", key, {})
    found = [(place, key) for place, key, _ in await scanned(records, first="2", last="2")]
    assert found == sorted(found)
    ours = [place.removeprefix(name) for place, _ in found if place.startswith(name)]
    assert ours == ["a", "a.b", "a/b", "b"]
    assert {key for _, key in found} == {"2"}


async def test_scan_over_pages(records: Records, name: str) -> None:
    """A scan goes on past the 1,000 entities of a page, without a gap or a double."""
    for number in range(1_100):
        await records.put(name, f"{number:05d}", {"n": number})
    assert [doc["n"] for _, _, doc in await scanned(records, name)] == list(range(1_100))


async def test_blob(records: Records, name: str) -> None:
    """A blob is written, overwritten and read whole, also when empty and when its path has a folder."""
    for data in (b"one", b"", bytes(range(256)) * 10):
        await records.write_blob(f"{name}/a b/ü.bin", data)
        assert await records.read_blob(f"{name}/a b/ü.bin") == data
        assert await records.length(f"{name}/a b/ü.bin") == len(data)


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    """Data piece by piece."""
    for piece in data:
        yield piece


@pytest.mark.parametrize(
    "data",
    [
        (),
        (b"",),
        (b"one", b"", b"two"),
        (b"x" * MIB,),
        (b"a" * (MIB - 1), b"b" * 3 * MIB, b"c"),
        (b"abcdefghijklm",) * 90_000,
    ],
    ids=["nothing", "empty", "little", "a block", "blocks", "crumbs"],
)
async def test_pieces(records: Records, name: str, data: tuple[bytes, ...]) -> None:
    """What comes piece by piece, be it nothing or several blocks, is one blob; it takes the place of an earlier one."""
    await records.write_blob(name, b"before")
    for _ in range(2):
        await records.write_pieces(name, pieces(*data))
        assert b"".join(data) == await records.read_blob(name)
    await records.write_blob(name, b"after")
    assert b"after" == await records.read_blob(name)


@pytest.mark.parametrize("size", [3, 3 * MIB])
async def test_pieces_that_break_off(records: Records, name: str, size: int) -> None:
    """When the source of the pieces fails, its error comes through, and the blob is as it was: there, or missing."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * size
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await records.write_pieces(name, broken())
    with pytest.raises(RecordMissing):
        await records.read_blob(name)
    await records.write_blob(name, b"before")
    with pytest.raises(ZeroDivisionError):
        await records.write_pieces(name, broken())
    assert b"before" == await records.read_blob(name)


async def test_two_writers_of_pieces(records: Records, name: str) -> None:
    """Two at once do not mix: the blob is what one of them wrote, whole."""

    async def slowly(letter: bytes) -> AsyncIterator[bytes]:
        for _ in range(3):
            yield letter * MIB
            await asyncio.sleep(0.01)

    await asyncio.gather(
        *(records.write_pieces(name, slowly(letter)) for letter in (b"a", b"b")), return_exceptions=True
    )
    assert await records.read_blob(name) in (b"a" * 3 * MIB, b"b" * 3 * MIB)


@pytest.mark.parametrize("length", [None, 0, 1, MIB, MIB + 1, 3 * MIB, 9 * MIB])
async def test_read_pieces(records: Records, name: str, length: int | None) -> None:
    """A blob's beginning comes in order and to the byte, all of a shorter one; a missing blob is missing."""
    with pytest.raises(RecordMissing):
        async for _ in records.read_pieces(name, length):
            raise AssertionError
    data = bytes(range(251)) * (3 * MIB // 251)
    await records.append(name, data, 0)
    assert data[:length] == b"".join([piece async for piece in records.read_pieces(name, length)])


async def test_missing_blob(records: Records, name: str) -> None:
    """A blob that isn't there is missing to readers, has length 0 and no bytes anywhere."""
    with pytest.raises(RecordMissing):
        await records.read_blob(name)
    with pytest.raises(RecordMissing):
        await lines_of(records, name)
    assert await records.length(name) == 0
    assert await records.read_from(name, 10) == b""


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [b""]),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\n\nb", [b"a", b"", b"b"]),
        (b"a\r\nb\n\n", [b"a\r", b"b", b""]),
    ],
)
async def test_lines(records: Records, name: str, data: bytes, lines: list[bytes]) -> None:
    """Lines end at newlines alone, empty ones count, and a last one needs no newline."""
    await records.write_blob(name, data)
    assert await lines_of(records, name) == lines


@pytest.mark.parametrize("width", [1_000, 1024, 5 * MIB])
async def test_lines_across_pieces(records: Records, name: str, width: int) -> None:
    """Lines that lie across the pieces of a download, end with one, or span several, come whole and in order."""
    lines = [bytes([65 + number % 26]) * (width - 1) for number in range(9 * MIB // width + 1)]
    await records.write_blob(name, b"\n".join(lines))
    assert await lines_of(records, name) == lines


async def test_append(records: Records, name: str) -> None:
    """Appends at the right position add up, and each returns the new length."""
    assert await records.append(name, b"one\n", 0) == 4
    assert await records.append(name, b"two\n", 4) == 8
    assert await records.length(name) == 8
    assert await lines_of(records, name) == [b"one", b"two"]
    found = {start: await records.read_from(name, start) for start in (0, 5, 8, 9)}
    assert found == {0: b"one\ntwo\n", 5: b"wo\n", 8: b"", 9: b""}


@pytest.mark.parametrize("position", [0, 3, 5])
async def test_append_elsewhere(records: Records, name: str, position: int) -> None:
    """An append at any other position is a conflict and writes nothing, even if the bytes are there already."""
    await records.append(name, b"aaaa", 0)
    with pytest.raises(RecordConflict):
        await records.append(name, b"aaaa", position)
    assert await records.read_blob(name) == b"aaaa"


async def test_append_to_nothing(records: Records, name: str) -> None:
    """An append past the start of a blob that isn't there is a conflict and creates nothing."""
    with pytest.raises(RecordConflict):
        await records.append(name, b"a", 1)
    with pytest.raises(RecordMissing):
        await records.read_blob(name)


async def test_append_nothing(records: Records, name: str) -> None:
    """An empty append creates the blob, and still minds the position."""
    assert await records.append(name, b"", 0) == 0
    assert await records.read_blob(name) == b""
    assert await records.append(name, b"a", 0) == 1
    assert await records.append(name, b"", 1) == 1
    with pytest.raises(RecordConflict):
        await records.append(name, b"", 0)


async def test_append_to_a_plain_blob(records: Records, name: str) -> None:
    """A blob that was written whole can't be appended to."""
    await records.write_blob(name, b"")
    with pytest.raises(RecordConflict):
        await records.append(name, b"a", 0)


async def test_large_append(records: Records, name: str) -> None:
    """An append past 4 MiB goes in several blocks and is whole in the end."""
    data = bytes(range(251)) * (9 * MIB // 251)
    assert await records.append(name, b"head", 0) == 4
    assert await records.append(name, data, 4) == 4 + len(data)
    assert await records.read_blob(name) == b"head" + data


async def test_queue(records: Records, name: str) -> None:
    """Messages are seen in order with id, time and body, and stay on the queue."""
    before = len(await records.peek(REQUEST_QUEUE))
    for number in range(2):
        await records.enqueue(REQUEST_QUEUE, {"name": name, "n": number, "text": "ä😀"})
    for _ in range(2):
        rows = (await records.peek(REQUEST_QUEUE))[before:]
        assert [row["body"] for row in rows] == [{"name": name, "n": n, "text": "ä😀"} for n in range(2)]
        assert all(row["id"] and row["insertedAt"].endswith("Z") and "T" in row["insertedAt"] for row in rows)
    assert len(await records.peek(REQUEST_QUEUE, 1)) == 1


async def test_message_too_large(records: Records) -> None:
    """A message of 48 KiB of JSON fits a queue; one byte more is refused."""
    await records.enqueue(REQUEST_QUEUE, {"a": "x" * (48 * 1024 - 8)})
    with pytest.raises(RecordTooLarge, match="49153 bytes"):
        await records.enqueue(REQUEST_QUEUE, {"a": "x" * (48 * 1024 - 7)})


@pytest.mark.azurite
async def test_audit_chains_lie_in_a_container_of_their_own(azurite: str, settings_for: Any, name: str) -> None:
    """So a retention policy on that container covers every chain, and nothing that has to be overwritten."""
    made = AzureRecords(settings_for(CLOSURE_STORAGE=azurite))
    await made.prepare()
    await made.append(names.audit_path(name), b"line\n", 0)
    await made.write_blob(names.manifest_path(name, 1), b"{}")
    clients = made.clients.here()

    found = {
        container: [blob.name async for blob in clients.blobs.get_container_client(container).list_blobs(name)]
        for container in (names.AUDIT_CONTAINER, names.CONTAINER)
    }
    await made.close()

    assert {
        names.AUDIT_CONTAINER: [names.audit_path(name)],
        names.CONTAINER: [names.manifest_path(name, 1)],
    } == found


@pytest.mark.azurite
async def test_each_request_is_counted_by_its_kind(azurite: str, settings_for: Any) -> None:
    """What one task asks of storage is told by kinds of transactions; what another counts, or nobody, is not in it."""
    storage = AzureRecords(settings_for(CLOSURE_STORAGE=azurite))
    await storage.prepare()
    place = uuid4().hex
    with tallying() as used:
        await storage.put(place, "a", {})
        await storage.read(place, "a")
        assert [key async for _, key, _ in storage.scan(place)] == ["a"]
        assert used == {"tables": 3}
        await storage.write_blob(f"{place}/b", b"12")
        await storage.append(f"{place}/c", b"12", 0)
        assert used == {"tables": 3, "blobWrites": 3}, "an append blob is created, then appended to"
        await storage.read_blob(f"{place}/b")
        await storage.length(f"{place}/b")
        await storage.enqueue(REQUEST_QUEUE, {"n": 1})
        with tallying() as inner:
            await storage.read(place, "a")
    await storage.read(place, "a")
    await storage.close()

    assert used == {"tables": 3, "blobWrites": 3, "blobReads": 2, "queues": 1}
    assert inner == {"tables": 1}


async def test_paths_lists_what_begins_so(records: Records, name: str) -> None:
    """Every blob below a prefix in order, append blobs too; no audit chain, which lies elsewhere."""
    for path in (f"{name}/b", f"{name}/a/1", f"{name}-2/c"):
        await records.write_blob(path, b"x")
    await records.append(f"{name}/grown", b"x", 0)
    await records.append(audit_path(name), b"x", 0)

    assert [f"{name}/a/1", f"{name}/b", f"{name}/grown"] == [path async for path in records.paths(f"{name}/")]


async def test_a_removed_blob_is_gone(records: Records, name: str) -> None:
    """Whole and growing ones; to remove what is not there changes nothing."""
    await records.write_blob(f"{name}/a", b"x")
    await records.append(f"{name}/b", b"x", 0)
    for path in (f"{name}/a", f"{name}/b", f"{name}/a", f"{name}/never"):
        await records.remove_blob(path)

    assert [] == [path async for path in records.paths(f"{name}/")]
    with pytest.raises(RecordMissing):
        await records.read_blob(f"{name}/a")


async def test_no_door_deletes_an_audit_chain(records: Records, name: str) -> None:
    """The rail holds in each implementation, before storage is asked."""
    await records.append(audit_path(name), b"x", 0)
    with pytest.raises(RailBroken):
        await records.remove_blob(audit_path(name))

    assert 1 == await records.length(audit_path(name))
