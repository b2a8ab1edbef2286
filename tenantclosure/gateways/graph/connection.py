"""What both halves of the Graph gateway stand on: tenant, tokens, addresses, clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tenantclosure.gateways.clock import SystemClock
from tenantclosure.gateways.http import Caller, connections
from tenantclosure.gateways.identity import Credentials
from tenantclosure.model.inventory import TokenIdentity
from tenantclosure.ports import Clock
from tenantclosure.settings import Settings

if TYPE_CHECKING:
    from msgraph.graph_service_client import GraphServiceClient


class GraphConnection:
    """A tenant's way to Graph: `call` for plain requests, `client()` for the SDK."""

    def __init__(
        self, settings: Settings, credentials: Credentials, tenant_id: str, clock: Clock | None = None
    ) -> None:
        self.settings, self.tenant_id = settings, tenant_id.lower()
        self.clock: Clock = clock or SystemClock(settings.day_seconds)
        self.host = settings.endpoint("graph")
        self.v1, self.beta = f"{self.host}/v1.0", f"{self.host}/beta"
        self.tokens = credentials.source(self.tenant_id, f"{self.host}/.default")
        self._connections = connections(settings)
        self.call = Caller(self._connections, self.tokens).call
        self._sdk: dict[asyncio.AbstractEventLoop, GraphServiceClient] = {}

    async def identity(self) -> TokenIdentity:
        """What the token says: tenant, application, permissions. Raises SignInRefused or ServiceTrouble."""
        return await self.tokens.identity()

    def client(self) -> GraphServiceClient:
        """The SDK's client on the running loop's connections; loads msgraph-sdk on first use."""
        from tenantclosure.gateways.graph.sdk import new_sdk

        loop, http = asyncio.get_running_loop(), self._connections.client()
        known = self._sdk.get(loop)
        if known is None or getattr(known.request_adapter, "_http_client", None) is not http:
            self._sdk = {seen: client for seen, client in self._sdk.items() if not seen.is_closed()}
            known = self._sdk[loop] = new_sdk(http, self.v1, self.tokens)
        return known
