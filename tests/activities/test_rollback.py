"""A rollback from its beginning to its end: planned from our own evidence, approved, carried out, proven."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

import activities
from tenantclosure import wiring
from tenantclosure.model.inventory import Item
from tenantclosure.names import Control, Phase
from tests.activities.policies import NIGHTS, policy
from tests.activities.rig import ANN, Rig, killed_at_each_write
from tests.activities.undoing import (
    RESTORE,
    bench,
    bin_of,
    carried_out,
    deleted,
    ended,
    outcomes_of,
    plan,
    rolled_back,
    turned,
    wanted,
    worked,
)
from tests.fakes.tenant import KEEPER, SHARED_POLICY, principal, user


@pytest.fixture
def undo() -> Iterator[Rig]:
    """A bench over a tenant of 45 users with a recycle bin."""
    yield bench()
    wiring.use(None)


def all_users() -> set[str]:
    return {user(number).id for number in range(45)}


# -- what it must do --------------------------------------------------------------------------------------------------
async def test_after_the_users_phase_everybody_is_back_and_may_sign_in(undo: Rig) -> None:
    """Whom we deleted is restored, whom we blocked may sign in; who could not before still can't."""
    undo.directory.change("users", user(3).id, enabled=False)
    await deleted(undo, blocked=True)
    gone = {item.id for item in undo.directory.items["users"]}
    found = await rolled_back(undo)

    assert {KEEPER} == gone
    assert all_users() | {KEEPER} == {item.id for item in undo.directory.items["users"]}
    assert [user(3).id] == bin_of(undo).signed_out()
    assert sorted(all_users()) == sorted(bin_of(undo).sent_to("restore_many"))
    assert (45 + 44, 0) == (found["restored"], found["impossible"])


async def test_users_who_are_only_blocked_are_let_in(undo: Rig) -> None:
    """After the quiet time nobody is deleted yet: nothing is restored, everybody may sign in again."""
    await undo.ready()
    await worked(undo, "users", "block", phase="quiet-period")
    blocked = set(bin_of(undo).signed_out())
    await rolled_back(undo)

    assert all_users() == blocked
    assert ([], []) == (bin_of(undo).signed_out(), bin_of(undo).sent_to("restore_many"))
    assert sorted(all_users()) == sorted(bin_of(undo).sent_to("allow_sign_in"))


async def test_a_second_rollback_changes_nothing(undo: Rig) -> None:
    """It finds nothing that still is undone: no items, so nobody is asked and nothing is sent."""
    await deleted(undo, blocked=True)
    await activities.freeze_sign_ups(await undo.order())
    await rolled_back(undo)
    await ended(undo, "aborted")
    writes = len(undo.directory.asked)
    await undo.ledger.change(undo.closure, lambda row: row.update(result=None, status="planning"))
    await turned(undo)
    found = await plan(undo)
    report = await ended(undo, "aborted")

    assert (3, 0) == ((await undo.row())["planSerial"], found["items"])
    assert [0, 0, 0, 0] == [wave["shards"] for wave in found["waves"]]
    assert writes == len(undo.directory.asked)
    assert SHARED_POLICY == undo.directory.policy
    assert ["done", "empty"] == [one["state"] for one in report["rollbacks"]]
    assert ["channel", "channel"] == await undo.notices("ended", "teams"), "each end is told"


async def test_applications_come_back_before_what_belongs_to_them(undo: Rig) -> None:
    """Registrations first; an enterprise application that went with its registration is ours to bring back too."""
    directory = bin_of(undo)
    app, own, foreign, stray = (principal(n, appId=f"app-{of}") for n, of in ((1, 1), (11, 1), (12, 12), (13, 13)))
    directory.items["applications"] = [app]
    directory.items["service-principals"] += [own, foreign, stray]
    await undo.ready()
    await worked(undo, "applications", "delete")
    for one in (own, stray):  # `own` went with its registration, `stray` by somebody else's hand
        directory.bin_it("service-principals", one.id)
    await worked(undo, "service-principals", "delete")
    await rolled_back(undo)

    assert [app.id] == [item.id for item in directory.items["applications"]]
    assert {own.id, foreign.id} == {item.id for item in directory.items["service-principals"]} - {
        (await directory.own_service_principal()).id  # type: ignore[union-attr]
    }
    assert app.id == directory.sent_to("restore_many")[0]


# -- what is not ours -------------------------------------------------------------------------------------------------
async def test_what_others_deleted_or_blocked_stays_as_it_is(undo: Rig) -> None:
    """Gone before we came, disabled before the plan, restored and deleted again by an administrator: none is ours."""
    directory = bin_of(undo)
    directory.change("users", user(1).id, enabled=False)
    await undo.ready()
    directory.bin_it("users", user(0).id)
    await worked(undo, "users", "block", phase="quiet-period")
    await worked(undo, "users", "delete")
    await rolled_back(undo)
    assert user(0).id not in directory.sent_to("restore_many") + directory.sent_to("allow_sign_in")
    assert [user(1).id] == directory.signed_out()

    directory.bin_it("users", user(2).id)
    directory.change("users", user(4).id, enabled=False)
    await turned(undo)
    assert 0 == (await plan(undo))["items"]


async def test_a_delete_whose_answer_was_lost_is_ours(undo: Rig) -> None:
    """After a 500 the retry finds the user gone: by our hand, so the user comes back. After a 429 nothing was done."""
    directory = bin_of(undo)
    directory.script = {user(1).id: [500], user(2).id: [429]}

    def taken(number: int, ids: list[str]) -> None:
        for lost in {user(1).id, user(2).id} & set(ids):
            directory.bin_it("users", lost)

    directory.after = taken
    await deleted(undo)
    await rolled_back(undo)

    assert {user(2).id} == all_users() - {item.id for item in directory.items["users"]}


async def test_evidence_that_no_approved_plan_covers_restores_nobody(undo: Rig) -> None:
    """A journal that names somebody else than the plan's shard is tampered with: the rail, not a restored stranger."""
    await deleted(undo)
    path = f"{undo.closure}/evidence-1/users-delete/00000.ndjson"
    assert path in undo.records.blobs, sorted(undo.records.blobs)
    line = {"t": "outcome", "id": "stranger", "outcome": "removed"}
    undo.records.blobs[path] = bytes(undo.records.blobs[path]) + json.dumps(line).encode() + b"\n"
    await turned(undo)

    assert ("rail", 1) == ((await plan(undo))["stop"], len(undo.directory.items["users"]))


async def test_a_plan_changed_after_its_approval_is_no_evidence(undo: Rig) -> None:
    """The plan that was worked is not the one people approved: nobody knows what was ours, so nothing is restored."""
    await deleted(undo)
    path = f"{undo.closure}/plan-1/manifest.json"
    undo.records.blobs[path] = json.dumps({**json.loads(undo.records.blobs[path]), "domain": "other.com"}).encode()
    await turned(undo)

    assert "rail" == (await plan(undo))["stop"]


# -- the gate ---------------------------------------------------------------------------------------------------------
async def test_nothing_is_restored_without_the_gate(undo: Rig) -> None:
    """The plan's approval does not stand in for it, nor does an open gate; a veto ends it."""
    await deleted(undo)
    await turned(undo)
    await plan(undo)
    order = {"family": RESTORE[0], "operation": RESTORE[1], "phase": "rollback", "gate": "rollback"}
    unasked = await activities.work_shard(await undo.shard_order(0, **order))
    await activities.open_gate(await undo.order(gate="rollback", phase="gate-rollback"))
    unanswered = await activities.work_shard(await undo.shard_order(0, **order))
    as_plan = await activities.work_shard(await undo.shard_order(0, **{**order, "gate": "plan"}))
    finished = await activities.finish_rollback(await undo.order(phase="rollback"))

    assert ["rail", "revoked", "rail", "revoked"] == [one["stop"] for one in (unasked, unanswered, as_plan, finished)]
    assert [] == bin_of(undo).sent_to("restore_many")


async def test_the_gate_is_over_exactly_this_plan(undo: Rig) -> None:
    """One item more in the stored plan than people saw: nothing is restored."""
    await deleted(undo)
    undo.directory.deleted.discard(user(7).id)  # gone from the bin: not in the plan
    await turned(undo)
    await plan(undo)
    await undo.approved("rollback")
    path = f"{undo.closure}/rollback-2/impossible.json"
    undo.records.blobs[path] = b""
    shown = await activities.finish_rollback(await undo.order(phase="rollback"))
    for name in [name for name in undo.records.blobs if "/plan-2/" in name and "users" in name]:
        undo.records.blobs[name] = bytes(undo.records.blobs[name]).replace(user(1).id.encode(), user(7).id.encode())
    answers = await worked(undo, *RESTORE, phase="rollback", gate="rollback")

    assert "rail" in [one.get("stop") for one in answers]
    assert user(7).id not in bin_of(undo).sent_to("restore_many")
    assert "rail" == shown["stop"]


async def test_a_rollback_never_deletes_and_a_plan_never_restores(undo: Rig) -> None:
    """Each kind of plan has its own operations: an order that mixes them up breaks the rail."""
    await deleted(undo)
    mixed = await activities.work_shard(await undo.shard_order(0, operation="restore"))
    await turned(undo)
    await plan(undo)
    await undo.approved("rollback")
    order = {"family": "users", "operation": "delete", "gate": "rollback", "phase": "rollback"}
    again = await activities.work_shard(await undo.shard_order(0, **order))
    as_plan = await activities.work_shard(await undo.shard_order(0, **{**order, "gate": "plan"}))

    assert ["rail"] * 3 == [one["stop"] for one in (mixed, again, as_plan)]
    assert [] == bin_of(undo).sent_to("restore_many")


async def test_an_approval_taken_back_holds_it(undo: Rig) -> None:
    """Whoever approved may take it back until it has been carried out; the rest waits."""
    await deleted(undo)
    await turned(undo)
    await plan(undo)
    await undo.approved("rollback")
    await undo.decide("rollback", ANN, "revoke")
    answers = await worked(undo, *RESTORE, phase="rollback", gate="rollback")

    assert {"revoked"} == {one["stop"] for one in answers}
    assert [] == bin_of(undo).sent_to("restore_many")


async def test_the_deletion_window_does_not_hold_it(undo: Rig) -> None:
    """Letting people in again deletes nothing: at noon it goes on although deleting waits for the night."""
    undo.policy = policy(window=NIGHTS)
    undo.process()
    await undo.ready()
    undo.clock.go_on(hours=11)
    await worked(undo, "users", "delete")
    undo.clock.go_on(hours=13)
    found = await rolled_back(undo)

    assert (45, set()) == (found["restored"], all_users() - {item.id for item in undo.directory.items["users"]})


async def test_an_abort_is_no_rollback(undo: Rig) -> None:
    """An aborted closure ends with what was deleted still deleted; only the freeze is put back."""
    await activities.freeze_sign_ups(await (await deleted(undo)).order())
    await undo.ledger.change(undo.closure, lambda row: row.update(control=Control.ABORT))
    await ended(undo, "aborted")

    assert [] == bin_of(undo).sent_to("restore_many")
    assert SHARED_POLICY == undo.directory.policy


async def test_what_it_came_to_is_written_once(undo: Rig) -> None:
    """Asked again it tells the same, whatever became of the tenant since, and audits nothing anew."""
    await deleted(undo)
    found = await rolled_back(undo)
    undo.directory.take("users", user(1).id)
    again = await activities.finish_rollback(await undo.order(phase="rollback"))

    assert found == again
    assert 1 == len(await undo.audited("rollback:ended"))


# -- the turn ---------------------------------------------------------------------------------------------------------
async def test_whoever_works_hears_of_it(undo: Rig) -> None:
    """From the moment it is asked for nothing more is deleted; every step says `rollback`."""
    await undo.ready()
    await undo.ledger.change(undo.closure, wanted)
    said = [
        await activities.work_shard(await undo.shard_order()),
        await activities.open_gate(await undo.order(gate="go-on")),
        await activities.judge_gate(await undo.order(gate="plan")),
        await activities.begin_phase(await undo.order(phase="delete-users")),
    ]

    assert ["rollback"] * 4 == [one["stop"] for one in said]
    assert [] == undo.directory.asked


async def test_it_begins_once(undo: Rig) -> None:
    """The next serial, without a plan; a repeated beginning changes nothing, and the run knows what it ends as."""
    await deleted(undo)
    digest = (await undo.row())["digest"]
    await turned(undo)
    await activities.begin_rollback(await undo.order())
    row, run = await undo.row(), (await activities.read_progress(await undo.order()))["run"]

    assert (2, None, Phase.GATE_ROLLBACK) == (row["planSerial"], row["digest"], row["phase"])
    assert "run" == row["control"]
    assert (1, digest) == (row["rollback"]["plan"]["serial"], row["rollback"]["plan"]["digest"])
    assert (2, "aborted") == (run["rollback"], run["endsAs"])


async def test_after_the_hand_over_it_is_too_late(undo: Rig) -> None:
    """Our application can't act in the tenant any more: the closure goes on, and the record says why."""
    await undo.ready()
    await undo.ledger.set_mark(undo.closure, "hand-over-begun", 1, {})
    await turned(undo)
    row, run = await undo.row(), (await activities.read_progress(await undo.order()))["run"]

    assert (1, "run", None) == (row["planSerial"], row["control"], run["rollback"])
    assert [0] == [one["serial"] for one in await undo.audited("rollback:ended")]


async def test_the_end_lets_a_rollback_asked_for_just_then_begin(undo: Rig) -> None:
    """Asked for while the report was written: the closure does not end, and keeps the result for its end."""
    await undo.ready()
    await undo.ledger.change(undo.closure, wanted)
    answer = await activities.end_closure(await undo.order(result="vetoed"))
    row = await undo.row()

    assert "rollback" == answer["stop"]
    assert (None, "vetoed") == (row["result"], row["rollback"]["endsAs"])
    assert "closure:ended" not in await undo.words()


async def made_keeper(undo: Rig, back: Item) -> None:
    """Somebody restores one of the deleted and makes them the keeper, while looks still say that they are deleted."""
    directory = bin_of(undo)
    directory.items["users"].append(back)
    directory.administrators |= {back.id}

    async def lagging(family: str, ids: Sequence[str]) -> dict[str, str]:
        return dict.fromkeys(ids, "deleted")

    directory.states_of = lagging  # type: ignore[method-assign]
    await turned(undo)
    await undo.ledger.change(undo.closure, lambda row: row.update(keeper=back.facts["upn"]))


async def test_whoever_is_the_keeper_now_is_not_restored(undo: Rig) -> None:
    """Somebody restored one of the deleted and made them the keeper, and a look still lags: the rail, not a plan."""
    await deleted(undo)
    await made_keeper(undo, user(0))
    answer = await plan(undo)

    assert ("rail", "keeper") == (answer["stop"], answer["detail"].split(":")[0])
    assert (await undo.row())["digest"] is None


# -- more than one block ----------------------------------------------------------------------------------------------
@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten items are looked at together."""
    for module in ("undoable", "undo"):
        monkeypatch.setattr(f"activities.{module}.BLOCK", 10)


@pytest.mark.usefixtures("blocks")
async def test_block_by_block_everybody_is_sorted_out_once(undo: Rig) -> None:
    """Each of five blocks has somebody who is gone for good; of all others nobody is missing, and none comes twice."""
    await deleted(undo, blocked=True)
    gone = {user(number).id for number in (2, 13, 24, 35, 44)}
    undo.directory.deleted -= gone
    await turned(undo)
    await plan(undo)
    states = [name for name in undo.records.blobs if "/rollback-2/users-" in name]
    await undo.approved("rollback")
    await carried_out(undo)
    sent, found = bin_of(undo).sent_to("restore_many"), await outcomes_of(undo)

    assert 5 == len(states)
    assert sorted(all_users() - gone) == sorted(sent)
    assert sorted(gone) == [one["id"] for one in found["impossible"]]
    assert sorted([*sent, *sent]) == sorted(one["id"] for one in found["restored"])
    assert [20, 20] == [part["count"] for part in (await undo.manifest())["families"]["users"]["shards"]]


@pytest.mark.usefixtures("blocks")
async def test_a_late_look_finds_whoever_the_listing_lacks(undo: Rig) -> None:
    """The listing lags behind by thirty users: point reads find them, block by block, and nobody is told as left."""
    await deleted(undo)
    late, directory = {user(number).id for number in range(30)}, bin_of(undo)
    real = directory.pages

    async def lagging(family: str) -> AsyncIterator[list[Item]]:
        async for page in real(family):
            yield [item for item in page if item.id not in late]

    await turned(undo)
    await plan(undo)
    await undo.approved("rollback")
    directory.pages = lagging  # type: ignore[method-assign]
    await carried_out(undo)
    found = await outcomes_of(undo)

    assert (45, []) == (len(found["restored"]), found["left"])


@pytest.mark.usefixtures("blocks")
async def test_the_keeper_in_the_last_block_is_found_before_anything_is_frozen(undo: Rig) -> None:
    """Blocks before may be stored, but no plan comes of them, and nobody is asked about one."""
    await deleted(undo)
    await made_keeper(undo, user(44))
    answer = await plan(undo)

    assert ("rail", "keeper") == (answer["stop"], answer["detail"].split(":")[0])
    assert (await undo.row())["digest"] is None
    assert not [name for name in undo.records.blobs if name.endswith(("plan-2/manifest.json", "impossible.json"))]


# -- crashes ----------------------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("landed", [False, True])
async def test_killed_at_each_write_it_restores_everybody(landed: bool) -> None:
    """Whatever write dies, a new process goes on: everybody is back, and may sign in."""

    async def make() -> Rig:
        return await deleted(bench(21), blocked=True)

    async def run(rig: Rig) -> None:
        row = await rig.row()
        if (row.get("rollback") or {}).get("serial") is None:
            await turned(rig)
        await plan(rig)
        gate = await rig.ledger.gate(rig.closure, "rollback", 2)
        if gate is None or gate["state"] == "open":
            await rig.approved("rollback")
        await carried_out(rig)

    async for rig in killed_at_each_write(make, run, landed=landed, least=20):
        assert 22 == len(rig.directory.items["users"])
        assert [] == bin_of(rig).signed_out()
        found = await outcomes_of(rig)
        assert (42, [], []) == (len(found["restored"]), found["left"], found["impossible"])
