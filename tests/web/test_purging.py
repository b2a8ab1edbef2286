"""Retention: what is purged of an ended closure, what stays, and that a live one is never touched."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from durabletask import task
from durabletask.client import AsyncTaskHubGrpcClient
from durabletask.worker import TaskHubGrpcWorker

from embedded.backend import Backend
from tenantclosure import names
from tenantclosure.errors import RailBroken, RequestRefused, ServiceTrouble
from tenantclosure.ledger import Ledger, iso
from tenantclosure.ledger.leases import Lease
from tests.fakes.dying_records import Crash, DyingRecords
from tests.fakes.memory_records import MemoryRecords
from tests.fakes.seals import sealed
from tests.web.rig import Desk, read
from web import purging
from web.sweeping import sweep

DAYS = 1095


class Refusing(MemoryRecords):
    """Storage in which one blob lies under a legal hold."""

    held = ""

    async def remove_blob(self, path: str) -> None:
        if path == self.held:
            raise ServiceTrouble(f"delete blob {path}: storage said 409 BlobImmutableDueToPolicy.")
        await super().remove_blob(path)


async def _ended(desk: Desk, result: str = "vetoed") -> str:
    """A closure that has left all kinds of traces and has ended."""
    closure, digest = await desk.at_gate()
    await desk.link(closure, digest)
    said = {"decision": "veto", "digest": digest, "comment": ""}
    await desk.call("decide_at_gate", who="ann:Approver", body=said, closureId=closure, gate="plan")
    for path in (
        names.listing_path(closure, 1, "users"),
        names.shard_path(closure, 1, "users", 0),
        names.evidence_path(closure, 1, "users", "delete", 0),
        names.report_path(closure, "html"),
    ):
        await desk.records.write_blob(path, b"words")
    await desk.ledger.note_shard(closure, 1, "users", "delete", 0, {"removed": 1, "done": True})
    await desk.ledger.set_mark(closure, names.REPORT, 0, {"parts": 1})
    await desk.ledger.end(closure, result)
    return closure


async def _sweep_after(desk: Desk, days: float) -> None:
    desk.clock.moment = (desk.clock.moment + timedelta(days=days)).replace(minute=0)
    await sweep(desk.client, desk.parts)


def _left(desk: Desk, closure: str) -> tuple[list[str], list[str]]:
    """The closure's blobs, and its documents."""
    documents = [f"{place}/{key}" for place, key in sorted(desk.records.documents) if closure in (place, key)]
    return sorted(desk.records.blobs), documents


async def test_nothing_is_purged_before_its_time(desk: Desk) -> None:
    """A day too early everything is as it was."""
    closure = await _ended(desk)
    before = _left(desk, closure)
    await _sweep_after(desk, DAYS - 1)

    assert before == _left(desk, closure)
    assert [] == desk.client.purged


async def test_what_stays_is_chain_report_and_a_row_without_names(desk: Desk) -> None:
    """Listings, plan, evidence, decisions, links and histories go; chain and report stay, and the chain verifies."""
    closure = await _ended(desk)
    await _sweep_after(desk, DAYS)
    blobs, documents = _left(desk, closure)
    row = await desk.ledger.closure(closure)
    view = read(await desk.call("show_closure", closureId=closure))
    verdict = read(await desk.call("show_audit", "?verify=1", closureId=closure))
    page = await desk.call("closure_page", closureId=closure)
    report = await desk.call("show_report", closureId=closure)

    assert [names.audit_path(closure), names.report_path(closure, "html")] == blobs
    assert {f"{closure}/audit-head", f"{closure}/mark:report:000", f"closure/{closure}"} == set(documents)
    assert [] == [key for place, key in desk.records.documents if place == "link"]
    assert [f"{closure}-e1"] == desk.client.purged
    assert "@" not in str({key: row[key] for key in ("request", "requester", "keeper", "operators", "terms")})
    assert ("vetoed", True) == (view["result"], bool(view["purgedAt"]))
    assert (True, None) == (verdict["ok"], verdict["fault"])
    assert (200, 200) == (page.status_code, report.status_code)


async def test_the_purge_is_written_down(desk: Desk) -> None:
    """A line of the chain says when, and with which head; the row keeps the same."""
    closure = await _ended(desk)
    head = await desk.ledger.audit_head(closure)
    await _sweep_after(desk, DAYS)
    lines = [line.decode() for line in await desk.ledger.audit_lines(closure)]

    assert 1 == sum("records:purged" in line for line in lines)
    assert head in lines[-1]
    assert head == (await desk.ledger.closure(closure))["purge"]["head"]


async def test_a_second_purge_finds_nothing_to_do(desk: Desk) -> None:
    """Once done it is done: no write, no line, whatever later sweeps do."""
    closure = await _ended(desk)
    await _sweep_after(desk, DAYS)
    before, lines = _left(desk, closure), await desk.ledger.audit_lines(closure)
    await _sweep_after(desk, 1)

    assert (before, lines) == (_left(desk, closure), await desk.ledger.audit_lines(closure))


async def test_zero_days_keep_everything(desk: Desk) -> None:
    """With the setting 0 nothing is ever purged."""
    desk.set(CLOSURE_RETENTION_DAYS="0")
    closure = await _ended(desk)
    before = _left(desk, closure)
    await _sweep_after(desk, 36500)

    assert before == _left(desk, closure)


async def test_a_large_closure_goes_in_portions(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """No round deletes more than a portion; in the end all of it is gone."""
    monkeypatch.setattr(purging, "PORTION", 3)
    closure = await _ended(desk)
    await _sweep_after(desk, DAYS)
    assert 3 == sum(what in ("remove", "remove_blob") for what, _ in desk.records.writes)
    assert (await desk.ledger.closure(closure))["purge"]["doneAt"] is None
    for _ in range(9):
        await _sweep_after(desk, 0.1)

    assert (await desk.ledger.closure(closure))["purge"]["doneAt"] is not None
    assert 2 == len(_left(desk, closure)[0])


@pytest.mark.parametrize("landed", [False, True])
async def test_killed_at_any_write_it_goes_on(desk: Desk, *, landed: bool) -> None:
    """Whichever write the process dies at, the next rounds finish the purge, and the chain is whole."""
    closure = await _ended(desk)
    desk.clock.moment = (desk.clock.moment + timedelta(days=DAYS)).replace(minute=0)
    base, moment, at = dict(desk.records.__dict__), desk.clock.moment, 0
    while True:
        at += 1
        memory = MemoryRecords()
        memory.__dict__.update(
            {name: value.copy() if hasattr(value, "copy") else value for name, value in base.items()}
        )
        desk.clock.moment, desk.client.purged = moment, []
        dying = DyingRecords(memory, at, landed=landed)
        died = await _round(desk, dying)
        await _round(desk, DyingRecords(memory))
        ledger = _ledger(desk, memory)
        assert (await ledger.closure(closure))["purge"]["doneAt"] is not None, at
        assert (await ledger.audit_verdict(closure)).ok, at
        assert [names.audit_path(closure), names.report_path(closure, "html")] == sorted(memory.blobs), at
        if not died:
            break
    assert at > 10


async def _round(desk: Desk, records: MemoryRecords) -> bool:
    """One round of purging on these records; whether the process died in it."""
    ledger = _ledger(desk, records)
    parts = replace(desk.parts, records=ledger.records, ledger=ledger)
    rows = [row async for row in ledger.closures() if purging.is_due(row, DAYS, desk.clock.now())]
    try:
        await purging.purge(desk.client, parts, rows)
    except Crash:
        return True
    return False


def _ledger(desk: Desk, records: MemoryRecords) -> Ledger:
    return Ledger(sealed(records), desk.clock, "here")


async def test_what_storage_keeps_is_said_and_tried_again(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """A blob under a hold stays, the rest goes, the purge is not called done, and it is tried again a day later."""
    closure = await _ended(desk)
    desk.records.__class__ = Refusing
    Refusing.held = names.evidence_path(closure, 1, "users", "delete", 0)
    await _sweep_after(desk, DAYS)
    purge = (await desk.ledger.closure(closure))["purge"]
    assert "BlobImmutableDueToPolicy" in purge["refused"]
    assert purge["doneAt"] is None
    assert Refusing.held in desk.records.blobs
    assert names.listing_path(closure, 1, "users") not in desk.records.blobs
    assert "could not be purged" in caplog.text

    Refusing.held = ""
    await _sweep_after(desk, 0.5)
    assert (await desk.ledger.closure(closure))["purge"]["doneAt"] is None
    await _sweep_after(desk, 0.6)
    assert (await desk.ledger.closure(closure))["purge"]["doneAt"] is not None


@pytest.mark.parametrize("how", ["live", "lease", "young"])
async def test_no_way_leads_to_the_purge_of_a_live_closure(desk: Desk, how: str) -> None:
    """Asked directly, past the sweep's own look: a live one, one being opened again, and one that ended lately stay."""
    closure = await _ended(desk)
    desk.clock.moment += timedelta(days=DAYS)
    row = await desk.ledger.closure(closure)
    if how == "live":
        await desk.ledger.change(closure, lambda fresh: fresh.update(status="running"))
    elif how == "lease":
        await desk.ledger.take_lease(closure, 1)
    else:
        await desk.ledger.change(closure, lambda fresh: fresh.update(endedAt=iso(desk.clock.now())))
    before = _left(desk, closure)
    with pytest.raises(RailBroken) as broken:
        await desk.ledger.begin_purge(closure, timedelta(days=DAYS))
    await purging.purge(desk.client, desk.parts, [row])

    assert names.Rail.RETENTION == broken.value.rail
    assert before == _left(desk, closure)
    assert [] == desk.client.purged


@pytest.mark.parametrize("step", ["purge_rows", "purge_blobs", "finish_purge"])
async def test_no_step_of_a_purge_comes_before_its_beginning(desk: Desk, step: str) -> None:
    """Each step looks itself whether the closure is being purged."""
    closure = await _ended(desk)
    before = _left(desk, closure)
    with pytest.raises(RailBroken):
        await getattr(desk.ledger, step)(closure, *([500] if step != "finish_purge" else []))

    assert before == _left(desk, closure)


async def test_a_closure_whose_purge_has_begun_is_never_opened_again(desk: Desk) -> None:
    """A rollback that comes between two portions is refused, and the row stays ended."""
    closure = await _ended(desk)
    desk.clock.moment += timedelta(days=DAYS)
    await desk.ledger.begin_purge(closure, timedelta(days=DAYS))
    lease = await desk.ledger.take_lease(closure, 1)
    assert isinstance(lease, Lease)
    with pytest.raises(RequestRefused) as refused:
        await desk.ledger.revive(lease, lambda row: row.update(status="running"))

    assert "purged" == refused.value.kind
    assert "ended" == (await desk.ledger.closure(closure))["status"]


async def test_a_forged_record_stops_the_purge(desk: Desk) -> None:
    """What is not sealed by us may be evidence: it is not deleted, and people hear of it."""
    closure = await _ended(desk)
    desk.records.documents[closure, "task:forged"] = ('{"state": "open"}', "etag")
    await _sweep_after(desk, DAYS)

    assert "seal" in (await desk.ledger.closure(closure))["purge"]["refused"]
    assert (closure, "task:forged") in desk.records.documents


async def test_an_audit_chain_is_never_deleted() -> None:
    """Storage's own door refuses it, whoever asks."""
    with pytest.raises(RailBroken):
        await MemoryRecords().remove_blob(names.audit_path("x"))


def _nothing(ctx: task.OrchestrationContext, _: object) -> str:
    return "ended"


@pytest.mark.slow
async def test_a_runs_history_is_gone_from_the_hub(desk: Desk) -> None:
    """Through the engine's own client: the ended run's history is deleted; one the hub has lost is no trouble."""
    backend = Backend()
    address = backend.start()
    worker = TaskHubGrpcWorker(host_address=address)
    worker.add_orchestrator(_nothing)
    worker.start()
    client = AsyncTaskHubGrpcClient(host_address=address)
    try:
        closure = await _ended(desk)
        await desk.ledger.change(closure, lambda row: row.update(epoch=2))
        await client.schedule_new_orchestration(_nothing, instance_id=f"{closure}-e2")
        await client.wait_for_orchestration_completion(f"{closure}-e2", timeout=30)
        desk.clock.moment += timedelta(days=DAYS)
        await purging.purge(client, desk.parts, [await desk.ledger.closure(closure)])

        assert await client.get_orchestration_state(f"{closure}-e2") is None
        assert (await desk.ledger.closure(closure))["purge"]["doneAt"] is not None
    finally:
        await client.close()
        worker.stop()
        backend.stop(0)
