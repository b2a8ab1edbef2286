"""`ports.People` on Microsoft Graph: who the approvers are in the hosting tenant's directory."""

from __future__ import annotations

from tenantclosure.errors import ServiceTrouble
from tenantclosure.gateways.answers import trouble
from tenantclosure.gateways.http import Caller, connections, segment
from tenantclosure.gateways.identity import Credentials
from tenantclosure.model.people import Account
from tenantclosure.settings import Settings

SELECT = "id,userPrincipalName,displayName,mail,accountEnabled,userType"
PERMISSION = "User.Read.All"
"""User.ReadBasic.All does not show accountEnabled, and whoever may be disabled can't be asked."""


class HomeDirectory:
    """The hosting tenant's accounts, read with our token for that tenant. `HomeDirectory(settings, credentials)`."""

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        host = settings.endpoint("graph")
        self._users = f"{host}/v1.0/users"
        self._tenant_id = settings.home_tenant_id
        tokens = credentials.source(self._tenant_id, f"{host}/.default")
        self._caller = Caller(connections(settings), tokens)

    async def find(self, upn: str) -> Account | None:
        """The account of this user principal name, a guest's included; None when Graph says 404.

        Graph finds users by object id as well, so an answer that bears another name is None too. Raises ServiceTrouble
        when the account can't be read whole; it names the permission that may be missing.
        """
        reply = await self._caller.call("GET", f"{self._users}/{segment(upn)}?$select={SELECT}")
        if reply.status == 404:
            return None
        if reply.status == 403:
            raise ServiceTrouble(f"{trouble('reading an approver', reply)}: {_grant()}")
        row = reply.body
        if not reply.ok or not isinstance(row, dict):
            raise trouble("reading an approver", reply)
        name = row.get("userPrincipalName")
        if not isinstance(name, str) or name.casefold() != upn.casefold() or not row.get("id"):
            return None
        if not all(isinstance(row.get(text), str | None) for text in ("id", "displayName", "mail")):
            raise ServiceTrouble("reading an approver: id, displayName or mail is no text")
        enabled = row.get("accountEnabled")
        if not isinstance(enabled, bool):
            raise ServiceTrouble(f"reading an approver: accountEnabled is missing: {_grant()}")
        return Account(
            tenant_id=self._tenant_id,
            object_id=row["id"].lower(),
            upn=name,
            name=row.get("displayName") or "",
            mail=row.get("mail") or "",
            enabled=enabled,
        )


def _grant() -> str:
    return f"grant our application {PERMISSION} in the hosting tenant"
