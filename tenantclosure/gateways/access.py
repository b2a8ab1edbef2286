"""`ports.Access`: sign-ins afresh, and what Azure Resource Manager tells of our own roles. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from tenantclosure.gateways.answers import NO_ROLE, refused, trouble
from tenantclosure.gateways.arm import ACCOUNTS, AZURE_ROLE, BILLING
from tenantclosure.gateways.http import Caller, Reply, connections, segment
from tenantclosure.gateways.identity import Credentials, identity_of
from tenantclosure.model.inventory import TokenIdentity
from tenantclosure.settings import Settings

ASSIGNMENTS = "api-version=2022-04-01"


class EntraAccess:
    """What `credentials` may do. `EntraAccess(settings, credentials)`."""

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        self._settings, self._credentials = settings, credentials
        self._arm = settings.endpoint("arm")

    async def sign_in(self, tenant: str, service: str) -> TokenIdentity:
        """What a token of this moment says of itself; from then on every gateway here uses that token."""
        scope = self._settings.endpoint("arm_scope" if service == "arm" else service)
        scope = scope if scope.endswith("/.default") else f"{scope}/.default"
        token = await self._credentials.renewed(tenant, scope)
        return identity_of(token, roles_unknown=self._credentials.static)

    async def vouching(self) -> Mapping[str, str]:
        """What the federated credential of our application must name."""
        return await self._credentials.vouching()

    async def azure_roles(self, tenant: str, subscription: str, principal: str) -> frozenset[str]:
        """Ids of the role definitions that the principal itself holds on the subscription or above it.

        ARM's filter also lists what lies below: a role on one resource group cancels no subscription.
        """
        scope = f"/subscriptions/{segment(subscription)}"
        wanted = quote(f"principalId eq '{principal}'")
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments"
        reply = await self._get(tenant, f"{path}?{ASSIGNMENTS}&$filter={wanted}")
        rows = reply.body.get("value") if reply.ok and isinstance(reply.body, dict) else None
        if not isinstance(rows, list):
            raise refused("role assignments of an Azure subscription", reply, AZURE_ROLE)
        inner = [row.get("properties") for row in rows if isinstance(row, dict)]
        reaching = [
            one
            for one in inner
            if isinstance(one, dict) and not str(one.get("scope")).lower().startswith(f"{scope.lower()}/")
        ]
        return frozenset(str(one.get("roleDefinitionId")).rpartition("/")[2].lower() for one in reaching)

    async def sees_billing_account(self, tenant: str, account: str) -> bool:
        """Whether the account answers to us; 401, 403 and 404 all mean that we hold no role on it."""
        reply = await self._get(tenant, f"{ACCOUNTS}/{segment(account)}?{BILLING}")
        if not reply.ok and reply.status not in (*NO_ROLE, 404):
            raise trouble("billing account", reply)
        return reply.ok

    async def _get(self, tenant: str, path: str) -> Reply:
        source = self._credentials.source(tenant.lower(), self._settings.endpoint("arm_scope"))
        return await Caller(connections(self._settings), source).call("GET", self._arm + path)
