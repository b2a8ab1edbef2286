"""Applications, service principals, domains and policies answer as Microsoft's do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.simulator.rig import Simulator

pytestmark = pytest.mark.simulator


def test_application_takes_its_service_principal_along(sim: Simulator) -> None:
    """Deleting a registration deletes its home service principal; both are in the bin and can come back."""
    app = sim.graph.get("/v1.0/applications?$top=1").json()["value"][0]
    principal = sim.graph.get(f"/v1.0/servicePrincipals(appId='{app['appId']}')").json()

    assert 204 == sim.graph.delete(f"/v1.0/applications/{app['id']}").status_code
    assert 404 == sim.graph.get(f"/v1.0/servicePrincipals/{principal['id']}").status_code
    for cast, wanted in (("application", app["id"]), ("servicePrincipal", principal["id"])):
        rows = sim.graph.get(f"/v1.0/directory/deletedItems/microsoft.graph.{cast}").json()["value"]
        assert [wanted] == [r["id"] for r in rows]
        assert 200 == sim.graph.post(f"/v1.0/directory/deletedItems/{wanted}/restore").status_code
    assert 200 == sim.graph.get(f"/v1.0/servicePrincipals/{principal['id']}").status_code


def test_internal_service_principals_refuse_deletion(start: Callable[..., Simulator]) -> None:
    """Sixteen of Microsoft's own refuse, a few of its own go, managed identities never."""
    sim = start(profile="hostile")
    rows = sim.graph.get("/v1.0/servicePrincipals?$top=999").json()["value"]
    own = sim.world.target.directory.own_sp_id
    answers = [sim.graph.delete(f"/v1.0/servicePrincipals/{r['id']}") for r in rows if r["id"] != own]
    refused = [a.json()["error"]["message"] for a in answers if a.status_code == 400]
    internal = next(iter(sim.world.target.directory.service_principals.live.values()))

    assert ["Specified App Principal ID is Microsoft Internal."] * 16 == refused
    assert 1 == sum(a.status_code == 403 for a in answers)
    assert 15 == sum(a.status_code == 204 for a in answers)
    assert internal.id in {r["id"] for r in rows}


def test_service_principal_can_be_disabled(sim: Simulator) -> None:
    """PATCH accountEnabled is the fallback for what cannot be deleted."""
    graph_app = sim.graph.get("/v1.0/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')").json()
    path = f"/v1.0/servicePrincipals/{graph_app['id']}"

    assert 204 == sim.graph.patch(path, json={"accountEnabled": False}).status_code
    assert sim.graph.get(path).json()["accountEnabled"] is False


def test_domains(sim: Simulator) -> None:
    """A custom domain goes once nobody uses it; forceDelete renames; the initial one stays."""
    names = {d["id"]: d for d in sim.graph.get("/v1.0/domains").json()["value"]}
    custom, initial = "contoso7.com", "contoso7.onmicrosoft.com"

    assert {custom, initial} == set(names)
    assert 400 == sim.graph.delete(f"/v1.0/domains/{custom}").status_code
    assert 400 == sim.graph.delete(f"/v1.0/domains/{initial}").status_code
    assert 204 == sim.graph.post(f"/v1.0/domains/{custom}/forceDelete", json={}).status_code
    assert 404 == sim.graph.get(f"/v1.0/domains/{custom}").status_code
    assert not any(u.userPrincipalName.endswith(custom) for u in sim.world.target.directory.users.live.values())


def test_policies(sim: Simulator) -> None:
    """The freeze and the security defaults can be written; a wrong value is a 400."""
    path = "/v1.0/policies/authorizationPolicy"
    freeze = {"allowInvitesFrom": "none", "allowedToSignUpEmailBasedSubscriptions": False}

    assert 204 == sim.graph.patch(path, json=freeze).status_code
    assert "none" == sim.graph.get(path).json()["allowInvitesFrom"]
    assert 400 == sim.graph.patch(path, json={"allowInvitesFrom": "nobody"}).status_code
    path = "/v1.0/policies/identitySecurityDefaultsEnforcementPolicy"
    assert 204 == sim.graph.patch(path, json={"isEnabled": False}).status_code
    assert sim.graph.get(path).json()["isEnabled"] is False


def test_registration_report_names_the_keeper(sim: Simulator) -> None:
    """The keeper has a second factor registered."""
    keeper = sim.world.target.directory.keeper.id
    path = "/v1.0/reports/authenticationMethods/userRegistrationDetails"

    assert sim.graph.get(f"{path}/{keeper}").json()["isMfaRegistered"] is True
    assert 50 == len(sim.graph.get(path).json()["value"])


def test_unknown_routes_answer_501(sim: Simulator) -> None:
    """What is not there says so, inside Graph and outside; organization cannot be deleted."""
    for method, path in (("GET", "/v1.0/sites"), ("GET", "/elsewhere"), ("DELETE", "/v1.0/organization/x")):
        answer = sim.graph.request(method, path)
        assert (501, "NotImplemented") == (answer.status_code, answer.json()["error"]["code"])
        assert answer.headers["request-id"]
