"""A sign-in that a test decides about, and rights that it names."""

from __future__ import annotations

from collections.abc import Mapping

from tenantclosure.errors import SignInRefused
from tenantclosure.model.inventory import TokenIdentity


class FakeAccess:
    """`ports.Access`: everything is granted until a test says otherwise."""

    def __init__(self) -> None:
        self.codes: dict[tuple[str, str], int] = {}
        """AADSTS code by tenant and service."""
        self.roles: dict[str, frozenset[str]] = {}
        """Permissions by tenant."""
        self.voucher: Mapping[str, str] = {}
        self.trouble: Exception | None = None
        """What looking for the managed identity raises."""
        self.azure: frozenset[str] | Exception = frozenset()
        self.accounts: set[str] = set()

    async def sign_in(self, tenant: str, service: str) -> TokenIdentity:
        if (tenant, service) in self.codes:
            code = self.codes[tenant, service]
            raise SignInRefused(tenant, code, f"AADSTS{code}")
        return TokenIdentity(tenant, "app", "sp", self.roles.get(tenant, frozenset()))

    async def vouching(self) -> Mapping[str, str]:
        if self.trouble is not None:
            raise self.trouble
        return self.voucher

    async def azure_roles(self, tenant: str, subscription: str, principal: str) -> frozenset[str]:
        if isinstance(self.azure, Exception):
            raise self.azure
        return self.azure

    async def sees_billing_account(self, tenant: str, account: str) -> bool:
        return account in self.accounts
