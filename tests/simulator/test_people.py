"""Who is who in the hosting tenant: object ids, tokens as the login endpoint's keys prove them, people taken away."""

from __future__ import annotations

import uuid
from typing import Any

import jwt
import pytest

from tests.simulator.rig import Simulator

pytestmark = pytest.mark.simulator


def read(sim: Simulator, token: str, audience: str) -> dict[str, Any]:
    """A token's claims, checked the way a service checks them: keys and issuer from the OpenID configuration."""
    home = sim.info["homeTenantId"]
    found = sim.http.get(f"/{home}/v2.0/.well-known/openid-configuration").json()
    key = jwt.PyJWKSet.from_dict(sim.http.get(found["jwks_uri"]).json()).keys[0]
    issuers = [found["issuer"], f"https://sts.windows.net/{home}/"]
    return jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=issuers)


def test_object_ids_come_from_tenant_and_name(sim: Simulator) -> None:
    """Whoever knows tenant and name knows the object id; the sender's mailbox is there too."""
    home = sim.client(sim.info["homeToken"])
    for name in ("ann", "bob", "cyd", "dan", "olga", "closure"):
        upn = f"{name}@fabrikam.com"
        row = home.get(f"/v1.0/users/{upn.upper()}").json()
        assert str(uuid.uuid5(uuid.UUID(sim.info["homeTenantId"]), upn)) == row["id"]


def test_a_persons_token(sim: Simulator) -> None:
    """A v2.0 token names person, roles, tenant and our app; the Graph accepts none of its kind as an app's."""
    claims = read(
        sim, sim.sim("user-token", {"upn": "ann@fabrikam.com", "roles": ["Approver"]})["token"], sim.info["clientId"]
    )

    row = sim.client(sim.info["homeToken"]).get("/v1.0/users/ann@fabrikam.com").json()
    assert ("2.0", row["id"], "ann@fabrikam.com") == (claims["ver"], claims["oid"], claims["preferred_username"])
    assert (["Approver"], sim.info["homeTenantId"], sim.info["clientId"]) == (
        claims["roles"],
        claims["tid"],
        claims["azp"],
    )
    assert "idtyp" not in claims


def test_an_apps_token_for_any_audience(sim: Simulator) -> None:
    """The flows' app in the hosting tenant gets a token for our API, with the roles asked for."""
    asked = {"tenantId": sim.info["homeTenantId"], "appId": sim.info["flowClientId"], "audience": "api://us"}
    claims = read(sim, sim.token(**asked, roles=["Callback"]), "api://us")

    assert ("app", sim.info["flowClientId"], ["Callback"]) == (claims["idtyp"], claims["appid"], claims["roles"])


def test_a_token_can_be_old(sim: Simulator) -> None:
    """A lifetime below zero gives a token that has ended."""
    old = sim.sim("user-token", {"upn": "ann@fabrikam.com", "expiresIn": -5, "audience": "x"})["token"]

    with pytest.raises(jwt.ExpiredSignatureError):
        read(sim, old, "x")


def test_people_are_disabled_deleted_and_brought_back(sim: Simulator) -> None:
    """Graph shows each state at once, nobody who is away signs in, and the object id stays the same."""
    home, upn = sim.client(sim.info["homeToken"]), "bob@fabrikam.com"
    path = f"/v1.0/users/{upn}?$select=id,accountEnabled"
    before = home.get(path).json()
    off = sim.sim("people", {"upn": upn, "enabled": False})

    assert {"upn": upn, "objectId": before["id"], "enabled": False, "deleted": False} == off
    assert home.get(path).json()["accountEnabled"] is False
    assert 400 == sim.http.post("/_sim/user-token", json={"upn": upn}).status_code

    assert sim.sim("people", {"upn": upn, "deleted": True})["deleted"] is True
    assert 404 == home.get(path).status_code
    assert 400 == sim.http.post("/_sim/user-token", json={"upn": upn}).status_code
    assert sim.sim("people", {"upn": upn, "deleted": True})["deleted"] is True

    back = sim.sim("people", {"upn": upn, "deleted": False, "enabled": True})
    assert {"upn": upn, "objectId": before["id"], "enabled": True, "deleted": False} == back
    assert before["id"] == home.get(path).json()["id"]
    assert 0 == sim.sim("score")["protectedTouched"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("people", {}),
        ("people", {"upn": "nobody@fabrikam.com"}),
        ("people", {"upn": "ann@fabrikam.com", "enabled": "no"}),
        ("people", {"upn": "ann@fabrikam.com", "away": True}),
        ("user-token", {}),
        ("user-token", {"upn": "nobody@fabrikam.com"}),
        ("inbox/refuse", {}),
        ("inbox/refuse", {"to": "ann@fabrikam.com", "status": 200}),
        ("inbox/refuse", {"to": "ann@fabrikam.com", "status": 400, "mood": 1}),
        ("inbox/refuse", ["ann@fabrikam.com"]),
    ],
)
def test_nonsense_is_a_400(sim: Simulator, name: str, body: object) -> None:
    """The control surface says what it did not understand."""
    answer = sim.http.post(f"/_sim/{name}", json=body)

    assert 400 == answer.status_code
    assert answer.json()["error"]
