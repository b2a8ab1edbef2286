"""Users: paging, lag, refusals, the bin, and the switch for directory sync."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.simulator.rig import Simulator

pytestmark = pytest.mark.simulator


def code(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def listed(sim: Simulator, query: str = "$top=999") -> set[str]:
    return {u["id"] for u in sim.graph.get(f"/v1.0/users?{query}").json()["value"]}


def wait_for(test: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def test_seed_decides_the_world(start: Callable[..., Simulator]) -> None:
    """The same seed makes the same tenants, another seed others; users is a total."""
    one, same, other = start(seed=3, users=20), start(seed=3, users=20), start(seed=4, users=20)

    assert one.info["tenantId"] == same.info["tenantId"] != other.info["tenantId"]
    assert one.info["clientId"] == same.info["clientId"]
    assert listed(one) == listed(same)
    assert 20 == len(listed(one)) == len(listed(other))


@pytest.mark.parametrize("top", ["0", "1000", "x"])
def test_top_is_1_to_999(sim: Simulator, top: str) -> None:
    """A page size outside 1 to 999 is a 400."""
    assert (400, "Request_BadRequest") == code(sim.graph.get(f"/v1.0/users?$top={top}"))


def test_page_is_100_by_default(start: Callable[..., Simulator]) -> None:
    """Without $top a page has 100 users; deleting while paging skips nobody."""
    sim = start(users=250)
    page = sim.graph.get("/v1.0/users?$select=id").json()
    seen = [u["id"] for u in page["value"]]
    for user in seen[10:]:
        assert 204 == sim.graph.delete(f"/v1.0/users/{user}").status_code
    while "@odata.nextLink" in page:
        page = sim.graph.get(page["@odata.nextLink"]).json()
        seen += [u["id"] for u in page["value"]]

    assert 250 == len(seen) == len(set(seen))


@pytest.mark.parametrize("query", ["$filter=startswith(displayName,'A')", "$orderby=id", "$select=manager"])
def test_what_is_not_imitated_says_so(sim: Simulator, query: str) -> None:
    """An option the simulator lacks is a 501, never a guess."""
    assert (501, "NotImplemented") == code(sim.graph.get(f"/v1.0/users?{query}"))


def test_listings_lag_and_point_reads_do_not(start: Callable[..., Simulator]) -> None:
    """A deleted user lingers in listings and counts, not in point reads or the bin; a created one appears late."""
    sim = start(lag_ms=600.0)
    user = sim.ordinary()[0]
    sim.graph.delete(f"/v1.0/users/{user}")
    late = sim.sim("users", {"count": 1})["created"][0]

    assert user in listed(sim)
    assert late not in listed(sim)
    assert 404 == sim.graph.get(f"/v1.0/users/{user}").status_code
    assert 200 == sim.graph.get(f"/v1.0/users/{late}").status_code
    assert 200 == sim.graph.get(f"/v1.0/directory/deletedItems/{user}").status_code
    wait_for(lambda: user not in listed(sim))
    wait_for(lambda: late in listed(sim))


def test_double_deletes_are_counted_once_the_answer_is_out(sim: Simulator) -> None:
    """A second DELETE after a final answer is a double, by id as by UPN; after a restore it is not."""
    users = [sim.world.target.directory.users.live[u] for u in sim.ordinary()[:2]]
    sim.graph.delete(f"/v1.0/users/{users[0].userPrincipalName.replace('#', '%23')}")
    sim.graph.delete(f"/v1.0/users/{users[0].id}")
    assert 1 == sim.sim("score")["doubleDeletes"]

    sim.graph.delete(f"/v1.0/users/{users[1].id}")
    sim.graph.post(f"/v1.0/directory/deletedItems/{users[1].id}/restore")
    assert 204 == sim.graph.delete(f"/v1.0/users/{users[1].id}").status_code
    assert 1 == sim.sim("score")["doubleDeletes"]


def test_keeper_writes_are_counted(sim: Simulator) -> None:
    """Any write at the keeper shows in the score, in a batch and by UPN too."""
    keeper = sim.info["keeper"]
    sim.graph.patch(f"/v1.0/users/{keeper}", json={"accountEnabled": True})
    sim.batch({"method": "POST", "url": f"/users/{keeper}/revokeSignInSessions"})

    assert 2 == sim.sim("score")["keeperTouched"]


def test_own_service_principal_counts_as_touched_until_the_end(sim: Simulator) -> None:
    """Deleting our own service principal is right only when users and applications are gone."""
    directory = sim.world.target.directory
    own = f"/v1.0/servicePrincipals/{directory.own_sp_id}"
    sim.graph.patch(own, json={"accountEnabled": True})
    assert 1 == sim.sim("score")["keeperTouched"]
    for user in [u for u in directory.users.live if u != directory.keeper.id]:
        sim.graph.delete(f"/v1.0/users/{user}")
    for app in list(directory.applications.live):
        sim.graph.delete(f"/v1.0/applications/{app}")

    assert 204 == sim.graph.delete(own).status_code
    assert 1 == sim.sim("score")["keeperTouched"]
    assert (1, 49) == tuple(sim.sim("score")[k] for k in ("usersKept", "usersDeleted"))


def test_privileged_users_need_an_entra_role(sim: Simulator) -> None:
    """Without Privileged Authentication Administrator an admin is not deleted."""
    directory = sim.world.target.directory
    admin = directory.find_user(f"second.admin@{sim.info['domain']}").id
    ordinary = sim.ordinary()[0]
    sim.sim("consent", {"directoryRoles": []})

    assert (403, "Authorization_RequestDenied") == code(sim.graph.delete(f"/v1.0/users/{admin}"))
    assert 204 == sim.graph.delete(f"/v1.0/users/{ordinary}").status_code
    sim.sim("consent", {"directoryRoles": ["7be44c8a-adaf-4e2a-84d6-ab2649e08a13"]})
    assert 204 == sim.graph.delete(f"/v1.0/users/{admin}").status_code


def test_missing_consent_is_a_403(sim: Simulator) -> None:
    """A token without the permission is refused."""
    poor = sim.client(sim.token(roles=["User.Read.All"]))

    assert 200 == poor.get("/v1.0/users").status_code
    assert (403, "Authorization_RequestDenied") == code(poor.delete(f"/v1.0/users/{sim.ordinary()[0]}"))
    assert (403, "Authorization_RequestDenied") == code(poor.get("/v1.0/applications"))


def test_restricted_users_are_refused(start: Callable[..., Simulator]) -> None:
    """A user in a restricted management unit is refused for everyone."""
    sim = start(profile="hostile")
    restricted = [u.id for u in sim.world.target.directory.users.live.values() if u.isManagementRestricted]

    assert 3 == len(restricted)
    assert (403, "Authorization_RequestDenied") == code(sim.graph.delete(f"/v1.0/users/{restricted[0]}"))


def test_directory_sync_is_turned_off_and_users_convert(start: Callable[..., Simulator]) -> None:
    """Synced users are refused until converted; the flag falls before the last of them."""
    sim = start(profile="hybrid", day_seconds=0.4)
    path = f"/v1.0/organization/{sim.info['tenantId']}"
    synced = listed(sim, "$filter=onPremisesSyncEnabled eq true&$top=999")
    first = next(iter(synced))

    assert 20 <= len(synced) <= 40
    assert 400 == sim.graph.delete(f"/v1.0/users/{first}").status_code
    assert (403, "Authorization_RequestDenied") == code(sim.graph.patch(path, json={"onPremisesSyncEnabled": False}))
    sim.sim("settings", {"sync_patch": "400"})
    assert (400, "Request_BadRequest") == code(sim.graph.patch(path, json={"onPremisesSyncEnabled": False}))
    sim.sim("settings", {"sync_patch": "allow"})
    assert 204 == sim.graph.patch(path, json={"onPremisesSyncEnabled": False}).status_code

    wait_for(lambda: sim.graph.get(path).json()["onPremisesSyncEnabled"] is False)
    assert listed(sim, "$filter=onPremisesSyncEnabled eq true&$top=999")
    wait_for(lambda: not listed(sim, "$filter=onPremisesSyncEnabled eq true&$top=999"))
    assert sim.graph.get(f"/v1.0/users/{first}?$select=onPremisesSyncEnabled").json()["onPremisesSyncEnabled"] is False
    assert 204 == sim.graph.delete(f"/v1.0/users/{first}").status_code


def test_bin_empties_after_thirty_days(start: Callable[..., Simulator]) -> None:
    """A deleted user leaves the bin for good after 30 of Microsoft's days."""
    sim = start(day_seconds=0.01)
    user = sim.ordinary()[0]
    sim.graph.delete(f"/v1.0/users/{user}")

    wait_for(lambda: sim.graph.get(f"/v1.0/directory/deletedItems/{user}").status_code == 404)
    assert [] == sim.graph.get("/v1.0/directory/deletedItems/microsoft.graph.user").json()["value"]
