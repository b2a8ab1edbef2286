"""Batches and quotas behave as published: twenty items, any order, inner 429 with a decimal Retry-After."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from tests.simulator.rig import Simulator

pytestmark = pytest.mark.simulator


def deletes(ids: list[str]) -> list[dict]:
    return [{"method": "DELETE", "url": f"/users/{u}"} for u in ids]


def test_batch_answers_every_item_in_any_order(sim: Simulator) -> None:
    """Twenty deletes come back as twenty 204s, shuffled."""
    ids = sim.ordinary()[:20]
    answer = sim.batch(*deletes(ids))
    responses = answer.json()["responses"]

    assert 200 == answer.status_code
    assert {str(n) for n in range(20)} == {r["id"] for r in responses}
    assert [str(n) for n in range(20)] != [r["id"] for r in responses]
    assert {204} == {r["status"] for r in responses}
    assert all("body" not in r for r in responses)
    assert 30 == sim.sim("state")["usersRemaining"]


@pytest.mark.parametrize(
    "items",
    [
        [{"id": str(n), "method": "GET", "url": "/users"} for n in range(21)],
        [{"id": "a", "method": "GET", "url": "/users"}, {"id": "A", "method": "GET", "url": "/users"}],
        [{"id": "1", "method": "PATCH", "url": "/users/x", "body": {"accountEnabled": False}}],
        [{"id": None, "method": "GET", "url": "/users"}],
        [],
    ],
    ids=["21 items", "ids equal but for case", "body without Content-Type", "id no string", "empty"],
)
def test_malformed_batch_is_refused_whole(sim: Simulator, items: list[dict]) -> None:
    """A malformed batch is an outer 400 and nothing is done."""
    assert 400 == sim.graph.post("/v1.0/$batch", json={"requests": items}).status_code


def test_batch_mixes_outcomes(sim: Simulator) -> None:
    """Refusals, absences, unknown routes and dependencies each have their own status."""
    user = sim.ordinary()[0]
    answer = sim.batch(
        {"method": "DELETE", "url": f"/users/{user}"},
        {"method": "DELETE", "url": f"/users/{user}"},
        {"method": "GET", "url": "/nothing/here"},
        {"method": "GET", "url": "/users?$top=1", "dependsOn": ["1"]},
        {"method": "GET", "url": "/users?$top=3&$select=id"},
    )
    by_id = {r["id"]: r for r in answer.json()["responses"]}

    assert [204, 404, 501, 424, 200] == [by_id[str(n)]["status"] for n in range(5)]
    assert "Request_ResourceNotFound" == by_id["1"]["body"]["error"]["code"]
    assert by_id["4"]["body"]["@odata.nextLink"].startswith(sim.url)
    assert 0 == sim.sim("score")["doubleDeletes"]


def test_mfa_is_beta_only(sim: Simulator) -> None:
    """Per-user MFA answers in a beta batch and is unknown to v1.0."""
    path = f"/users/{sim.ordinary()[0]}/authentication/requirements"
    change = {
        "method": "PATCH",
        "url": path,
        "headers": {"Content-Type": "application/json"},
        "body": {"perUserMfaState": "disabled"},
    }

    assert 204 == sim.batch(change, version="beta").json()["responses"][0]["status"]
    assert "disabled" == sim.graph.get(f"/beta{path}").json()["perUserMfaState"]
    assert 400 == sim.graph.get(f"/v1.0{path}").status_code


def test_quota_throttles_items_inside_a_batch(start: Callable[..., Simulator]) -> None:
    """After the burst, items come back as 429 with headers that say how long, and the wait is enough."""
    sim = start(quota=(10, 1.0))
    first = sim.batch(*deletes(sim.ordinary()[:20])).json()["responses"]
    refused = [r for r in first if r["status"] == 429]

    assert len(refused) in (9, 10)
    headers = refused[0]["headers"]
    assert re.fullmatch(r"\d+\.\d+", headers["Retry-After"])
    assert "WriteLimitExceeded" == headers["x-ms-throttle-information"]
    assert headers["x-ms-throttle-scope"].startswith("Tenant_Application/Write/")
    assert any(float(r["headers"].get("x-ms-throttle-limit-percentage", 0)) > 0.8 for r in first if r["status"] == 204)

    time.sleep(max(float(r["headers"]["Retry-After"]) for r in refused))
    again = sim.batch(*deletes(sim.ordinary()[:9])).json()["responses"]
    assert {204} == {r["status"] for r in again}
    assert len(refused) == sim.sim("score")["throttled"]


def test_quota_throttles_single_calls(start: Callable[..., Simulator]) -> None:
    """Outside a batch the answer itself is 429; reads are not charged as writes."""
    sim = start(quota=(1, 60.0))
    ids = sim.ordinary()
    statuses = [sim.graph.delete(f"/v1.0/users/{u}").status_code for u in ids[:2]]

    assert [204, 429] == statuses
    assert 200 == sim.graph.get("/v1.0/users").status_code
    sim.sim("settings", {"quota": "off"})
    assert 204 == sim.graph.delete(f"/v1.0/users/{ids[1]}").status_code


def test_conditional_access_is_throttled_without_retry_after(sim: Simulator) -> None:
    """Conditional Access allows one request a second and does not say when to come back."""
    answers = [sim.graph.get("/v1.0/identity/conditionalAccess/policies") for _ in range(2)]

    assert [200, 429] == [a.status_code for a in answers]
    assert "Retry-After" not in answers[1].headers
