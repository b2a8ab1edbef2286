"""Microsoft's services as activities get them: every write asks first whether it may still be made.

Nothing else in `activities/` takes them from the parts (a test looks), so no write can forget to ask. What goes out
together asks once (`Fence.wave`); a method that is not known to read counts as a write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, cast

from tenantclosure.ports import Billing, Directory, ExternalDirectory, Partner
from tenantclosure.wiring import Parts

READS: dict[type, frozenset[str]] = {
    Directory: frozenset(
        {
            "identity",
            "organization",
            "find_user",
            "global_administrators",
            "role_holders",
            "own_service_principal",
            "pages",
            "states_of",
            "mfa_states",
            "sign_up_policy",
            "external_leftovers",
            "security_defaults",
        }
    ),
    Billing: frozenset({"azure_subscriptions", "azure_state", "billing_subscriptions", "billing_subscription"}),
    Partner: frozenset({"subscriptions", "subscription"}),
    ExternalDirectory: frozenset({"find", "poll"}),
}
"""Methods of each port that change nothing."""


class Fence:
    """What stands before every write: `check` raises Halt or RailBroken when it must not be made any more."""

    def __init__(self, check: Callable[[], Awaitable[None]]) -> None:
        self._check = check

    async def check(self) -> None:
        """Ask now, unless the wave we are in has asked."""
        if _ASKED.get() is not self:
            await self._check()

    @asynccontextmanager
    async def wave(self) -> AsyncIterator[None]:
        """Ask once for the writes inside, which go out together; their intent is kept inside as well.

        What runs beside it has not asked, and does so for itself.
        """
        await self._check()
        before = _ASKED.set(self)
        try:
            yield
        finally:
            _ASKED.reset(before)


_ASKED: ContextVar[Fence | None] = ContextVar("asked", default=None)
"""The fence whose wave the running task is in."""


async def _never() -> None:
    raise AssertionError("This activity only reads.")


READ_ONLY = Fence(_never)
"""For those who have no clearance to write."""


class _Fenced:
    """A service behind a fence; attributes are looked up in the service itself."""

    def __init__(self, service: Any, reads: frozenset[str], fence: Fence) -> None:
        self._service, self._reads, self._fence = service, reads, fence

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._service, name)
        if name in self._reads:
            return method

        async def write(*arguments: Any, **named: Any) -> Any:
            await self._fence.check()
            return await method(*arguments, **named)

        return write


def directory(parts: Parts, tenant: str, fence: Fence) -> Directory:
    """The tenant's directory."""
    return cast(Directory, _Fenced(parts.directory(tenant), READS[Directory], fence))


def billing(parts: Parts, tenant: str, fence: Fence) -> Billing:
    """The tenant's Azure and billing side."""
    return cast(Billing, _Fenced(parts.billing(tenant), READS[Billing], fence))


def partner(parts: Parts, tenant: str, fence: Fence) -> Partner | None:
    """The tenant as a customer of our partner account, if there is one."""
    found = parts.partner(tenant)
    return None if found is None else cast(Partner, _Fenced(found, READS[Partner], fence))


def external(parts: Parts, tenant: str, fence: Fence) -> ExternalDirectory | None:
    """The Azure resource side of an external tenant, if the hosting tenant can be reached."""
    found = parts.external(tenant)
    return None if found is None else cast(ExternalDirectory, _Fenced(found, READS[ExternalDirectory], fence))
