"""Starts and stops the simulator: two ports on loopback, and the ready line that tells what is where."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from simulator import (
    commerce,
    control,
    graph,
    inbox,
    managed_identity,
    people,
    planting,
    portal,
    robot,
    seeding,
    signin,
    support,
    tls,
)
from simulator.commerce.models import MCA, BillingAccount
from simulator.edge import make_middleware
from simulator.world import Options, Tenant, World

HOST = "127.0.0.1"
LIMIT = 8 * 1024 * 1024
READY_TOKEN_SECONDS = 30 * 86400.0


def build_app(world: World) -> web.Application:
    """Return the application of the plain port: everything. The robot waits there for its orders."""
    app = web.Application(middlewares=[make_middleware(world)], client_max_size=LIMIT)
    for room in (control, managed_identity, signin, graph, commerce, planting, portal, inbox, robot, support):
        room.register(app, world)
    return app


def build_login_app(world: World) -> web.Application:
    """Return the application of the TLS port: sign-in only."""
    app = web.Application(middlewares=[make_middleware(world)])
    signin.register(app, world)
    return app


async def _serve(runner: web.AppRunner, site: web.BaseSite) -> int:
    await site.start()
    return int(runner.addresses[0][1])


@asynccontextmanager
async def running(options: Options, folder: Path, *, port: int = 0) -> AsyncIterator[World]:
    """Run a simulator while the block lasts; ``world.info`` is the ready line's object."""
    world = seeding.build(options)
    for tenant in world.tenants.values():
        commerce.seed(world, tenant)
    certificates = tls.make(folder)
    world.identity.certificate = certificates.client
    plain = web.AppRunner(build_app(world), access_log=None, shutdown_timeout=1.0)
    secure = web.AppRunner(build_login_app(world), access_log=None, shutdown_timeout=1.0)
    try:
        # The ports first: some rooms start background work that calls them.
        await secure.setup()
        tls_port = await _serve(secure, web.TCPSite(secure, HOST, 0, ssl_context=certificates.server_context))
        world.urls.login = f"https://{HOST}:{tls_port}"
        await plain.setup()
        world.urls.http = f"http://{HOST}:{await _serve(plain, web.TCPSite(plain, HOST, port))}"
        world.info.update(_ready(world, certificates))
        yield world
    finally:
        await plain.cleanup()
        await secure.cleanup()


def _ours(account: BillingAccount, world: World) -> bool:
    """Whether a deployment would list it: the target's own Customer Agreement, nobody else's."""
    return account.agreement == MCA and account.primary_tenant == world.target.id


def _sibling(tenant: Tenant) -> dict[str, object]:
    keeper = tenant.directory.keeper
    name = keeper.userPrincipalName if keeper else None
    return {"tenantId": tenant.id, "domain": tenant.domain, "keeper": name}


def _ready(world: World, certificates: tls.Certificates) -> dict[str, object]:
    keeper = world.target.directory.keeper
    return {
        "url": world.urls.http,
        "loginUrl": world.urls.login,
        "caFile": str(certificates.ca_file),
        "clientCertificate": str(certificates.client_file),
        "clientId": world.client_id,
        "tenantId": world.target.id,
        "domain": world.target.domain,
        "keeper": keeper.userPrincipalName if keeper else None,
        "siblings": [_sibling(tenant) for tenant in world.siblings],
        "homeTenantId": world.home.id,
        "partnerTenantId": world.partner.id,
        "billingAccounts": [account.name for account in world.target.commerce.accounts() if _ours(account, world)],
        "externalDirectory": world.directory_resource.id if world.directory_resource else None,
        "identityEndpoint": f"{world.urls.http}/msi/token",
        "identityHeader": world.identity.header,
        "identityClientId": world.identity.client_id,
        "flowClientId": world.flow_client_id,
        "token": people.issue_token(world, world.target.id, READY_TOKEN_SECONDS),
        "homeToken": people.issue_token(world, world.home.id, READY_TOKEN_SECONDS),
        "partnerToken": people.issue_token(world, world.partner.id, READY_TOKEN_SECONDS),
    }
