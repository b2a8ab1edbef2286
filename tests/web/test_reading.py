"""Reading closures: status document, list, plan, tasks, blockers, report, audit."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tenantclosure import names
from tenantclosure.names import Phase
from tests.web.rig import TARGET, Desk, read, refused

SHOWN = {
    "closureId",
    "tenantId",
    "domain",
    "status",
    "phase",
    "result",
    "gate",
    "counts",
    "rate",
    "eta",
    "tasks",
    "blockers",
    "updatedAt",
    "planSerial",
    "digest",
    "requester",
    "createdAt",
    "endedAt",
}


async def test_a_new_closure_shows_every_promised_member(desk: Desk) -> None:
    """The status document has all members of the architecture's table from its first moment."""
    shown = read(await desk.call("show_closure", closureId=await desk.filed()))

    assert set() == SHOWN - set(shown)
    assert ("planning", None, None) == (shown["status"], shown["result"], shown["gate"])
    assert {"open": 0, "ids": []} == shown["tasks"]
    assert {"planned", "removed", "absent", "kept", "refused", "failed"} == set(shown["counts"]["users"])


async def test_counts_add_what_an_earlier_plan_already_removed(desk: Desk) -> None:
    """After a new plan its items and those removed before make the whole; what failed before is planned again."""
    closure = await desk.filed()
    await desk.planned(closure, users=10)
    await desk.ledger.note_shard(closure, 1, "users", "delete", 0, {"removed": 6, "absent": 1, "failed": 3})
    await desk.ledger.change(closure, lambda row: row.update(planSerial=2))
    before = read(await desk.call("show_closure", closureId=closure))["counts"]["users"]
    manifest = json.loads(await desk.records.read_blob(names.manifest_path(closure, 1)))
    manifest["families"]["users"]["count"] = 5
    await desk.records.write_blob(names.manifest_path(closure, 2), json.dumps(manifest).encode())
    await desk.ledger.note_shard(closure, 2, "users", "delete", 0, {"removed": 2, "refused": 1})
    after = read(await desk.call("show_closure", closureId=closure))["counts"]["users"]

    assert {"planned": 10, "removed": 6, "absent": 1, "kept": 1, "refused": 0, "failed": 3} == before
    assert {"planned": 12, "removed": 8, "absent": 1, "kept": 1, "refused": 1, "failed": 0} == after


async def test_blocking_sign_in_is_progress_but_no_removal(desk: Desk) -> None:
    """Shards of another operation than delete never count as outcomes."""
    closure = await desk.filed()
    await desk.planned(closure, users=10)
    await desk.ledger.note_shard(closure, 1, "users", "block", 0, {"removed": 4})
    await desk.ledger.change(closure, lambda row: row.update(phase=Phase.QUIET, status="waiting"))
    shown = read(await desk.call("show_closure", closureId=closure))

    assert 0 == shown["counts"]["users"]["removed"]
    assert {"phase": "quiet-period", "done": 4, "total": 10} == shown["progress"]


async def test_rate_and_time_left_follow_the_shards(desk: Desk) -> None:
    """Twenty of a hundred items in ten seconds are two a second and forty seconds left."""
    closure = await desk.filed()
    await desk.planned(closure, users=100)
    await desk.ledger.change(closure, lambda row: row.update(phase=Phase.USERS, status="running"))
    await desk.ledger.set_mark(closure, f"started-{Phase.USERS}", 1, {})
    await desk.clock.sleep(10)
    await desk.ledger.note_shard(closure, 1, "users", "delete", 0, {"removed": 20})
    shown = read(await desk.call("show_closure", closureId=closure))
    left = desk.clock.moment.replace(tzinfo=None) + timedelta(seconds=40)

    assert 2.0 == shown["rate"]
    assert left.isoformat()[:16] == shown["eta"][:16]


async def test_a_paused_closure_has_no_pace(desk: Desk) -> None:
    """While nothing moves, no rate and no end are promised."""
    closure = await desk.filed()
    await desk.planned(closure, users=100)
    await desk.ledger.set_mark(closure, f"started-{Phase.USERS}", 1, {})
    await desk.ledger.change(closure, lambda row: row.update(phase=Phase.USERS, status="paused"))
    shown = read(await desk.call("show_closure", closureId=closure))

    assert (None, None) == (shown["rate"], shown["eta"])


async def test_subscriptions_count_by_their_standing(desk: Desk) -> None:
    """A subscription is counted once it has an outcome."""
    closure = await desk.filed()
    await desk.planned(closure, subscriptions=2)
    standing = {"name": "E5", "provider": "direct", "nextAt": None}
    await desk.ledger.note_subscription(closure, "a", {**standing, "stage": "gone", "outcome": "removed"})
    await desk.ledger.note_subscription(closure, "b", {**standing, "stage": "waiting", "outcome": None})
    shown = read(await desk.call("show_closure", closureId=closure))["counts"]["subscriptions"]

    assert (2, 1) == (shown["planned"], shown["removed"])


async def test_an_open_gate_shows_who_is_missing(desk: Desk) -> None:
    """The gate shows digest, dates, decisions and the quorum still open."""
    closure, digest = await desk.at_gate()
    body = {"decision": "approve", "digest": digest, "comment": "fine"}
    await desk.call("decide_at_gate", who="ann:Approver", body=body, closureId=closure, gate="plan")
    gate = read(await desk.call("show_closure", closureId=closure))["gate"]

    assert ("plan", 1, digest) == (gate["name"], gate["serial"], gate["digest"])
    assert {"owner": 1, "distinct": 1} == gate["missing"]
    assert [("approve", "ann@fabrikam.com")] == [(d["decision"], d["person"]["upn"]) for d in gate["decisions"]]


async def test_the_list_is_paged_by_id(desk: Desk) -> None:
    """A page names the next one until there is none."""
    first = await desk.filed()
    await desk.ledger.end(first, "aborted")
    second = await desk.filed()
    one = read(await desk.call("list_closures", "?top=1"))
    two = read(await desk.call("list_closures", f"?top=1&after={first}"))

    assert ([first], [second]) == ([i["closureId"] for i in one["items"]], [i["closureId"] for i in two["items"]])
    assert f"/api/closures?after={first}&top=1" == one["next"]
    assert two["next"] is None


@pytest.mark.parametrize("top", ["0", "101", "-1", "x", "1e3", "²"])
async def test_a_page_size_out_of_range_is_refused(desk: Desk, top: str) -> None:
    """`top` is a whole number from 1 to 100."""
    refused(await desk.call("list_closures", f"?top={top}"), 400, "invalid-request", "top")


READS = ["show_closure", "show_plan", "show_tasks", "show_blockers", "show_report", "show_audit"]


@pytest.mark.parametrize("name", READS)
async def test_an_unknown_closure_is_a_404(desk: Desk, name: str) -> None:
    """Every door of one closure says so when there is none."""
    refused(await desk.call(name, closureId=f"{TARGET}-9"), 404, "unknown-closure", "closureId")


async def test_the_plan_is_read_shard_by_shard(desk: Desk) -> None:
    """Without a family the manifest; with one its items, a shard at a time."""
    closure = await desk.filed()
    digest = await desk.planned(closure, users=1)
    lines = b'{"id":"u1","name":"Ada"}\n'
    await desk.records.write_blob(names.shard_path(closure, 1, "users", 0), lines)
    plan = read(await desk.call("show_plan", closureId=closure))
    users = read(await desk.call("show_plan", "?family=users", closureId=closure))

    assert (digest, []) == (plan["digest"], plan["items"])
    assert ([{"id": "u1", "name": "Ada"}], None) == (users["items"], users["next"])
    refused(await desk.call("show_plan", "?family=users&shard=1", closureId=closure), 400, "invalid-request", "shard")
    refused(await desk.call("show_plan", "?family=ghosts", closureId=closure), 404, "unknown-family", "family")


async def test_a_plan_not_frozen_yet_is_a_404(desk: Desk) -> None:
    """Before the survey is done there is no plan to read."""
    refused(await desk.call("show_plan", closureId=await desk.filed()), 404, "no-plan")


async def test_tasks_and_blockers_come_as_they_are_on_record(desk: Desk) -> None:
    """Tasks keep their exact steps; blockers are those of the row."""
    closure, task = await desk.with_task()
    await desk.ledger.change(closure, lambda row: row["blockers"].append({"what": "A", "remedy": "B"}))
    tasks = read(await desk.call("show_tasks", closureId=closure))["items"]
    blockers = read(await desk.call("show_blockers", closureId=closure))["items"]

    assert [(task, "open")] == [(t["taskId"], t["state"]) for t in tasks]
    assert [{"what": "A", "remedy": "B"}] == blockers


async def test_the_report_is_a_404_until_it_is_written(desk: Desk) -> None:
    """Afterwards it comes in each form, and its page may act on nothing."""
    closure = await desk.filed()
    refused(await desk.call("show_report", closureId=closure), 404, "no-report")
    for form in ("html", "json", "csv"):
        await desk.records.write_blob(names.report_path(closure, form), form.encode())
    answers = [await desk.call("show_report", f"?format={form}", closureId=closure) for form in ("html", "json", "csv")]

    assert ["text/html", "application/json", "text/csv"] == [answer.mimetype for answer in answers]
    assert [b"html", b"json", b"csv"] == [answer.get_body() for answer in answers]
    assert "default-src 'none'" in answers[0].headers["Content-Security-Policy"]
    refused(await desk.call("show_report", "?format=../html", closureId=closure), 400, "invalid-request", "format")


async def test_the_audit_is_read_and_checked(desk: Desk) -> None:
    """The chain comes line by line; a changed line is found by the check."""
    closure = await desk.filed()
    await desk.call("pause_closure", body={"comment": "lunch"}, closureId=closure)
    lines = (await desk.call("show_audit", closureId=closure)).get_body().splitlines()
    sound = read(await desk.call("show_audit", "?verify=1", closureId=closure))
    path = names.audit_path(closure)
    desk.records.blobs[path] = desk.records.blobs[path].replace(b"lunch", b"coup!")
    broken = read(await desk.call("show_audit", "?verify=1", closureId=closure))

    assert ["closure:requested", "closure:paused"] == [json.loads(line)["word"] for line in lines]
    assert (True, 2) == (sound["ok"], sound["lines"])
    assert (False, 2) == (broken["ok"], broken["line"])
