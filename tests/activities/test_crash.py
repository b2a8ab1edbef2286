"""Kill the process at any moment: nothing goes out after a final answer, and every id ends with exactly one outcome."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import activities
from tenantclosure import wiring
from tenantclosure.policy import audit_chain
from tests.activities.rig import Rig
from tests.fakes.dying_records import Crash, DyingRecords
from tests.fakes.tenant import FakeDirectory, user

U = [user(n).id for n in range(30)]


async def fresh() -> Rig:
    """A shard with every kind of answer in it, worked in waves of seven."""
    rig = Rig(directory=FakeDirectory(users=30), environment={"CLOSURE_SHARD_SIZE": 30})
    rig.directory.script = {U[2]: [429, 503], U[9]: [403] * 9, U[15]: [500]}
    rig.directory.take("users", U[4])
    await rig.ready()
    rig.directory.items["users"] = [one for one in rig.directory.items["users"] if one.id != U[20]]
    return rig


async def work(rig: Rig) -> None:
    order = await rig.shard_order(tokens=7.0, rate=7.0, burst=7)
    answer = await activities.work_shard(order)
    while answer["state"] != "done":
        answer = await activities.work_shard({**order, "bucket": answer["bucket"]})


EXPECTED = {
    **{id_: "removed" for id_ in U if id_ != U[4]},
    U[9]: "refused",
    U[20]: "absent",
}


async def check(rig: Rig, crashes: str) -> None:
    """The end state is the one of an undisturbed run, but for what nobody could know."""
    found = rig.outcomes()
    if found.get(U[20]) == "removed":  # it vanished while its answer was lost: looked up, it is gone either way
        found[U[20]] = "absent"
    assert found == EXPECTED, crashes
    shards = [doc async for *_, doc in rig.ledger.shards(rig.closure)]
    assert sum(doc["done"] for doc in shards) == len(shards) == 1
    told = await rig.audited("shard:done")
    assert told, crashes
    assert told[-1]["evidence"] == shards[0]["sha256"]
    resent = sum(len(line["ids"]) for line in rig.evidence() if line["t"] == "intent" and line["again"])
    assert shards[0]["resent"] == resent
    assert shards[0]["writes"] == sum(len(line["ids"]) for line in rig.evidence() if line["t"] == "intent")
    assert audit_chain.verify(await rig.ledger.audit_lines(rig.closure)).ok
    gone = {id_ for id_ in rig.directory.sent if id_ not in {one.id for one in rig.directory.items["users"]}}
    assert gone == {id_ for id_ in EXPECTED if id_ != U[9]} - ({U[20]} - set(rig.directory.sent))


async def test_undisturbed() -> None:
    """Without a crash nothing is resent and nothing is sent twice but what was asked to wait."""
    rig = await fresh()
    counting = DyingRecords(rig.records)
    rig.process(counting)
    await work(rig)
    await check(rig, "none")
    assert len(rig.directory.sent) == 29 + 3
    assert counting.count > 12
    wiring.use(None)


@pytest.mark.slow
@pytest.mark.parametrize("landed", [False, True])
async def test_killed_at_every_storage_write(landed: bool) -> None:
    """The process dies at each write in turn, before or right after it landed; the next process finishes the work."""
    number, died = 0, True
    while died:
        number += 1
        rig = await fresh()
        rig.process(DyingRecords(rig.records, number, landed=landed))
        try:
            await work(rig)
            died = False
        except Crash:
            rig.process()
            await work(rig)
        await check(rig, f"write {number}")
    assert number > 12
    wiring.use(None)


def dying(rig: Rig, at: int) -> Callable[[int, list[str]], None]:
    def die(number: int, ids: list[str]) -> None:
        if number >= at:
            raise Crash

    return die


@pytest.mark.slow
@pytest.mark.parametrize("side", ["calls", "after"])
async def test_killed_at_every_delete(side: str) -> None:
    """The process dies at each call in turn, before it reached the tenant or before its answer came back."""
    number, died = 0, True
    while died:
        number += 1
        rig = await fresh()
        setattr(rig.directory, side, dying(rig, number))
        try:
            await work(rig)
            died = False
        except Crash:
            setattr(rig.directory, side, lambda number, ids: None)
            rig.process()
            await work(rig)
        await check(rig, f"{side} {number}")
        assert len(rig.directory.sent) <= 29 + 3 + 7
    assert number > 5
    wiring.use(None)


async def test_killed_again_and_again() -> None:
    """A process that dies at every third write still gets through in the end."""
    rig = await fresh()
    for _ in range(60):
        rig.process(DyingRecords(rig.records, 3, landed=True))
        try:
            await work(rig)
            break
        except Crash:
            continue
    rig.process()
    await work(rig)
    await check(rig, "every third write")
    wiring.use(None)


async def test_two_workers_on_one_shard() -> None:
    """A worker that was thought dead can't write beside the new one: its next append is refused."""
    from activities.journal import Journal
    from tenantclosure.errors import RecordConflict
    from tests.fakes.memory_records import MemoryRecords

    records = MemoryRecords()
    old, new = await Journal(records, "j").read(), await Journal(records, "j").read()
    await new.intend(["a"], "now", again=False)
    with pytest.raises(RecordConflict):
        await old.intend(["a"], "now", again=False)
