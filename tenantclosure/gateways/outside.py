"""What anyone sees of a tenant without credentials: alive, gone or unknown."""

from __future__ import annotations

from typing import Any

import httpx

from tenantclosure.gateways.http import new_client, parsed
from tenantclosure.settings import Settings

NOT_FOUND = 90002
"""AADSTS90002 "Tenant not found". 700016 and 7000229 mean only that our application is missing (tenant-facts B)."""

CLOUDS = {"microsoftonline.com": "global", "microsoftonline.us": "usgov", "partner.microsoftonline.cn": "china"}
"""`cloud_instance_name` of a tenant's OpenID configuration. The global login endpoint tells of US Government tenants
too (from public tools that look tenants up, unverified).
"""
LEVELS = {"DODCON": "usgov", "DOD": "usgov-dod"}
"""`tenant_region_sub_scope`: both US Government clouds share one sign-in, so only this tells them apart."""


class OutsideView:
    """`ports.Outside` on the OpenID configuration of the tenant's login endpoint (tenant-facts B)."""

    def __init__(self, settings: Settings, tenant_id: str) -> None:
        self._settings, self._tenant_id = settings, tenant_id.lower()
        self._url = f"{settings.endpoint('login')}/{self._tenant_id}/v2.0/.well-known/openid-configuration"

    async def sighting(self) -> str:
        """`alive`, `gone` or `unknown`; one request over a new connection, no cache on the way.

        The wrong cloud looks exactly like gone, so the caller must have seen the tenant alive by the same settings.
        """
        status, body = await self._configuration()
        if status == 200 and self._tenant_id in str(body.get("issuer", "")).lower():
            return "alive"
        # Microsoft asks clients to key on status, `error` and `error_codes`, never on the text.
        codes = body.get("error_codes")
        refused = body.get("error") == "invalid_tenant" or (isinstance(codes, list) and NOT_FOUND in codes)
        return "gone" if status == 400 and refused else "unknown"

    async def cloud(self) -> str:
        """The tenant's cloud in the words of `CLOSURE_CLOUD`; empty where its configuration names none that we know.

        Where it does not say which US Government cloud, it is taken for the one of the settings.
        """
        status, body = await self._configuration()
        found = CLOUDS.get(str(body.get("cloud_instance_name", ""))) if status == 200 else None
        if found != "usgov":
            return found or ""
        own = self._settings.cloud if self._settings.cloud in LEVELS.values() else found
        return LEVELS.get(str(body.get("tenant_region_sub_scope") or ""), own)

    async def _configuration(self) -> tuple[int, dict[str, Any]]:
        """Status and body; (0, {}) where none came that can be read."""
        try:
            async with new_client(self._settings) as client:
                response = await client.get(self._url, headers={"Cache-Control": "no-cache", "Pragma": "no-cache"})
            body = parsed(response.content)
        except (httpx.HTTPError, ValueError):
            return 0, {}
        return (response.status_code, body) if isinstance(body, dict) else (0, {})
