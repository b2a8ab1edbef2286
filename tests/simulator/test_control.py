"""The control surface: faults, score, drift, and the command itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import httpx
import pytest

from tests.simulator.rig import Simulator

pytestmark = pytest.mark.simulator


def test_dropped_answer_is_not_delivered(sim: Simulator) -> None:
    """A DELETE whose answer was lost was carried out, and sending it again is no double."""
    user = sim.ordinary()[0]
    sim.sim("faults", [{"match": {"method": "DELETE"}, "do": "dropAnswer", "times": 1}])

    with pytest.raises(httpx.TransportError):
        sim.graph.delete(f"/v1.0/users/{user}")
    assert 404 == sim.graph.delete(f"/v1.0/users/{user}").status_code
    assert 0 == sim.sim("score")["doubleDeletes"]
    assert 404 == sim.graph.delete(f"/v1.0/users/{user}").status_code
    assert 1 == sim.sim("score")["doubleDeletes"]


def test_reset_does_nothing(sim: Simulator) -> None:
    """A reset happens before the call is carried out."""
    user = sim.ordinary()[0]
    sim.sim("faults", {"match": {"pathRegex": "/users/"}, "do": "reset"})

    with pytest.raises(httpx.TransportError):
        sim.graph.delete(f"/v1.0/users/{user}")
    assert 204 == sim.graph.delete(f"/v1.0/users/{user}").status_code


def test_truncated_page_breaks_off(sim: Simulator) -> None:
    """A truncated answer promises more than it sends."""
    sim.sim("faults", [{"match": {"pathRegex": "/users$"}, "do": "truncate"}])

    with pytest.raises(httpx.RemoteProtocolError):
        sim.graph.get("/v1.0/users")
    assert 200 == sim.graph.get("/v1.0/users").status_code


def test_garbled_page_looks_whole(sim: Simulator) -> None:
    """A garbled answer is as long as it says and ends in the middle; what it answers was carried out."""
    sim.sim("faults", [{"match": {"pathRegex": "/users$"}, "do": "garble"}])
    answer = sim.graph.get("/v1.0/users")

    assert (200, len(answer.content)) == (answer.status_code, int(answer.headers["Content-Length"]))
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert 1 < len(sim.graph.get("/v1.0/users").json()["value"])


def test_what_was_deleted_is_told_by_id(sim: Simulator) -> None:
    """Every deletion stays in the list in its order, also of somebody who was purged or restored meanwhile."""
    first, second, third = sim.ordinary()[:3]
    for user in (second, first, third):
        assert 204 == sim.graph.delete(f"/v1.0/users/{user}").status_code
    sim.graph.post(f"/v1.0/directory/deletedItems/{first}/restore").raise_for_status()
    sim.graph.delete(f"/v1.0/directory/deletedItems/{second}").raise_for_status()
    app = next(iter(sim.world.target.directory.applications.live.values()))
    principal = sim.world.target.directory.sp_by_app_id(app.appId)
    sim.graph.delete(f"/v1.0/applications/{app.id}").raise_for_status()
    custom = next(d.id for d in sim.world.target.directory.domains.values() if not d.isInitial)
    sim.graph.post(f"/v1.0/domains/{custom}/forceDelete", json={}).raise_for_status()

    assert principal is not None
    assert {
        "users": [second, first, third],
        "applications": [app.id],
        "servicePrincipals": [principal.id],
        "domains": [custom],
    } == sim.sim("deleted")


def test_links_lead_to_the_address_that_was_named(sim: Simulator) -> None:
    """Behind a proxy the next page's link names the proxy; no other machine can be named."""
    before = sim.world.urls.http
    refused = sim.http.post("/_sim/settings", json={"address": "http://example.com"})
    sim.sim("settings", {"address": "http://127.0.0.1:9/"})
    link = sim.graph.get("/v1.0/users?$top=1").json()["@odata.nextLink"]
    sim.world.urls.http = before

    assert 400 == refused.status_code
    assert link.startswith("http://127.0.0.1:9/v1.0/users?")


def test_status_and_delay(sim: Simulator) -> None:
    """A status fault answers in Graph's shape for so many times; a delay waits."""
    rule = {"do": "status", "status": 503, "code": "ServiceUnavailable", "retryAfter": 1.5, "times": 2}
    sim.sim("faults", [rule, {"do": "delay", "seconds": 0.3}])
    answers = [sim.graph.get("/v1.0/organization") for _ in range(2)]
    begin = time.monotonic()

    assert [("1.5", "ServiceUnavailable")] * 2 == [
        (a.headers["Retry-After"], a.json()["error"]["code"]) for a in answers
    ]
    assert 200 == sim.graph.get("/v1.0/organization").status_code
    assert time.monotonic() - begin >= 0.3


def test_inner_faults(sim: Simulator) -> None:
    """Items of a batch fail or lose their answer one by one."""
    ids = sim.ordinary()[:3]
    sim.sim(
        "faults", [{"match": {"pathRegex": ids[0]}, "do": "status", "status": 429, "retryAfter": 2.128, "inner": True}]
    )
    sim.sim("faults", [{"match": {"pathRegex": ids[1]}, "do": "dropAnswer", "inner": True}])
    answers = sim.batch(*({"method": "DELETE", "url": f"/users/{u}"} for u in ids)).json()["responses"]
    by_id = {a["id"]: a for a in answers}

    assert {"0", "2"} == set(by_id)
    assert (429, "2.128") == (by_id["0"]["status"], by_id["0"]["headers"]["Retry-After"])
    assert 404 == sim.graph.delete(f"/v1.0/users/{ids[1]}").status_code
    assert 0 == sim.sim("score")["doubleDeletes"]
    assert 200 == sim.http.delete("/_sim/faults").status_code
    assert [] == sim.sim("faults")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("faults", [{"do": "explode"}]),
        ("faults", [{"do": "reset", "colour": "red"}]),
        ("settings", {"speed": 1}),
        ("settings", {"quota": "many"}),
        ("token", {"tenantId": "nowhere"}),
        ("users", {}),
    ],
)
def test_nonsense_is_a_400(sim: Simulator, name: str, body: object) -> None:
    """The control surface says what it did not understand."""
    answer = sim.http.post(f"/_sim/{name}", json=body)

    assert 400 == answer.status_code
    assert answer.json()["error"]


def test_drift_and_score(sim: Simulator) -> None:
    """Extra users count as users; the score keeps times and rates."""
    sim.sim("users", {"count": 5})
    sim.batch(*({"method": "DELETE", "url": f"/users/{u}"} for u in sim.ordinary()[:10]))
    score = sim.sim("score")

    assert (55, 10, 45) == (score["usersTotal"], score["usersDeleted"], score["usersKept"])
    assert 10 == score["writes"] == score["deletes"] == sum(n for _, n in score["writesPerSecond"])
    assert score["deleteTimes"]["first"] <= score["deleteTimes"]["last"]
    assert score["tenantGone"] is False


def test_command_prints_one_ready_line_and_stops(tmp_path) -> None:
    """`python -m simulator` prints its one line, serves, and ends with 0 on SIGTERM."""
    command = [
        sys.executable,
        "-m",
        "simulator",
        "--users",
        "30",
        "--quota",
        "100/5",
        "--state-dir",
        str(tmp_path / "s"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        info = json.loads(process.stdout.readline())
        state = httpx.get(f"{info['url']}/_sim/state").json()
        assert (30, [100, 5.0]) == (state["usersRemaining"], state["settings"]["quota"])
        assert info == httpx.get(f"{info['url']}/_sim/info").json()
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=15)
    assert (0, "", "") == (process.returncode, out, err)
