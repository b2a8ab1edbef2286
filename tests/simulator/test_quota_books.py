"""The write quota between two programs and two priorities, and the books from which its optimum is reckoned."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from simulator.graph.neighbour import Neighbour
from simulator.graph.throttle import Bucket
from tests.simulator.rig import Simulator

pytestmark = pytest.mark.simulator

SLOW = (30, 3000.0)
"""Thirty writes, and hardly one comes back while a test lasts."""
LOW = {"x-ms-throttle-priority": "low"}


def deletes(sim: Simulator, first: int, last: int, **more: Any) -> list[int]:
    users = sim.ordinary()[first:last]
    answers = sim.batch(*({"method": "DELETE", "url": f"/users/{user}", **more} for user in users)).json()["responses"]
    return sorted(answer["status"] for answer in answers)


def test_low_leaves_a_seconds_worth_while_others_write() -> None:
    """Within ten seconds of a normal write, low ones stop at a second's worth of tokens; then they take the rest."""
    bucket = Bucket(stamp=0.0)
    normal = bucket.take(1, 100, 10.0, now=0.0)[0]
    low = [bucket.take(1, 100, 10.0, low=True, now=0.0)[0] for _ in range(99)]
    bucket.level(100, 10.0, 0.0)

    assert normal
    assert 89 == sum(low)
    assert 10 == bucket.tokens
    bucket.stamp = 10.0  # nothing comes back meanwhile
    assert bucket.take(1, 100, 10.0, low=True, now=10.0)[0]


def test_a_refused_low_write_is_told_a_wait_that_is_enough() -> None:
    """After the Retry-After, a second's worth of low writes passes although a second's worth is kept."""
    bucket = Bucket(tokens=0.0, stamp=0.0, normal_at=0.0)
    taken, _, wait = bucket.take(1, 100, 10.0, low=True, now=0.0)
    later = [bucket.take(1, 100, 10.0, low=True, now=wait)[0] for _ in range(11)]

    assert not taken
    assert 10 == sum(later)


def test_low_is_never_shut_out_of_a_tiny_bucket() -> None:
    """Where a second's worth is as much as the bucket holds, a low write needs the full bucket and no more."""
    bucket = Bucket(tokens=1.0, stamp=0.0, normal_at=0.0)

    assert bucket.take(1, 1, 0.1, low=True, now=0.0)[0]


def test_the_neighbour_writes_at_its_own_times() -> None:
    """Caught up late, it still finds the tokens of the moments when it was due; without a quota it has all it wants."""
    neighbour = Neighbour(4.0)
    neighbour.due -= 10.0
    bucket = Bucket(tokens=0.0, stamp=neighbour.due - 0.25)
    neighbour.catch_up(bucket, (10, 5.0))

    # Two tokens a second come back, four are asked for: every second write is refused.
    assert 40 <= neighbour.asked <= 44
    assert neighbour.asked // 2 == neighbour.given
    free = Neighbour(4.0)
    free.due -= 10.0
    free.catch_up(Bucket(), None)
    assert free.asked == free.given >= 40


def test_low_priority_yields_to_the_neighbour(start: Callable[..., Simulator]) -> None:
    """Our low deletes stop short of what others need, by the header of the item or of its batch; normal ones do not."""
    sim = start(quota=(30, 3.0))
    later = time.monotonic() + 3600
    # Five tokens that stay five, and somebody who writes all the time.
    bucket = Bucket(tokens=5.0, stamp=later, normal_at=later)
    sim.world.throttle._buckets["Write", sim.world.client_id, sim.world.target.id] = bucket
    low = deletes(sim, 0, 3, headers=LOW)
    inherited = sim.graph.post(
        "/v1.0/$batch",
        headers=LOW,
        json={"requests": [{"id": 1, "method": "DELETE", "url": f"/users/{sim.ordinary()[0]}"}]},
    ).json()["responses"]
    normal = deletes(sim, 0, 3)
    score = sim.sim("score")

    assert [429] * 3 == low
    assert [("1", 429)] == [(answer["id"], answer["status"]) for answer in inherited]
    assert [204] * 3 == normal
    assert {"alone": 0, "inBatches": 4} == score["throttledByQuota"]


def test_the_neighbour_is_set_and_uses_our_bucket(start: Callable[..., Simulator]) -> None:
    """It empties the bucket of our app in the target, so that our writes are refused."""
    sim = start(quota=SLOW, neighbour=1000.0)
    sim.world.throttle.neighbour.due -= 1.0
    status = sim.graph.patch(f"/v1.0/users/{sim.ordinary()[0]}", json={"jobTitle": "Leaver"}).status_code
    seen = sim.sim("score")
    settings = sim.sim("settings", {"neighbour": 0})

    assert 429 == status
    assert 30 == seen["neighbour"]["given"]
    assert seen["neighbour"]["asked"] == seen["neighbour"]["refused"] + 30
    assert {"alone": 1, "inBatches": 0} == seen["throttledByQuota"]
    assert 0.0 == settings["neighbour"]
    assert 400 == sim.http.post("/_sim/settings", json={"neighbour": -1}).status_code


def test_books_of_the_optimum(start: Callable[..., Simulator]) -> None:
    """The tokens at the first delete, and the writes from there to the last user, a refused one and others included."""
    sim = start(quota=SLOW)
    change = sim.graph.patch(f"/v1.0/users/{sim.ordinary()[0]}", json={"jobTitle": "Leaver"})
    before = sim.sim("score")
    deletes(sim, 0, 5)
    sim.graph.delete("/v1.0/users/nobody")
    deletes(sim, 0, 5)
    sim.graph.delete("/v1.0/users/nobody")
    score = sim.sim("score")

    assert (204, None, 0) == (change.status_code, before["tokensAtFirstDelete"], before["writesWhileDeleting"])
    assert 29.0 == pytest.approx(score["tokensAtFirstDelete"], abs=0.9)
    assert 11 == score["writesWhileDeleting"]
    assert 13 == score["writes"]


def test_without_a_quota_no_tokens_are_told(start: Callable[..., Simulator]) -> None:
    """The writes are counted all the same."""
    sim = start(quota=None)
    deletes(sim, 0, 3)
    score = sim.sim("score")

    assert (None, 3) == (score["tokensAtFirstDelete"], score["writesWhileDeleting"])


def test_a_share_of_the_items_fails(start: Callable[..., Simulator]) -> None:
    """A share hits some of what matches, the same ones for the same seed, without an end."""
    rule = {"do": "status", "share": 0.3, "inner": True, "match": {"method": "DELETE"}}
    seen = []
    for _ in range(2):
        sim = start(users=200)
        sim.sim("faults", rule)
        users = sim.ordinary()[:100]
        failed = []
        for first in range(0, 100, 20):
            part = users[first : first + 20]
            answers = sim.batch(*({"method": "DELETE", "url": f"/users/{user}"} for user in part)).json()["responses"]
            failed += sorted(part[int(a["id"])] for a in answers if a["status"] == 500)
        seen.append(failed)
        assert len(failed) == sim.sim("faults")[0]["hits"]

    assert seen[0] == seen[1]
    assert 10 < len(seen[0]) < 50


def test_a_fault_ends_with_its_time(sim: Simulator) -> None:
    """What lasts hits every call until its time is over; an inner 429 counts as throttled."""
    sim.sim("faults", {"do": "status", "status": 429, "retryAfter": 1, "lasts": 600, "inner": True})
    during = deletes(sim, 0, 3)
    score = sim.sim("score")
    sim.world.faults.rules[0].until -= 600
    after = deletes(sim, 0, 3)

    assert ([429] * 3, [204] * 3) == (during, after)
    assert (3, 0) == (score["throttled"], score["throttledByQuota"]["inBatches"])


def test_one_page_always_fails(sim: Simulator) -> None:
    """A rule can name a page by its query."""
    first = sim.graph.get("/v1.0/users?$top=20").json()
    sim.sim("faults", {"do": "status", "times": None, "match": {"queryRegex": r"skiptoken=20$"}})

    assert [500, 500] == [sim.graph.get(first["@odata.nextLink"]).status_code for _ in range(2)]
    assert 200 == sim.graph.get("/v1.0/users?$top=20").status_code


@pytest.mark.parametrize(
    "rule", [{"do": "reset", "share": 0}, {"do": "reset", "share": 2}, {"do": "reset", "lasts": 0}]
)
def test_a_rule_that_can_not_hit_is_refused(sim: Simulator, rule: dict[str, Any]) -> None:
    """A share or a time outside its bounds is a 400."""
    assert 400 == sim.http.post("/_sim/faults", json=rule).status_code


def test_only_new_deletions_are_told(sim: Simulator) -> None:
    """Who has seen the first ones skips them."""
    users = sim.ordinary()[:3]
    deletes(sim, 0, 3)

    assert users[2:] == sim.sim("deleted?skip=2")["users"]
    assert 400 == sim.http.get("/_sim/deleted?skip=many").status_code
