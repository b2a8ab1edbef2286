"""Preflight of a tenant: each right that is taken away is the one that is named, with the command that grants it."""

from __future__ import annotations

from typing import Any

import pytest

from tenantclosure import wiring
from tenantclosure.policy.permissions import PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, Where, graph
from tests.gateways.microsoft.simulated import simulator
from tests.preflight.conftest import Bench, confine, serving

pytestmark = [pytest.mark.simulator, pytest.mark.slow]


def _consent(tenant: str, name: str) -> tuple[str, Any, Any]:
    return "consent", {"tenant": tenant, "remove": [name]}, {"tenant": tenant, "add": [name]}


def _role(name: str) -> tuple[str, Any, Any]:
    return "consent", {name: False}, {name: True}


def _withdrawn(tenant: str) -> tuple[str, Any, Any]:
    return "consent", {"tenant": tenant, "withdrawn": True}, {"tenant": tenant, "withdrawn": False}


ROLE = {"directoryRoles": [PRIVILEGED_AUTHENTICATION_ADMINISTRATOR]}
CASES: dict[str, tuple[str, Any, Any]] = {
    **{need.key: _consent("target", need.name) for need in graph(Where.TARGET)},
    **{need.key: _consent("home", need.name) for need in graph(Where.HOSTING)},
    "target.role": ("consent", {"directoryRoles": []}, ROLE),
    "target.billing": _role("billingRole"),
    "partner.role": _role("partnerRole"),
    "target.consent": _withdrawn("target"),
    "hosting.consent": _withdrawn("home"),
    "partner.consent": _withdrawn("partner"),
    "credential.federated": ("credential", {"federated": None}, {"federated": {}}),
}


async def test_everything_granted(bench: Bench) -> None:
    """With exactly the rights of the table every check passes, and each knows its own tenant."""
    status, body = await bench.ask()

    assert (200, True) == (status, body["ok"])
    assert [] == [check["detail"] for check in body["checks"] if check["state"] != "pass"]
    assert {*CASES, "target.cloud", "target.azure"} == {check["check"].partition(":")[0] for check in body["checks"]}


@pytest.mark.parametrize("key", CASES)
async def test_the_right_that_is_missing_is_named(bench: Bench, key: str) -> None:
    """One right is taken away: that one is missing and no other, and its command names what is to be granted."""
    with bench.without(*CASES[key]):
        status, body = await bench.ask()

    missing = [check for check in body["checks"] if check["state"] == "missing"]
    assert (200, [key]) == (status, [check["check"].partition(":")[0] for check in missing])
    assert body["ok"] is not missing[0]["required"]
    assert "<" not in missing[0]["grant"], missing[0]["grant"]


async def test_what_was_granted_since_is_seen(bench: Bench) -> None:
    """The same process signs in afresh each time: nobody waits an hour for the old token to end."""
    with bench.without(*CASES["target.Group.Read.All"]):
        assert "missing" == (await bench.states())["target.Group.Read.All"]

    assert "pass" == (await bench.states())["target.Group.Read.All"]


async def test_no_azure_subscription_in_sight(bench: Bench) -> None:
    """Azure hides what we have no role on, so Owner is then unknown, which is said; everything else passes."""
    with bench.without(*_role("azureRole")):
        states = await bench.states()

    assert "unknown" == states.pop("target.azure")
    assert {"pass"} == set(states.values())


@pytest.mark.parametrize("said", [{"subject": "another"}, {"issuer": "another"}, {"audience": "another"}])
async def test_the_command_for_the_federated_credential(bench: Bench, said: dict[str, str]) -> None:
    """Whatever differs, the command that mends it names issuer, subject and audience of the identity's token."""
    with bench.without("credential", {"federated": said}, {"federated": {}}):
        _, body = await bench.ask()

    grant = next(check["grant"] for check in body["checks"] if check["check"] == "credential.federated")
    ready = bench.sim.ready
    assert f'"issuer": "{ready["loginUrl"]}/{ready["homeTenantId"]}/v2.0"' in grant
    assert '"audiences": ["api://AzureADTokenExchange"]' in grant
    assert f"--id {ready['clientId']} " in grant
    assert '"subject": "' in grant and "another" not in grant


async def test_a_disabled_application(bench: Bench) -> None:
    """The consent is there, so its link would mend nothing: what does is told."""
    with bench.without("consent", {"enabled": False}, {"enabled": True}):
        _, body = await bench.ask()

    missing = [check for check in body["checks"] if check["state"] == "missing"]
    assert ["target.consent"] == [check["check"] for check in missing]
    assert "Enabled for users to sign in" in missing[0]["grant"]


async def test_without_a_credential_nothing_else_is_called_missing(bench: Bench) -> None:
    """What nobody could look at is unknown."""
    with bench.without(*CASES["credential.federated"]):
        states = await bench.states()

    assert {"target.consent", "target.User.Read.All", "target.role", "hosting.consent", "partner.role"} <= {
        key for key, state in states.items() if state == "unknown"
    }


async def test_a_certificate_that_is_not_registered(sim: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other credential passes with its certificate and is named without it."""
    async with serving(sim, monkeypatch, "certificate") as bench:
        assert "pass" == (await bench.states())["credential.certificate"]
        with bench.without("credential", {"certificate": False}, {"certificate": True}):
            states = await bench.states()

    assert ["credential.certificate"] == [key for key, state in states.items() if state == "missing"]


async def test_an_identity_that_the_host_does_not_have(sim: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting that names the identity is named, and nothing is tried without it."""
    async with serving(sim, monkeypatch, CLOSURE_IDENTITY_CLIENT_ID="b0b0b0b0-0000-4000-8000-000000000000") as bench:
        _, body = await bench.ask()

    missing = [check for check in body["checks"] if check["state"] == "missing"]
    assert ["credential.federated"] == [check["check"] for check in missing]
    assert "CLOSURE_IDENTITY_CLIENT_ID" in missing[0]["detail"]


async def test_external_tenants_need_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """In an External ID tenant the permissions to count what is left are looked at as well."""
    wanted = {need.key: need.name for need in graph(Where.TARGET, external=True) if need not in graph(Where.TARGET)}
    with simulator("--users", "3", "--quota", "off", "--lag-ms", "0", "--profile", "external") as sim:
        confine(sim, external=True)
        async with serving(sim, monkeypatch, CLOSURE_PARTNER_TENANT_ID="") as bench:
            assert 3 == len(wanted)
            assert {"pass"} == {state for key, state in (await bench.states()).items() if key in wanted}
            for key, name in wanted.items():
                with bench.without(*_consent("target", name)):
                    states = await bench.states()
                assert [key] == [check for check, state in states.items() if state == "missing"]
            await bench.ask()  # signs in afresh
            left = await wiring.parts().directory(sim.ready["tenantId"]).external_leftovers()

    assert None not in left.values()
