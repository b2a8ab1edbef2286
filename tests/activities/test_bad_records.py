"""Records that somebody else touched: noticed before the next write, named, and for that closure only."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import activities
from tenantclosure import names
from tenantclosure.errors import RecordNewer, SettingsError
from tenantclosure.ledger import Ledger
from tenantclosure.model.keys import KeyRing
from tenantclosure.names import Word
from tenantclosure.policy import seals
from tests.activities.rig import CYD, EVE, Rig
from tests.fakes.seals import RING, rewrite, sealed
from tests.fakes.tenant import HOME, FakeDirectory

Tamper = Callable[[Rig], Awaitable[None]]
OTHERS = KeyRing.of([b"x" * 32])


def at_once(work: Any) -> None:
    """Run a coroutine that waits for nothing, in the middle of somebody else's call."""
    with pytest.raises(StopIteration):
        work.send(None)


def stored(rig: Rig, key: str, partition: str = "") -> dict[str, Any]:
    """A document as it lies in the table, seal and all."""
    found: dict[str, Any] = json.loads(rig.records.documents[partition or rig.closure, key][0])
    return found


def lay(rig: Rig, key: str, doc: dict[str, Any], partition: str = "") -> None:
    """Put a document into the table past the program."""
    rig.records.documents[partition or rig.closure, key] = (json.dumps(doc), "forged")


def decision(rig: Rig) -> str:
    """The key of the first decision."""
    return next(key for place, key in rig.records.documents if place == rig.closure and key.startswith("decision:"))


async def forge_a_decision(rig: Rig) -> None:
    said = {**seals.bare(stored(rig, decision(rig))), "person": EVE.to_dict()}
    lay(rig, f"decision:plan:001:2030-01-01T00:00:00.000Z:{EVE.object_id}", said)


async def forge_a_decision_with_another_key(rig: Rig) -> None:
    key = f"decision:plan:001:2030-01-01T00:00:00.000Z:{EVE.object_id}"
    said = {**seals.bare(stored(rig, decision(rig))), "person": EVE.to_dict()}
    lay(rig, key, seals.sealed(OTHERS, f"{rig.closure}/{key}", said, 1))


async def copy_a_decision(rig: Rig) -> None:
    lay(rig, f"decision:delete-tenant:001:2030-01-01T00:00:00.000Z:{CYD.object_id}", stored(rig, decision(rig)))


async def change_a_decision(rig: Rig) -> None:
    lay(rig, decision(rig), {**stored(rig, decision(rig)), "person": EVE.to_dict()})


async def take_a_decision(rig: Rig) -> None:
    del rig.records.documents[rig.closure, decision(rig)]


async def lower_the_quorum(rig: Rig) -> None:
    lay(rig, "gate:plan:001", {**stored(rig, "gate:plan:001"), "distinct": 1})


async def move_to_another_plan(rig: Rig) -> None:
    lay(rig, rig.closure, {**stored(rig, rig.closure, "closure"), "planSerial": 2}, "closure")


async def cut_the_audit(rig: Rig) -> None:
    path = names.audit_path(rig.closure)
    rig.records.blobs[path] = b"".join(rig.records.blobs[path].splitlines(keepends=True)[:-1])


async def cut_the_audit_and_go_on(rig: Rig) -> None:
    """A chain cut and continued is whole in itself; only the note of its newest line tells."""
    note = rig.records.documents[rig.closure, "audit-head"]
    await cut_the_audit(rig)
    del rig.records.documents[rig.closure, "audit-head"]
    for number in range(3):
        await rig.ledger.audit(rig.closure, Word.WRITE_MADE, None, {"number": number})
    rig.records.documents[rig.closure, "audit-head"] = note


async def take_the_note_of_the_audit(rig: Rig) -> None:
    del rig.records.documents[rig.closure, "audit-head"]


async def lose_the_audit(rig: Rig) -> None:
    del rig.records.blobs[names.audit_path(rig.closure)]


TOUCHED = [
    ("a decision nobody sealed", forge_a_decision, "seal", "decision:plan:001:2030"),
    ("a decision sealed elsewhere", forge_a_decision_with_another_key, "seal", "a key that we do not have"),
    ("a decision copied to another gate", copy_a_decision, "seal", "decision:delete-tenant"),
    ("a decision by somebody else", change_a_decision, "seal", "was changed after it was sealed"),
    ("a decision that is gone", take_a_decision, "seal", "Of 2 words said at the gate plan only 1 are left"),
    ("a gate that asks for fewer", lower_the_quorum, "seal", "gate:plan:001"),
    ("an audit chain without its end", cut_the_audit, "audit", "cut or changed"),
    ("an audit chain with another end", cut_the_audit_and_go_on, "audit", "cut or changed"),
    ("an audit chain without its note", take_the_note_of_the_audit, "audit", "no note of the newest"),
    ("no audit chain", lose_the_audit, "audit", "cut or changed"),
]


@pytest.mark.parametrize(("tamper", "rail", "named"), [one[1:] for one in TOUCHED], ids=[one[0] for one in TOUCHED])
async def test_a_touched_record_stops_before_any_write(rig: Rig, tamper: Tamper, rail: str, named: str) -> None:
    """Nothing is sent, and the stop says which record it was."""
    await rig.ready()
    await tamper(rig)

    answer = await activities.work_shard(await rig.shard_order())

    assert ("rail", []) == (answer["stop"], rig.directory.asked)
    assert answer["detail"].startswith(f"{rail}: ")
    assert named in answer["detail"]


@pytest.mark.parametrize(("tamper", "rail", "named"), [one[1:] for one in TOUCHED], ids=[one[0] for one in TOUCHED])
async def test_a_record_touched_in_mid_shard_stops_within_one_wave(
    rig: Rig, tamper: Tamper, rail: str, named: str
) -> None:
    """What was touched while a wave was under way stops the next one; the wave's outcomes are kept."""
    await rig.ready()

    def touch(number: int, _: list[str]) -> None:
        if number == 1:
            at_once(tamper(rig))

    rig.directory.calls = touch
    answer = await activities.work_shard(await rig.shard_order(tokens=5.0, rate=20.0, burst=5))
    if tamper is take_a_decision:  # counted whenever the gate is judged: at the next shard
        answer = await activities.work_shard(await rig.shard_order(1))

    assert "rail" == answer["stop"]
    assert answer["detail"].startswith(f"{rail}: ")
    assert set(rig.outcomes()) == set(rig.directory.sent)
    assert len(rig.directory.sent) <= (20 if tamper is take_a_decision else 5)


async def test_a_closure_s_own_row_is_not_believed_either(rig: Rig) -> None:
    """A row that points at another plan stops its run without an end that could be forged as well."""
    await rig.ready()
    order = await rig.shard_order()
    await move_to_another_plan(rig)

    answer = await activities.work_shard(order)

    assert ("rail", []) == (answer["stop"], rig.directory.asked)
    assert f"closure/{rig.closure}" in answer["detail"]


async def test_a_forged_phase_mark_skips_nothing(rig: Rig) -> None:
    """A mark that nobody sealed stops the run that opens, before it could skip the phase."""
    await rig.ready()
    lay(rig, "mark:delete-users:001", {"at": "2030-01-01T00:00:00.000Z"})

    answer = await activities.read_progress(await rig.order())

    assert "rail" == answer["stop"]
    assert "mark:delete-users:001" in answer["detail"]


async def worked(rig: Rig) -> str:
    """The path of one finished shard's evidence."""
    await rig.ready()
    assert "done" == (await activities.work_shard(await rig.shard_order()))["state"]
    return names.evidence_path(rig.closure, 1, "users", "delete", 0)


def changed(data: bytes) -> bytes:
    return data.replace(b"removed", b"refused", 1)


def cut(data: bytes) -> bytes:
    return b"".join(data.splitlines(keepends=True)[:-1])


def nothing(_: bytes) -> None:
    return None


@pytest.mark.parametrize("touch", [changed, cut, nothing])
async def test_touched_evidence_stops_the_next_wave_and_the_next_phase(rig: Rig, touch: Any) -> None:
    """Evidence that is not what was written is noticed before anything more is sent, and named."""
    path = await worked(rig)
    data = touch(rig.records.blobs.pop(path))
    if data is not None:
        rig.records.blobs[path] = data
    sent = list(rig.directory.sent)

    wave = await activities.open_wave(await rig.order(family="users", operation="delete"))
    phase = await activities.begin_phase(await rig.order(phase="applications"))

    for answer in (wave, phase):
        assert ("rail", f"evidence: The evidence {path} is not what was written.") == (answer["stop"], answer["detail"])
    assert sent == rig.directory.sent


async def test_touched_evidence_of_a_shard_at_work_stops_it(rig: Rig) -> None:
    """A shard whose own evidence was touched sends nothing on the word of it."""
    await rig.ready()
    await activities.work_shard(await rig.shard_order(tokens=5.0, rate=0.001, burst=5))
    path, sent = names.evidence_path(rig.closure, 1, "users", "delete", 0), list(rig.directory.sent)
    assert sent
    rig.records.blobs[path] = changed(rig.records.blobs[path])

    answer = await activities.work_shard(await rig.shard_order())

    assert ("rail", sent) == (answer["stop"], rig.directory.sent)


async def test_a_line_that_is_none_after_the_note_stops_the_shard(rig: Rig) -> None:
    """What a crash may leave after the note are whole lines of ours; anything else is named."""
    await rig.ready()
    await activities.work_shard(await rig.shard_order(tokens=5.0, rate=0.001, burst=5))
    path = names.evidence_path(rig.closure, 1, "users", "delete", 0)
    rig.records.blobs[path] += b'{"t":"outcome"}\n'

    answer = await activities.work_shard(await rig.shard_order())

    assert ("rail", f"evidence: The evidence {path} holds a line that is none.") == (answer["stop"], answer["detail"])


async def test_a_cut_chain_stays_known_as_cut_however_long_it_grows(rig: Rig) -> None:
    """Lines that are written after a cut, by us as well, never make it good: the note stays where it was."""
    await rig.ready()
    await cut_the_audit(rig)
    for number in range(30):
        await rig.ledger.audit(rig.closure, Word.WRITE_MADE, None, {"number": number})

    assert "was cut or changed" in str(await rig.ledger.audit_fault(rig.closure))


async def test_a_note_that_is_gone_is_not_made_anew(rig: Rig) -> None:
    """The next line does not replace a note that somebody took away."""
    await rig.ready()
    await take_the_note_of_the_audit(rig)
    await rig.ledger.audit(rig.closure, Word.WRITE_MADE, None, {})

    assert "no note of the newest is left" in str(await rig.ledger.audit_fault(rig.closure))


async def test_a_chain_that_has_grown_since_its_note_is_no_fault(rig: Rig) -> None:
    """Another writer's line, whose note is not there yet, is no alarm; one that is not linked is."""
    await rig.ready()
    note, _ = rig.records.documents[rig.closure, "audit-head"]
    await rig.ledger.audit(rig.closure, Word.WRITE_MADE, None, {})
    rig.records.documents[rig.closure, "audit-head"] = (note, "etag")

    assert await rig.ledger.audit_fault(rig.closure) is None
    rig.records.blobs[names.audit_path(rig.closure)] += b"{}\n"
    assert "was cut or changed" in str(await rig.ledger.audit_fault(rig.closure))


async def test_a_newest_line_longer_than_one_look_is_found(rig: Rig) -> None:
    """A line of 100 kB is read whole before it is judged."""
    await rig.ready()
    await rig.ledger.audit(rig.closure, Word.WRITE_MADE, None, {"long": "x" * 100_000})
    await rig.ledger.audit(rig.closure, Word.WRITE_MADE, None, {"long": "y" * 100_000})

    assert await rig.ledger.audit_fault(rig.closure) is None


async def test_a_newest_line_of_the_same_length_is_told_apart(rig: Rig) -> None:
    """The last line in exchange for one as long: the note knows its hash, and no batch goes out."""
    await rig.ready()
    order, path = await rig.shard_order(), names.audit_path(rig.closure)
    *lines, last = rig.records.blobs[path].splitlines(keepends=True)
    digest = json.loads(last)["hash"]
    other = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    rig.records.blobs[path] = b"".join([*lines, last.replace(digest.encode(), other.encode())])

    assert "was cut or changed" in str(await rig.ledger.audit_fault(rig.closure))
    assert "rail" == (await activities.work_shard(order))["stop"]
    assert [] == rig.directory.asked


async def test_an_edited_audit_line_is_found_before_the_next_phase(rig: Rig) -> None:
    """A line in the middle, rewritten: the whole chain is read before each phase."""
    await rig.ready()
    path = names.audit_path(rig.closure)
    lines = rig.records.blobs[path].splitlines(keepends=True)
    rig.records.blobs[path] = b"".join([lines[0].replace(b"contoso", b"fabrikam"), *lines[1:]])

    answer = await activities.begin_phase(await rig.order(phase="freeze"))

    assert ("rail", "audit: Line 1 of the audit chain was changed after it was written.") == (
        answer["stop"],
        answer["detail"],
    )


async def test_evidence_of_many_shards_is_all_looked_at() -> None:
    """Ten shards are worked, and a line of the first one is touched: the next phase does not begin."""
    rig = Rig(directory=FakeDirectory(200))
    await rig.ready()
    for shard in range(10):
        assert "done" == (await activities.work_shard(await rig.shard_order(shard)))["state"]
    assert "stop" not in await activities.begin_phase(await rig.order(phase="freeze"))
    path = names.evidence_path(rig.closure, 1, "users", "delete", 0)
    rig.records.blobs[path] = changed(rig.records.blobs[path])

    assert "rail" == (await activities.begin_phase(await rig.order(phase="sync-off")))["stop"]


async def change_evidence(rig: Rig) -> None:
    assert "done" == (await activities.work_shard(await rig.shard_order()))["state"]
    path = names.evidence_path(rig.closure, 1, "users", "delete", 0)
    rig.records.blobs[path] = changed(rig.records.blobs[path])


@pytest.mark.parametrize("tamper", [forge_a_decision, cut_the_audit, change_a_decision, change_evidence])
async def test_the_end_is_told_without_what_was_touched(rig: Rig, tamper: Tamper) -> None:
    """The report is written all the same: it leaves the record out, names it, and does not call the chain whole."""
    await rig.ready()
    await tamper(rig)

    assert {} == await activities.write_report(await rig.order(result="failed", why="seal", phase="report"))
    assert {} == await activities.end_closure(await rig.order(result="failed"))

    report = json.loads(rig.records.blobs[names.report_path(rig.closure, "json")])
    (named,) = [one for one in report["blockers"] if one["what"] == "records"]
    assert "records are not what this deployment wrote" in named["why"]
    assert named["items"]
    assert (tamper is not cut_the_audit) == report["audit"]["ok"]
    assert b"delete" not in rig.records.blobs[names.report_path(rig.closure, "csv")]
    assert EVE.object_id not in {said["person"]["objectId"] for said in report["approvals"]}


async def test_a_newer_record_stops_without_an_end(rig: Rig) -> None:
    """A document of a newer schema is trouble and no stop: the run comes round again, and no result is written."""
    await rig.ready()
    order = await rig.shard_order()
    row = seals.bare(stored(rig, rig.closure, "closure"))
    lay(rig, rig.closure, seals.sealed(RING, f"closure/{rig.closure}", row, names.SCHEMA + 1), "closure")

    with pytest.raises(RecordNewer, match=f"closure/{rig.closure} has schema 2, ours is 1"):
        await activities.work_shard(order)
    assert [] == rig.directory.asked


async def test_one_closure_s_bad_records_stop_no_other(rig: Rig) -> None:
    """Listings over all closures leave a bad row out, and a lease without a sound row still counts as live."""
    await rig.opened()
    other = f"{HOME}-1"
    await rig.ledger.records.create("closure", other, {**(await rig.row()), "closureId": other})
    await rig.ledger.records.create("lease", HOME, {"closureId": other, "at": "2026-01-01T00:00:00Z", "turn": 0})
    await move_to_another_plan(rig)

    assert [other] == [row["closureId"] async for row in rig.ledger.closures()]
    assert {rig.closure, other} == set(await rig.ledger.live())


async def test_storage_of_another_deployment_is_refused(rig: Rig) -> None:
    """Records under another key, or of another hosting tenant, start nothing; the sentence names the setting."""
    await rig.ledger.check_deployment(HOME)
    await rig.ledger.check_deployment(HOME)
    stranger = Ledger(sealed(rig.records, OTHERS), rig.clock)

    with pytest.raises(SettingsError, match="CLOSURE_STORAGE holds the records of another deployment"):
        await stranger.check_deployment(HOME)
    with pytest.raises(SettingsError, match="CLOSURE_HOME_TENANT_ID is elsewhere"):
        await rig.ledger.check_deployment("elsewhere")


async def test_a_row_put_back_as_it_was_does_not_bring_an_approval_back(rig: Rig) -> None:
    """An older gate has a sound seal; the decisions are counted anew, and the revocation stays."""
    await rig.ready()
    before = rig.records.documents[rig.closure, "gate:plan:001"]
    await rig.decide("plan", CYD, "revoke")
    rig.records.documents[rig.closure, "gate:plan:001"] = before

    answer = await activities.work_shard(await rig.shard_order())

    assert ("revoked", []) == (answer["stop"], rig.directory.asked)


async def test_the_rails_beneath_hold_by_themselves(rig: Rig) -> None:
    """Who has the key as well still meets the rails on terms, digest and quorum."""
    await rig.ready()
    rewrite(rig.records, rig.closure, "gate:plan:001", distinct=1)

    answer = await activities.work_shard(await rig.shard_order())

    assert ("rail", "approval") == (answer["stop"], answer["detail"].split(":")[0])
