"""A simulated tenant with exactly the rights of the table, and the real door with the real gateways before it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import azure.functions as func
import pytest
import pytest_asyncio

from tenantclosure import wiring
from tenantclosure.gateways.http import connections
from tenantclosure.ledger import Ledger
from tenantclosure.policy.permissions import PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, Where, graph
from tenantclosure.settings import Settings
from tests.fakes.memory_records import MemoryRecords
from tests.fakes.seals import sealed
from tests.gateways.microsoft.simulated import Simulated, simulator
from tests.web.rig import principal
from web.door import guarded
from web.routes import ROUTES


@dataclass(frozen=True)
class Bench:
    """The simulator, and the service as its door shows it."""

    sim: Simulated
    settings: Settings

    async def ask(self, tenant: str = "") -> tuple[int, Any]:
        """Status and body of the preflight of a tenant, the target by default."""
        return await self.call("show_preflight", tenantId=tenant or self.sim.ready["tenantId"])

    async def call(self, name: str, body: Any = None, **path: str) -> tuple[int, Any]:
        """Send a request as an operator on loopback through the very function that the host calls."""
        route = next(route for route in ROUTES if route.name == name)
        data = b"" if body is None else json.dumps(body).encode()
        operator = principal("olga:Operator", self.settings.home_tenant_id)
        headers = {"X-MS-CLIENT-PRINCIPAL": operator, "Content-Type": "application/json"}
        url = f"http://127.0.0.1/{route.path.format_map(path)}"
        req = func.HttpRequest(route.method, url, headers=headers, params={}, route_params=path, body=data)
        handle = guarded(route)
        answer = await (handle(req, None) if route.wakes else handle(req))  # type: ignore[call-arg]  # as `wakes` says
        return answer.status_code, json.loads(answer.get_body())

    async def states(self, tenant: str = "") -> dict[str, str]:
        """check -> state."""
        status, body = await self.ask(tenant)
        assert 200 == status, body
        return {check["check"].partition(":")[0]: check["state"] for check in body["checks"]}

    @contextmanager
    def without(self, switch: str, taken: Any, given: Any) -> Iterator[None]:
        """Turn the simulator's switch, and back afterwards."""
        self.sim.sim(switch, taken)
        try:
            yield
        finally:
            self.sim.sim(switch, given)


def confine(sim: Simulated, *, external: bool = False) -> None:
    """Leave our app exactly the permissions of the table, and its role."""
    for tenant, where in (("target", Where.TARGET), ("home", Where.HOSTING)):
        held = set(sim.sim("consent", {"tenant": tenant})["permissions"])
        wanted = {need.name for need in graph(where, external=external)}
        sim.sim("consent", {"tenant": tenant, "add": sorted(wanted), "remove": sorted(held - wanted)})
    sim.sim("consent", {"directoryRoles": [PRIVILEGED_AUTHENTICATION_ADMINISTRATOR]})


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulated]:
    """A small tenant for the whole file."""
    with simulator("--users", "8", "--quota", "off", "--lag-ms", "0", "--profile", "hybrid") as running:
        confine(running)
        yield running


@pytest_asyncio.fixture
async def bench(sim: Simulated, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """The service with the managed identity as its credential, before that tenant."""
    async with serving(sim, monkeypatch) as made:
        yield made


@asynccontextmanager
async def serving(
    sim: Simulated, monkeypatch: pytest.MonkeyPatch, credential: str = "federated", **values: Any
) -> AsyncIterator[Bench]:
    """The same with another credential or other settings."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", sim.ready["identityEndpoint"])
    monkeypatch.setenv("IDENTITY_HEADER", sim.ready["identityHeader"])
    usual = {
        "CLOSURE_ALLOWED_TENANTS": sim.ready["tenantId"],
        "CLOSURE_BILLING_ACCOUNTS": ",".join(sim.ready["billingAccounts"]),
        "CLOSURE_MAIL_FROM": "closure@fabrikam.com",
        "CLOSURE_STORAGE": "UseDevelopmentStorage=true",
        "WEBSITE_AUTH_ENABLED": True,
    }
    settings = sim.settings(credential, **{**usual, **values})
    real = wiring.build(settings)
    records = sealed(MemoryRecords())
    wiring.use(replace(real, records=records, ledger=Ledger(records, real.clock), tokens=None))
    try:
        yield Bench(sim, settings)
    finally:
        wiring.use(None)
        await connections(settings).close()
