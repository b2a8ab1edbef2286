"""Starts the simulator for the commerce tests: a real server on a real socket, and a clock that tests move by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from aiohttp.test_utils import TestServer

from simulator import commerce, seeding
from simulator.clock import Clock
from simulator.commerce.lifecycle import Kind
from simulator.commerce.models import AzureSubscription, Subscription
from simulator.server import build_app
from simulator.world import Options, Tenant, World


class MovableClock(Clock):
    """A clock whose days are real days and which a test moves forward by hand."""

    def __init__(self, day_seconds: float = 86400.0) -> None:
        super().__init__(day_seconds)
        self.offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def forward(self, days: float) -> None:
        """Let so many of Microsoft's days pass."""
        self.offset += self.days(days)


@dataclass
class Rig:
    """A running simulator and a client to it."""

    world: World
    clock: MovableClock
    http: httpx.AsyncClient

    @property
    def target(self) -> Tenant:
        return self.world.target

    def token(self, tenant: Tenant | None = None) -> dict[str, str]:
        """An Authorization header that speaks for one tenant (the target unless told)."""
        tenant = tenant or self.target
        sp = tenant.directory.sp_by_app_id(self.world.client_id)
        assert sp is not None
        return {"Authorization": f"Bearer {self.world.tokens.app_token(self.world, tenant, sp, 'any', 3600)}"}

    def row(self, kind: Kind, sku: str | None = None) -> Subscription:
        """The first licence subscription of a kind."""
        found = (r for r in self.target.commerce.everything() if isinstance(r, Subscription))
        return next(r for r in found if r.kind is kind and (sku is None or r.sku == sku))

    def azure(self, name: str = "Pay-As-You-Go") -> AzureSubscription:
        """The Azure subscription of a name."""
        found = self.target.commerce.everything()
        return next(a for a in found if isinstance(a, AzureSubscription) and a.name == name)

    async def graph(self, path: str, tenant: Tenant | None = None) -> httpx.Response:
        return await self.http.get(f"/v1.0{path}", headers=self.token(tenant))

    async def statuses(self) -> dict[str, str]:
        """What Graph shows: object id -> status."""
        return {row["id"]: row["status"] for row in (await self.graph("/directory/subscriptions")).json()["value"]}

    async def portal(self, action: str, **body: Any) -> httpx.Response:
        return await self.http.post(f"/_sim/portal/{action}", json=body)

    async def arm(self, method: str, path: str, tenant: Tenant | None = None, **more: Any) -> httpx.Response:
        version = {"api-version": "2024-04-01", **more.pop("params", {})}
        return await self.http.request(method, path, params=version, headers=self.token(tenant), **more)


@asynccontextmanager
async def running(profile: str = "small", day_seconds: float = 86400.0) -> AsyncIterator[Rig]:
    """Build a world of a few users, give it the movable clock and serve it on a free port."""
    world = seeding.build(Options(users=5, profile=profile, day_seconds=day_seconds, quota=None, lag_ms=0))
    world.clock = clock = MovableClock(day_seconds)
    for tenant in world.tenants.values():
        tenant.directory.clock = clock
        commerce.seed(world, tenant)
    # A custom domain stops every MOSA cancel in the portal; the one test about that puts it back.
    domains = world.target.directory.domains
    for name in [name for name, domain in domains.items() if not domain.isInitial]:
        del domains[name]
    server = TestServer(build_app(world))
    await server.start_server()
    world.urls.http = str(server.make_url("")).rstrip("/")
    try:
        async with httpx.AsyncClient(base_url=world.urls.http) as client:
            yield Rig(world, clock, client)
    finally:
        await server.close()


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait for something that happens in the background."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - conditions look at another task's lists
            await asyncio.sleep(0.02)
