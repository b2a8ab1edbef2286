"""What anyone sees of a tenant without credentials: alive, gone or unknown."""

from __future__ import annotations

import httpx

from tenantclosure.gateways.http import new_client, parsed
from tenantclosure.settings import Settings

NOT_FOUND = 90002
"""AADSTS90002 "Tenant not found". 700016 and 7000229 mean only that our application is missing (tenant-facts B)."""


class OutsideView:
    """`ports.Outside` on the OpenID configuration of the tenant's login endpoint (tenant-facts B)."""

    def __init__(self, settings: Settings, tenant_id: str) -> None:
        self._settings, self._tenant_id = settings, tenant_id.lower()
        self._url = f"{settings.endpoint('login')}/{self._tenant_id}/v2.0/.well-known/openid-configuration"

    async def sighting(self) -> str:
        """`alive`, `gone` or `unknown`; one request over a new connection, no cache on the way.

        The wrong cloud looks exactly like gone, so the caller must have seen the tenant alive by the same settings.
        """
        try:
            async with new_client(self._settings) as client:
                response = await client.get(self._url, headers={"Cache-Control": "no-cache", "Pragma": "no-cache"})
            body = parsed(response.content)
        except (httpx.HTTPError, ValueError):
            return "unknown"
        if not isinstance(body, dict):
            return "unknown"
        if response.status_code == 200 and self._tenant_id in str(body.get("issuer", "")).lower():
            return "alive"
        # Microsoft asks clients to key on status, `error` and `error_codes`, never on the text.
        codes = body.get("error_codes")
        refused = body.get("error") == "invalid_tenant" or (isinstance(codes, list) and NOT_FOUND in codes)
        return "gone" if response.status_code == 400 and refused else "unknown"
