"""The reading half of the Graph gateway: listings and single objects through msgraph-sdk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeGuard

from tenantclosure.errors import ListingIncomplete, ServiceTrouble, Throttled
from tenantclosure.gateways.answers import trouble
from tenantclosure.gateways.graph.connection import GraphConnection
from tenantclosure.gateways.graph.listing import KINDS, Kind, check
from tenantclosure.gateways.graph.paging import NEXT, rows
from tenantclosure.gateways.http import Reply
from tenantclosure.model.inventory import Item, Organization
from tenantclosure.names import Family
from tenantclosure.scratch import Ids

JSON = dict[str, Any]

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
"""Template id of the role Global Administrator, the same in every tenant (tenant-facts C1)."""
ORGANIZATION = ("id", "displayName", "tenantType", "onPremisesSyncEnabled", "partnerTenantType", "verifiedDomains")
FREEZE = ("allowedToSignUpEmailBasedSubscriptions", "allowEmailVerifiedUsersToJoinOrganization", "allowInvitesFrom")
"""Members of authorizationPolicy that the freeze changes (tenant-facts C5)."""
LEFTOVERS = {
    "user flows": "beta/identity/b2cUserFlows",
    "custom policies": "beta/trustFramework/policies",
    "policy keys": "beta/trustFramework/keySets",
    "identity providers": "v1.0/identity/identityProviders",
}
"""What an external tenant must be rid of, and where Graph lists it (tenant-facts A15)."""
BUILT_IN = "#microsoft.graph.builtInIdentityProvider"
"""Every external tenant has these and they can't be removed (from memory, unverified)."""
LEFTOVER_PAGES = 100
"""More pages than any tenant has of these; a listing that goes on counts as unreadable."""


class Reading(GraphConnection):
    """Reads of one tenant."""

    async def organization(self) -> Organization:
        """`GET /organization`; exactly one row, otherwise ListingIncomplete (tenant-facts C2)."""
        found = await self._all("organization", lambda sdk: sdk.organization, ORGANIZATION)
        if len(found) != 1:
            raise ListingIncomplete("organization", len(found), "there must be exactly one organization")
        row = found[0]
        domains = row.get("verifiedDomains") or []
        try:
            check(row, ORGANIZATION, ("id",))
            for domain in domains:
                check(domain, ("name", "isInitial"), ("name",))
        except (ValueError, AttributeError) as error:
            raise ListingIncomplete("organization", len(found), f"an unreadable row ({error})") from error
        return Organization(
            id=row["id"].lower(),
            display_name=row.get("displayName") or "",
            tenant_type=row.get("tenantType") or "",
            sync_enabled=row.get("onPremisesSyncEnabled"),
            verified_domains=tuple(domain["name"] for domain in domains),
            initial_domain=next((domain["name"] for domain in domains if domain.get("isInitial")), ""),
            partner_tenant_type=row.get("partnerTenantType"),
        )

    async def find_user(self, id_or_upn: str) -> Item | None:
        """One user by object id or UPN with the facts of `listing.py`; None when Graph says 404."""
        return await self._item(lambda sdk: sdk.users.by_user_id(id_or_upn), KINDS[Family.USERS], "user")

    async def own_service_principal(self) -> Item | None:
        """Our application's service principal; by `CLOSURE_CLIENT_ID`, or by the token's appid where that is empty.

        None when the tenant has none, or when neither names an application (a rehearsal's static token).
        """
        app_id = self.settings.client_id or (await self.identity()).app_id
        if not app_id:
            return None
        kind = KINDS[Family.SERVICE_PRINCIPALS]
        return await self._item(lambda sdk: sdk.service_principals_with_app_id(app_id), kind, "own application")

    async def global_administrators(self) -> frozenset[str]:
        """Object ids of active direct members of Global Administrator: users, and groups or applications if any.

        A 404 would mean that the role was never activated, which no living tenant can be (derived), so it is
        ListingIncomplete like every other failure.
        """
        # The SDK has no members under the template id's path, so its builder gets the documented address.
        url = f"{self.v1}/directoryRoles(roleTemplateId='{GLOBAL_ADMINISTRATOR}')/members?$select=id"
        found = await self._all(
            "global-administrators", lambda sdk: sdk.directory_roles.by_directory_role_id("x").members, first=url
        )
        if not all(_text(row.get("id")) for row in found):
            raise ListingIncomplete("global-administrators", len(found), "a member without an id")
        return frozenset(row["id"] for row in found)

    async def role_holders(self) -> Mapping[str, tuple[str, ...]]:
        """Principal id -> role definition ids of every active assignment; eligible ones (PIM) are not in here."""
        found = await self._all(
            "role-assignments",
            lambda sdk: sdk.role_management.directory.role_assignments,
            ("id", "principalId", "roleDefinitionId"),
        )
        holders: dict[str, list[str]] = {}
        for row in found:
            principal, role = row.get("principalId"), row.get("roleDefinitionId")
            if not (_text(principal) and _text(role)):
                raise ListingIncomplete("role-assignments", len(found), "an assignment without principal or role")
            holders.setdefault(principal, []).append(role)
        return {principal: tuple(sorted(set(roles))) for principal, roles in holders.items()}

    async def pages(self, family: str) -> AsyncIterator[list[Item]]:
        """Every page of a family in order (`names.Family`; facts in `listing.py`), `$top` 999 where Graph takes it.

        Raises ListingIncomplete on any break; `paging.py` says what counts as one and when a page is asked for again.
        An item that an earlier page already had is left out (ids lie on temporary disk meanwhile); a page of nothing
        but such items means we go in circles.
        """
        kind, count = KINDS[Family(family)], 0
        with Ids() as known:
            async for page in rows(
                self.client(),
                kind.path_in_sdk,
                self.clock,
                name=str(family),
                base_url=self.v1,
                select=kind.select,
                top=kind.top,
                gap=kind.gap,
            ):
                try:
                    items = {item.id: item for item in map(kind.item, page)}
                except (ValueError, AttributeError, TypeError) as error:
                    raise ListingIncomplete(str(family), count, f"an unreadable row ({error})") from error
                fresh = [items[id_] for id_ in known.add(items)]
                if items and not fresh:
                    raise ListingIncomplete(str(family), count, "a page repeats what came before")
                count += len(fresh)
                yield fresh

    async def sign_up_policy(self) -> JSON:
        """The members of authorizationPolicy that the freeze changes, as Graph returns them; an abort restores them."""
        row = await self._one(lambda sdk: sdk.policies.authorization_policy, ("id", *FREEZE), "authorizationPolicy")
        if row is None:
            raise ServiceTrouble("authorizationPolicy: HTTP 404")
        return {name: row[name] for name in FREEZE if name in row}

    async def external_leftovers(self) -> dict[str, int | None]:
        """What a B2C or External ID tenant must be rid of: how many user flows, custom policies, policy keys and
        identity providers (`LEFTOVERS`); None where it can't be read: a permission is missing, Graph is in trouble, or
        the cloud has no such list. Raises Throttled.
        """
        return {name: await self._count(f"{self.host}/{path}") for name, path in LEFTOVERS.items()}

    async def _count(self, url: str) -> int | None:
        """Rows of a listing to its end without the built-in ones; None when a page is refused or none."""
        count = 0
        for _ in range(LEFTOVER_PAGES):
            try:
                reply = await self.call("GET", url)
            except Throttled:
                raise
            except ServiceTrouble:
                # Beta is allowed to fail for good where it has no such list; the next check asks again anyway.
                return None
            value = reply.body.get("value") if reply.ok and isinstance(reply.body, dict) else None
            if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
                return None
            count += sum(1 for row in value if row.get("@odata.type") != BUILT_IN)
            link = reply.body.get(NEXT)
            if link is None:
                return count
            if not str(link).startswith(self.host + "/"):
                return None
            url = str(link)
        return None

    async def security_defaults(self) -> bool | None:
        """Whether security defaults are on; None when Graph won't tell (4xx). Raises Throttled, ServiceTrouble."""
        reply = await self._ask(lambda sdk: sdk.policies.identity_security_defaults_enforcement_policy, ("isEnabled",))
        enabled = reply.body.get("isEnabled") if reply.ok and isinstance(reply.body, dict) else None
        return enabled if isinstance(enabled, bool) else None

    async def _item(self, path: Any, kind: Kind, what: str) -> Item | None:
        """One object as an Item; None for 404. Raises ServiceTrouble, also where it can't be understood."""
        row = await self._one(path, kind.select, what)
        try:
            return None if row is None else kind.item(row)
        except ValueError as error:
            raise ServiceTrouble(f"{what}: unreadable ({error})") from error

    async def _one(self, path: Any, select: tuple[str, ...], what: str) -> Any:
        """One object through the SDK; None for 404, ServiceTrouble for other refusals."""
        reply = await self._ask(path, select)
        if reply.status == 404:
            return None
        if not reply.ok or not isinstance(reply.body, dict):
            raise trouble(what, reply)
        return reply.body

    async def _ask(self, path: Any, select: tuple[str, ...]) -> Reply:
        from tenantclosure.gateways.graph.sdk import ask, reach

        client = self.client()
        return await ask(client, reach(client, path), select)

    async def _all(self, name: str, path: Any, select: tuple[str, ...] = (), first: str | None = None) -> list[JSON]:
        """A whole small listing through the SDK."""
        pages = rows(self.client(), path, self.clock, name=name, base_url=self.v1, select=select, first=first)
        return [row async for page in pages for row in page]


def _text(value: Any) -> TypeGuard[str]:
    """Whether it is a text that says something."""
    return isinstance(value, str) and value != ""
