"""`closure list`, `status`, `plan`, `tasks` and `report`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import CLOSURE, DIGEST, Command, FakeServer, closure_document

BASE = f"/api/closures/{CLOSURE}"


def test_list_shows_closures_and_poison(closure: Command, server: FakeServer) -> None:
    """Refused queue messages stand beside the closures, with field and remedy."""
    poison = [{"at": "2029-01-01T00:00:00Z", "problem": {"field": "domain", "detail": "Wrong.", "remedy": "Mend it."}}]
    server.on("GET /api/closures", {"items": [closure_document()], "poison": poison})

    ran = closure("list")

    assert 0 == ran.code
    assert CLOSURE in ran.out
    assert "Mend it." in ran.out


def test_empty_list_says_what_to_do(closure: Command, server: FakeServer) -> None:
    """Without closures the command says how to file one."""
    server.on("GET /api/closures", {"items": [], "poison": []})

    assert "closure request FILE" in closure("list").out


def test_status_shows_counts_gate_and_rate(closure: Command, server: FakeServer) -> None:
    """The view names the phase, the gate's missing people, the counts and the rate."""
    server.on(f"GET {BASE}", closure_document(tasks={"open": 1, "ids": ["cancel-subscription-e5"]}))

    ran = closure("status", CLOSURE)

    assert 0 == ran.code
    for words in ("gate-plan", "missing: 1 of it", "19.5 a second", "To do: cancel-subscription-e5", "users"):
        assert words in ran.out


@pytest.mark.parametrize(("phase", "told"), [("gate-plan", False), ("gate-rollback", True), ("rollback", True)])
def test_a_rollback_is_only_a_phase_of_what_is_rolled_back(
    closure: Command, server: FakeServer, phase: str, told: bool
) -> None:
    """Nobody who closes a tenant sees a rollback ahead."""
    server.on(f"GET {BASE}", closure_document(phase=phase))

    assert told == ("rollback" in closure("status", CLOSURE).out)


def test_status_says_who_clears_a_blocker_and_when(closure: Command, server: FakeServer) -> None:
    """Blockers that need somebody stand before those that wait for a date, each with who; then the earliest end."""
    waits = {"what": "subscriptions", "why": "2 found", "remedy": "Wait.", "who": "nobody", "earliest": "2030-02-01"}
    asks = {"what": "users", "why": "3 \x1b[31mfound", "remedy": "Release them.", "who": "Role Admin", "earliest": None}
    document = closure_document(blockers=[waits, asks, "odd"], earliest="2030-03-01T00:00:00Z")
    server.on(f"GET {BASE}", document)

    out = " ".join(closure("status", CLOSURE).out.split())

    assert "Blocker: subscriptions: 2 found. Wait. Who: nobody; not before 2030-02-01." in out
    assert "Release them. Who: Role Admin." in out
    assert out.index("users: 3") < out.index("subscriptions: 2") < out.index("before 2030-03-01T00:00:00Z")
    assert "\x1b" not in out


def test_status_of_an_older_server_has_no_date(closure: Command, server: FakeServer) -> None:
    """Blockers without who and date, and no earliest end: nothing is made up."""
    server.on(f"GET {BASE}", closure_document(blockers=[{"what": "listing", "why": "broken"}]))

    out = " ".join(closure("status", CLOSURE).out.split())

    assert "Blocker: listing: broken" in out and "who:" not in out and "can't be closed before" not in out


def test_list_follows_pages_of_this_server_only(closure: Command, server: FakeServer) -> None:
    """Every page is read, and an address elsewhere is not followed."""
    server.on("GET /api/closures", {"items": [closure_document()], "next": "/api/closures?after=a", "poison": []})
    server.on("GET /api/closures?after=a", {"items": [closure_document()], "next": "http://127.0.0.1:9/api/x"})

    assert 2 == len(closure("list", "--json").json["items"])


@pytest.mark.parametrize(("result", "code"), [("closed", 0), ("blocked", 1), ("vetoed", 1)])
def test_status_of_an_ended_closure(closure: Command, server: FakeServer, result: str, code: int) -> None:
    """Only `closed` is a good end."""
    server.on(f"GET {BASE}", closure_document(status="ended", result=result, gate=None))

    ran = closure("status", CLOSURE, "--json")

    assert code == ran.code
    assert result == ran.json["result"]


def test_watch_follows_until_the_end(closure: Command, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Watching reads again until the closure ends, survives a restart, and prints only the last document as JSON."""
    monkeypatch.setattr("cli.progress.time.sleep", lambda seconds: None)
    server.on(f"GET {BASE}", closure_document())
    server.problem(f"GET {BASE}", 503, detail="Restarting.")
    server.on(f"GET {BASE}", closure_document(status="ended", result="closed", gate=None, phase="report"))

    ran = closure("status", CLOSURE, "--watch", "--json")

    assert 0 == ran.code
    assert "closed" == ran.json["result"]
    assert "gate-plan" in ran.err
    assert 3 == len(server.seen)


def test_unknown_closure(closure: Command) -> None:
    """A closure nobody knows is bad input."""
    ran = closure("status", "nope")

    assert 2 == ran.code
    assert "closure list" in ran.err


def test_id_cannot_leave_its_place(closure: Command, server: FakeServer) -> None:
    """Slashes in an id are quoted, so that no id reaches another route."""
    closure("status", "../closures")

    assert "/api/closures/..%2Fclosures" == server.seen[0].path


def test_plan_by_family(closure: Command, server: FakeServer) -> None:
    """The plan shows its digest and a row per family."""
    server.on(f"GET {BASE}/plan", {"digest": DIGEST, "manifest": {"serial": 1, "families": {"users": {"count": 9}}}})

    ran = closure("plan", CLOSURE)

    assert DIGEST in ran.out
    assert "users" in ran.out


def test_plan_items_of_a_family(closure: Command, server: FakeServer) -> None:
    """`--family` lists the items of every shard."""
    first = {"items": [{"id": "u1", "name": "Ada"}], "next": f"{BASE}/plan?family=users&shard=1"}
    server.on(f"GET {BASE}/plan?family=users", first)
    server.on(f"GET {BASE}/plan?family=users&shard=1", {"items": [{"id": "u2", "name": "bo@x.com"}], "next": None})

    assert "u1  Ada\nu2  bo@x.com\n" == closure("plan", CLOSURE, "--family", "users").out


def test_tasks_show_who_where_and_clicks(closure: Command, server: FakeServer) -> None:
    """An open task shows all a person needs; control characters from the tenant can't steer the terminal."""
    task = {
        "taskId": "t1",
        "state": "open",
        "title": "Cancel \x1b[31mE5",
        "who": "keeper",
        "steps": ["Open it", "Click"],
    }
    server.on(f"GET {BASE}/tasks", {"items": [task, {"taskId": "t0", "state": "proven", "title": "Old"}]})

    ran = closure("tasks", CLOSURE)

    assert "Who: keeper" in ran.out
    assert "2. Click" in ran.out
    assert "\x1b" not in ran.out


def test_tasks_show_dates_proof_and_reports(closure: Command, server: FakeServer) -> None:
    """Why, until when, how it is proven, what was seen, who said so; nothing of it steers the terminal."""
    said = {"at": "2026-11-02T00:00:00Z", "by": {"upn": "ann@x.com"}, "comment": "\x1b[2Jdone"}
    task = {
        "taskId": "t1",
        "state": "open",
        "standingText": "reported done, not proven yet",
        "title": "Cancel E5",
        "why": "no API",
        "deadline": "2026-11-01T00:00:00Z",
        "overdue": True,
        "items": ["Ada\x1b[31m"],
        "probe": "Graph no longer lists it.",
        "seen": "Enabled",
        "nextAt": "2026-11-03T00:00:00Z",
        "reports": [said],
    }
    server.on(f"GET {BASE}/tasks", {"items": [task]})

    out = closure("tasks", CLOSURE).out

    for part in (
        "[reported done, not proven yet] t1: Cancel E5",
        "Why: no API",
        "By: 2026-11-01T00:00:00Z (overdue)",
        "Proven by: Graph no longer lists it.",
        "Last look: Enabled",
        "Next look: 2026-11-03T00:00:00Z",
        "Reported done 2026-11-02T00:00:00Z by ann@x.com",
    ):
        assert part in out
    assert "\x1b" not in out
    assert [task] == closure("tasks", CLOSURE, "--json").json["items"]


def test_task_reported_done(closure: Command, server: FakeServer) -> None:
    """`--done` posts the comment for that task and prints what came of it."""
    server.on(f"POST {BASE}/tasks/t1/done", {"task": {"taskId": "t1"}, "told": "Reported, not proven yet."})

    ran = closure("tasks", CLOSURE, "--done", "t1", "--comment", "seen to")

    assert 0 == ran.code
    assert {"comment": "seen to"} == server.seen[0].body
    assert "t1: Reported, not proven yet." in ran.out


def test_report_to_a_file(closure: Command, server: FakeServer, tmp_path: Path) -> None:
    """The report is written as it came, and JSON output tells where."""
    server.on(f"GET {BASE}/report?format=html", b"<html>\xc3\xa9</html>")

    ran = closure("report", CLOSURE, "--output", str(tmp_path / "r.html"), "--json")

    assert b"<html>\xc3\xa9</html>" == (tmp_path / "r.html").read_bytes()
    assert str(tmp_path / "r.html") == ran.json["file"]


def test_a_report_in_parts_is_one_file(closure: Command, server: FakeServer, tmp_path: Path) -> None:
    """Parts of a CSV are fetched one after the other, and the line of names stands once."""
    keys = [f"{BASE}/report?format=csv{part}" for part in ("", "&part=2", "&part=3")]
    for key, after, body in zip(keys, [*keys[1:], ""], (b"1,a\r\n", b"2,b\r\n", b""), strict=True):
        server.on(f"GET {key}", b"id,name\r\n" + body)
        server.links |= {f"GET {key}": f'<{after}>; rel="next"'} if after else {}
    ran = closure("report", CLOSURE, "--format", "csv", "--output", str(tmp_path / "r.csv"))
    assert 0 == ran.code
    assert b"id,name\r\n1,a\r\n2,b\r\n" == (tmp_path / "r.csv").read_bytes()


def test_report_as_json_on_standard_output(closure: Command, server: FakeServer) -> None:
    """`--json` alone fetches the JSON report."""
    server.on(f"GET {BASE}/report?format=json", {"result": "closed"})

    assert "closed" == closure("report", CLOSURE, "--json").json["result"]


def test_report_refuses_csv_as_json(closure: Command) -> None:
    """CSV on standard output would break the promise of `--json`."""
    assert 2 == closure("report", CLOSURE, "--format", "csv", "--json").code


def test_report_to_a_folder_that_is_not_there(closure: Command, server: FakeServer) -> None:
    """A file that can't be written is bad input."""
    server.on(f"GET {BASE}/report?format=csv", b"a,b\n")

    ran = closure("report", CLOSURE, "--format", "csv", "--output", "no/where.csv")

    assert 2 == ran.code
    assert "--output" in ran.err
