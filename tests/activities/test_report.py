"""The report: counts that agree with the evidence, at whatever point a closure ends."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from typing import Any

import pytest

import activities
from activities.report import gather
from tenantclosure import names
from tenantclosure.model.inventory import Item
from tests.activities.rig import Rig, killed_at_each_write
from tests.fakes.tenant import KEEPER, subscription, user
from web.view import closure_view


async def finish(rig: Rig, result: str, why: str = "") -> dict[str, Any]:
    order = await rig.order(phase="report", result=result, why=why)
    await activities.undo_freeze(order)
    await activities.begin_phase(order)
    await activities.write_report(order)
    await activities.end_closure(order)
    return json.loads(await rig.records.read_blob(names.report_path(rig.closure, "json")))


async def test_counts_agree_with_the_evidence(rig: Rig) -> None:
    """Removed, absent, refused and kept add up to what was planned; lost answers show as resent."""
    rig.directory.script = {user(1).id: [403], user(2).id: [500] * 99}
    await rig.ready(keep=["u3@contoso.com"])
    rig.directory.take("users", user(30).id)

    def calls(number: int, ids: list[str]) -> None:
        from tenantclosure.errors import ServiceTrouble

        if number == 1:
            raise ServiceTrouble("lost")

    rig.directory.calls = calls
    for shard in range(3):
        await activities.work_shard(await rig.shard_order(shard, final=True))
    report = await finish(rig, "kept", "users were kept")
    found = report["counts"]["users"]
    assert found == {"planned": 44, "removed": 41, "absent": 1, "kept": 2, "refused": 1, "failed": 1}
    assert report["resent"] == 20
    assert (report["result"], report["why"]) == ("kept", "users were kept")
    assert report["audit"]["ok"]
    assert {d["person"]["upn"] for d in report["approvals"]} == {"ann@fabrikam.com", "cyd@fabrikam.com"}
    assert report["plan"]["digest"] == (await rig.row())["digest"]


async def test_a_large_csv_is_several_files(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has the line of names and whole shards, as many as fit; together they hold every item once."""
    await rig.ready()
    for shard in range(3):
        await activities.work_shard(await rig.shard_order(shard))
    await finish(rig, "closed")
    whole = await rig.records.read_blob(names.report_path(rig.closure, "csv"))
    assert {"parts": 1} == {"parts": (await rig.ledger.mark(rig.closure, names.REPORT, 0) or {})["parts"]}
    lines = whole.splitlines(keepends=True)
    monkeypatch.setattr("activities.report.PART", sum(map(len, lines[1:41])))
    await activities.write_report(await rig.order(result="closed", why="", spent={}))
    first, second = [await rig.records.read_blob(names.report_path(rig.closure, "csv", part)) for part in (1, 2)]

    assert {"parts": 2} == {"parts": (await rig.ledger.mark(rig.closure, names.REPORT, 0) or {})["parts"]}
    assert (lines[:41], [lines[0], *lines[41:]]) == (
        first.splitlines(keepends=True),
        second.splitlines(keepends=True),
    )
    assert 46 == len(lines)


async def test_the_report_says_when_a_fresh_listing_showed_the_end(rig: Rig) -> None:
    """By family: the moment of the listing after the last deletion, and what was still in it."""
    await rig.ready()
    for shard in range(3):
        await activities.work_shard(await rig.shard_order(shard))
    begun = rig.clock.now()
    assert (await activities.confirm_wave(await rig.order(family="users", operation="delete", tries=0)))["confirmed"]
    proven = rig.clock.now()
    rig.clock.go_on(seconds=60)
    confirmed = (await finish(rig, "closed"))["confirmed"]

    assert {"users": 0} == {family: found["left"] for family, found in confirmed.items()}
    assert begun < datetime.fromisoformat(confirmed["users"]["at"]) < proven


async def test_the_csv_has_every_item_once(rig: Rig) -> None:
    """Each planned user is one row with its name and outcome; nobody kept is among them."""
    await rig.ready()
    for shard in range(3):
        await activities.work_shard(await rig.shard_order(shard))
    await finish(rig, "closed")
    data = (await rig.records.read_blob(names.report_path(rig.closure, "csv"))).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(data)))
    ids = [row["id"] for row in rows]
    assert sorted(ids) == sorted(user(n).id for n in range(45))
    assert KEEPER not in ids
    assert {row["outcome"] for row in rows} == {"removed"}
    assert rows[0]["name"] == "User 0"


@pytest.mark.parametrize("point", ["opened", "surveyed", "planned", "ready", "held"])
async def test_a_closure_can_end_anywhere(rig: Rig, point: str) -> None:
    """Before the survey, before the plan, before the gate, before the first write: there is a report, and it ends."""
    await rig.opened()
    if point != "opened":
        await rig.surveyed()
    if point in ("planned", "ready", "held"):
        await activities.freeze_plan(await rig.order())
    if point in ("ready", "held"):
        await rig.approved()
    if point == "held":
        held = await activities.work_shard(await rig.shard_order(tokens=0.0, rate=0.001))
        assert held["state"] == "wait"
    report = await finish(rig, "aborted")
    assert report["result"] == "aborted"
    row = await rig.row()
    assert (row["result"], row["status"], await rig.ledger.live()) == ("aborted", "ended", [])


async def test_the_report_after_a_second_plan(rig: Rig) -> None:
    """What an earlier plan did is in the report too."""
    await rig.ready()
    await activities.work_shard(await rig.shard_order(0))
    rig.directory.items["users"].append(user(99))
    await activities.replan(await rig.order(detail="1 new"))
    await rig.surveyed()
    await activities.freeze_plan(await rig.order())
    await rig.approved()
    for shard in range(2):
        await activities.work_shard(await rig.shard_order(shard))
    found = (await finish(rig, "closed"))["counts"]["users"]
    assert (found["planned"], found["removed"]) == (46, 46)


async def test_report_and_page_count_alike(rig: Rig) -> None:
    """Refused under one plan and removed under the next, or at the second try: one outcome each, in both of them."""
    rig.directory.script = {user(1).id: [403], user(2).id: [403, 403]}
    await rig.ready()
    await activities.work_shard(await rig.shard_order(0))
    rig.directory.items["users"].append(user(99))
    await activities.replan(await rig.order(detail="1 new"))
    await rig.surveyed()
    await activities.freeze_plan(await rig.order())
    await rig.approved()
    for shard in range(2):
        await activities.work_shard(await rig.shard_order(shard))
    rig.clock.go_on(days=1)
    again = await activities.review_refused(await rig.order(family="users", operation="delete"))
    assert again["again"] == 1
    await activities.work_shard(await rig.shard_order(again["first"]))
    counts = (await finish(rig, "closed"))["counts"]
    assert counts["users"] == {"planned": 46, "removed": 46, "absent": 0, "kept": 1, "refused": 0, "failed": 0}
    assert (await closure_view(rig.parts, await rig.row()))["counts"]["users"] == counts["users"]


async def test_the_csv_tells_the_last_outcome(rig: Rig) -> None:
    """Refused first and removed at the second try: one row, removed."""
    rig.directory.script = {user(1).id: [403]}
    await rig.ready()
    for shard in range(3):
        await activities.work_shard(await rig.shard_order(shard))
    rig.clock.go_on(days=1)
    again = await activities.review_refused(await rig.order(family="users", operation="delete"))
    await activities.work_shard(await rig.shard_order(again["first"]))
    await finish(rig, "closed")
    data = (await rig.records.read_blob(names.report_path(rig.closure, "csv"))).decode("utf-8-sig")
    rows = [row for row in csv.DictReader(io.StringIO(data)) if row["id"] == user(1).id]
    assert [row["outcome"] for row in rows] == ["removed"]


async def test_what_was_recorded_and_not_switched_is_in_the_report(rig: Rig) -> None:
    """Per-user MFA, security defaults and Conditional Access policies as they were found."""
    rig.directory.items["access-policies"] = [Item("p1", "Block legacy sign-in", {"state": "enabled"})]
    rig.directory.mfa = {user(1).id: "enforced", user(2).id: "unknown"}
    await rig.ready()
    await activities.turn_off_mfa(await rig.order())
    assert (await finish(rig, "aborted"))["access"] == {
        "mfa": {"left": 45, "turnedOff": 1, "stillOn": 0, "unknown": 1},
        "securityDefaults": True,
        "policies": [{"name": "Block legacy sign-in", "state": "enabled"}],
    }


async def test_subscriptions_in_the_report(rig: Rig) -> None:
    """Where each subscription stands, and the outcome of those that are through."""
    rig.directory.items["subscriptions"] = [subscription(1), subscription(2)]
    await rig.ready()
    rig.directory.take("subscriptions", subscription(2).id)
    for _ in range(2):
        for number in (1, 2):
            order = await rig.order(item=subscription(number).id, goal="deleted", phase="delete-subscriptions")
            await activities.advance_subscription(order)
        rig.clock.go_on(hours=2)
    report = await gather(rig.parts, rig.closure, "blocked", "", [])
    stages = [(s["name"], s["stage"]) for s in report["subscriptions"]]
    assert stages == [("E5 1", "planned"), ("E5 2", "deprovisioned")]
    assert report["counts"]["subscriptions"]["absent"] == 1


async def test_blockers_come_with_the_newest_closing_date(rig: Rig) -> None:
    """A closure that ends with something in the way says from when on it could have been closed; otherwise nothing."""
    rig.directory.items["subscriptions"] = [subscription(1, status="LockedOut")]
    await rig.planned()
    report = await finish(rig, "aborted")
    assert [b["what"] for b in report["blockers"]] == ["subscriptions"]
    assert report["closing"]["earliest"] == (await rig.row())["earliest"]
    await rig.ledger.change(rig.closure, lambda row: row.update(blockers=[]))
    assert (await gather(rig.parts, rig.closure, "closed", "", []))["closing"] is None


@pytest.mark.slow
@pytest.mark.parametrize("landed", [False, True])
async def test_a_crash_while_ending(landed: bool) -> None:
    """Killed at each write of the end: run again the report is there, the result written, the lease given back."""

    async def end(rig: Rig) -> None:
        if (await activities.read_progress(await rig.order()))["result"] is None:
            await finish(rig, "aborted")

    async for rig in killed_at_each_write(lambda: Rig().ready(), end, landed=landed, least=6):
        assert await rig.ledger.live() == []
        assert (await rig.row())["result"] == "aborted"
        assert {"report:written", "closure:ended"} <= set(await rig.words())
        assert names.report_path(rig.closure, "html") in rig.records.blobs
