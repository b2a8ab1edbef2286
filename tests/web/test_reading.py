"""Reading closures: status document, list, plan, tasks, blockers, report, audit."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest

from tenantclosure import names
from tenantclosure.names import Phase
from tests.web.rig import PEOPLE, TARGET, Desk, person, read, refused
from web import plan_pages

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
    "earliest",
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


async def test_a_record_nobody_sealed_is_left_out_and_named(desk: Desk) -> None:
    """The page still shows the closure: without the forged word, with a blocker that says which record it is."""
    closure, digest = await desk.at_gate()
    forged = f"decision:plan:001:2030-01-01T00:00:00.000Z:{PEOPLE['ann']}"
    said = {"gate": "plan", "serial": 1, "digest": digest, "decision": "approve", "person": person("ann")}
    await desk.records.create(closure, forged, {**said, "at": "2030-01-01T00:00:00.000Z"})
    await desk.records.create(closure, "shard:001:users:delete:00000", {"removed": 10})

    shown = read(await desk.call("show_closure", closureId=closure))

    (blocker,) = shown["blockers"]
    assert [f"The record {closure}/{key} has no seal." for key in (forged, "shard:001:users:delete:00000")] == sorted(
        blocker["items"]
    )
    assert {"it": 1, "owner": 1, "distinct": 2} == shown["gate"]["missing"]
    assert 0 == shown["counts"]["users"]["removed"]


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
    refused(await desk.call("show_plan", "?family=users&shard=1", closureId=closure), 404, "unknown-shard", "shard")
    refused(await desk.call("show_plan", "?family=ghosts", closureId=closure), 404, "unknown-family", "family")


async def _plan_of(desk: Desk, users: list[dict]) -> str:
    """A closure whose plan holds these users in shards of two."""
    closure = await desk.filed()
    shards = [users[start : start + 2] for start in range(0, len(users), 2)]
    await desk.planned(closure, users=len(users))
    path = names.manifest_path(closure, 1)
    manifest = json.loads(await desk.records.read_blob(path))
    manifest["families"]["users"]["shards"] = [{"count": len(shard), "sha256": "0" * 64} for shard in shards]
    await desk.records.write_blob(path, json.dumps(manifest).encode())
    for number, shard in enumerate(shards):
        lines = b"".join(json.dumps(user).encode() + b"\n" for user in shard)
        await desk.records.write_blob(names.shard_path(closure, 1, "users", number), lines)
    return closure


async def test_a_search_goes_through_every_shard(desk: Desk) -> None:
    """Name, address and id are searched in any case; what is found comes as one list without a next page."""
    users = [
        {"id": "u1", "name": "Ada", "facts": {"upn": "ada@contoso.com"}},
        {"id": "u2", "name": "Bo", "facts": {"upn": "bo@contoso.com"}},
        {"id": "ADA-3", "name": "Cy"},
    ]
    closure = await _plan_of(desk, users)
    found = read(await desk.call("show_plan", "?family=users&q=aDa", closureId=closure))
    none = read(await desk.call("show_plan", "?family=users&q=zoe", closureId=closure))

    assert (["u1", "ADA-3"], False, None) == ([i["id"] for i in found["items"]], found["more"], found["next"])
    assert ([], False) == (none["items"], none["more"])
    refused(await desk.call("show_plan", "?q=ada", closureId=closure), 400, "invalid-request", "family")
    refused(
        await desk.call("show_plan", f"?family=users&q={'x' * 201}", closureId=closure), 400, "invalid-request", "q"
    )


async def test_a_search_stops_at_two_hundred(desk: Desk) -> None:
    """A broad search shows so many and says that there are more."""
    closure = await _plan_of(desk, [{"id": f"u{n}", "name": "Ada"} for n in range(201)])
    found = read(await desk.call("show_plan", "?family=users&q=ada", closureId=closure))

    assert (200, True) == (len(found["items"]), found["more"])


async def test_a_large_family_is_downloaded_in_parts(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole shards, as many as fit, in each file; together they hold everybody once. The page offers each."""
    monkeypatch.setattr(plan_pages, "DOWNLOAD", 3)
    counts, people, closure = (2, 1, 2, 5, 1), iter(range(99)), await _plan_of(desk, [])
    path = names.manifest_path(closure, 1)
    manifest = json.loads(await desk.records.read_blob(path))
    manifest["families"]["users"] = {"count": 11, "shards": [{"count": count} for count in counts]}
    await desk.records.write_blob(path, json.dumps(manifest).encode())
    for number, count in enumerate(counts):
        items = [{"id": f"u{next(people)}", "name": "Ada"} for _ in range(count)]
        lines = b"".join(json.dumps(item).encode() + b"\n" for item in items)
        await desk.records.write_blob(names.shard_path(closure, 1, "users", number), lines)
    query, files = "?family=users&format=csv", list[list[str]]()
    while query:
        answer = await desk.call("show_plan", query, closureId=closure)
        files.append([line.split(",")[1] for line in answer.get_body().decode().splitlines()[1:]])
        assert f'filename="{closure}-plan-1-users-{len(files)}-of-4.csv"' in answer.headers["Content-Disposition"]
        query = "".join(re.findall(r"\?[^>]+", answer.headers.get("Link", "")))

    assert [["u0", "u1", "u2"], ["u3", "u4"], ["u5", "u6", "u7", "u8", "u9"], ["u10"]] == files
    refused(await desk.call("show_plan", "?family=users&format=csv&shard=1", closureId=closure), 404, "unknown-shard")
    page = (await desk.call("plan_page", "?family=users", closureId=closure)).get_body().decode()
    assert ["1 to 3", "4 to 5", "6 to 10", "11 to 11"] == re.findall(r"Download (\d+ to \d+) as CSV", page)


async def test_a_family_is_downloaded_whole_as_csv(desk: Desk) -> None:
    """All shards in one attachment; no cell begins a formula."""
    users = [
        {"id": "u1", "name": "=HYPERLINK(1)", "facts": {"upn": "@ada"}},
        {"id": "u2", "name": 'B"o, Jr'},
        {"id": "u3", "name": "Cy"},
    ]
    closure = await _plan_of(desk, users)
    answer = await desk.call("show_plan", "?family=users&format=csv", closureId=closure)

    assert (200, "text/csv") == (answer.status_code, answer.mimetype)
    assert f'attachment; filename="{closure}-plan-1-users.csv"' == answer.headers["Content-Disposition"]
    assert [
        "\ufefffamily,id,name,upn",
        "users,u1,'=HYPERLINK(1),'@ada",
        'users,u2,"B""o, Jr",',
        "users,u3,Cy,",
    ] == answer.get_body().decode().splitlines()
    refused(await desk.call("show_plan", "?format=csv", closureId=closure), 400, "invalid-request", "family")
    refused(
        await desk.call("show_plan", "?family=users&format=xml", closureId=closure), 400, "invalid-request", "format"
    )


async def test_the_plan_tells_what_it_holds_other_than_the_one_before(desk: Desk) -> None:
    """A plan that grew brings its difference along; the first one has none."""
    closure = await _plan_of(desk, [{"id": "u1", "name": "Ada"}])
    before = read(await desk.call("show_plan", closureId=closure))["difference"]
    told = {"from": 0, "to": 1, "families": {"users": {"added": 1, "gone": 0, "items": []}}}
    await desk.records.write_blob(names.difference_path(closure, 1), json.dumps(told).encode())
    after = read(await desk.call("show_plan", closureId=closure))["difference"]

    assert (None, told) == (before, after)


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


async def test_a_large_report_comes_in_parts(desk: Desk) -> None:
    """Each part of the CSV says by its name which it is, and by its header where the next one is; the last has none."""
    closure = await desk.filed()
    await desk.ledger.set_mark(closure, names.REPORT, 0, {"parts": 2})
    for part in (1, 2):
        await desk.records.write_blob(names.report_path(closure, "csv", part), b"%d" % part)
    first = await desk.call("show_report", "?format=csv", closureId=closure)
    (link,) = re.findall(r'^<(/api/closures/[^>]+)>; rel="next"$', first.headers["Link"])
    second = await desk.call("show_report", link[link.index("?") :], closureId=closure)

    assert (b"1", b"2") == (first.get_body(), second.get_body())
    assert [f'attachment; filename="{closure}-{part}-of-2.csv"' for part in (1, 2)] == [
        one.headers["Content-Disposition"] for one in (first, second)
    ]
    assert "Link" not in second.headers
    refused(await desk.call("show_report", "?format=csv&part=3", closureId=closure), 404, "unknown-part", "part")
    page = (await desk.call("closure_page", closureId=closure)).get_body().decode()
    assert "CSV" not in page, "it has not ended"
    await desk.ledger.change(closure, lambda row: row.update(status="ended", result="closed"))
    page = (await desk.call("closure_page", closureId=closure)).get_body().decode()
    assert ["part 1 of 2", "part 2 of 2"] == re.findall(r"part \d of \d", page)


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
    refused(await desk.call("show_audit", "?verify=maybe", closureId=closure), 400, "invalid-request", "verify")


async def test_approvals_in_force_are_shown_while_they_can_be_taken_back(desk: Desk) -> None:
    """After a gate is approved the closure still names it with serial and digest, until it has ended."""
    closure, digest = await desk.approved()
    shown = read(await desk.call("show_closure", closureId=closure))
    await desk.ledger.end(closure, "vetoed")
    ended = read(await desk.call("show_closure", closureId=closure))

    assert shown["gate"] is None
    assert [("plan", 1, digest)] == [(g["name"], g["serial"], g["digest"]) for g in shown["inForce"]]
    assert [] == ended["inForce"]


async def test_a_gate_shows_messages_that_reached_nobody(desk: Desk) -> None:
    """Who could not be told stands at the gate with the reason, without the message."""
    closure, digest = await desk.at_gate()
    notice = {"noticeId": "n1", "kind": "ask", "channel": "mail", "gate": "plan", "serial": 1, "digest": digest}
    await desk.ledger.add_notice(closure, {**notice, "to": person("bob"), "detail": {}})
    await desk.ledger.change_notice(closure, "n1", lambda doc: doc.update(state="failed", why="no such mailbox"))
    failed = read(await desk.call("show_closure", closureId=closure))["gate"]["failed"]

    assert [("ask", "no such mailbox", "bob@fabrikam.com")] == [(f["kind"], f["why"], f["to"]["upn"]) for f in failed]
