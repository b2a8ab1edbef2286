"""Further targets beside the first: for a host that closes several tenants at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.simulator.rig import Simulator

pytestmark = pytest.mark.simulator


def test_siblings_are_tenants_of_their_own(start: Callable[..., Simulator]) -> None:
    """Each has people and a quota of its own; what is deleted there is not in the books of the first."""
    sim = start(users=20, profile="bare", quota=(2, 1000.0), tenants=3, lag_ms=0.0)
    siblings = sim.info["siblings"]
    answers = []
    for sibling in siblings:
        graph = sim.client(sim.sim("token", {"tenantId": sibling["tenantId"]})["token"])
        listed = graph.get("/v1.0/users?$select=id,userPrincipalName").json()["value"]
        assert 20 == len(listed)
        assert sibling["keeper"] in {user["userPrincipalName"] for user in listed}
        others = [user["id"] for user in listed if user["userPrincipalName"] != sibling["keeper"]]
        answers += [graph.delete(f"/v1.0/users/{user}").status_code for user in others[-3:]]
    score = sim.sim("score")

    assert [204, 204, 429] * 2 == answers
    assert (2, 3) == (len(siblings), len({sim.info["tenantId"], *(sibling["tenantId"] for sibling in siblings)}))
    told = (
        "usersDeleted",
        "foreignTouched",
        "protectedTouched",
        "keeperTouched",
        "doubleDeletes",
        "tokensAtFirstDelete",
    )
    assert (0, 0, 0, 0, 0, None) == tuple(score[name] for name in told)


def test_the_first_target_is_the_same_with_and_without_siblings(start: Callable[..., Simulator]) -> None:
    """Who asks for none gets the world that the seed always gave."""
    alone, among = start(users=20, profile="small"), start(users=20, profile="small", tenants=2)

    assert [] == alone.info["siblings"]
    assert alone.info["tenantId"] == among.info["tenantId"]
    assert list(alone.world.target.directory.users.live) == list(among.world.target.directory.users.live)
