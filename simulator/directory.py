"""Keeps one tenant's directory: who exists, who is in the bin, who holds which role, and directory sync.

Point reads look at ``Family.live`` and ``Family.bin`` (always current); listings look at ``Family.listing`` (late by
the replication lag). ``tick()`` moves time on: bins expire after 30 days, a running sync-off converts users.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Protocol

from simulator.clock import Clock, iso
from simulator.entities import Application, Device, Domain, Group, ServicePrincipal, User
from simulator.listing import Listing

BIN_DAYS = 30
SYNC_FLAG_DAYS = 0.5
SYNC_CONVERSION_DAYS = 2.5
RELEASE_DAYS = 1 / 48

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
PRIVILEGED_AUTHENTICATION_ADMINISTRATOR = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
USER_ADMINISTRATOR = "fe930be7-5e62-47db-91af-98c3a49a38b1"
DIRECTORY_SYNCHRONIZATION_ACCOUNTS = "d29b2b05-8046-44ba-8758-1e26182fcf32"
MANAGED_IDENTITY = "ManagedIdentity"
DIRECTORY_READERS = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"

ROLE_NAMES = {
    GLOBAL_ADMINISTRATOR: "Global Administrator",
    PRIVILEGED_AUTHENTICATION_ADMINISTRATOR: "Privileged Authentication Administrator",
    USER_ADMINISTRATOR: "User Administrator",
    DIRECTORY_SYNCHRONIZATION_ACCOUNTS: "Directory Synchronization Accounts",
    DIRECTORY_READERS: "Directory Readers",
}


def guid(rng: random.Random) -> str:
    """Return a version 4 GUID drawn from a seeded generator."""
    h = f"{rng.getrandbits(128):032x}"
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"


class Item(Protocol):
    """What every object that can be deleted has."""

    id: str
    deletedDateTime: str | None


class Family[T: Item]:
    """One kind of object: the living, the recycle bin, and the listings over both."""

    def __init__(self, lag_seconds: Callable[[], float]) -> None:
        self.live: dict[str, T] = {}
        self.bin: dict[str, T] = {}
        self.listing = Listing(lag_seconds)
        self.bin_listing = Listing(lambda: 0.0)
        self.expiries: deque[tuple[datetime, T]] = deque()
        self._until: dict[str, datetime] = {}
        self.total = 0
        self.deleted: list[str] = []
        """Ids of all that was ever deleted, in order; what is purged or restored later stays in it."""

    def load(self, item: T) -> T:
        """Put in an object that was always there."""
        self.live[item.id] = item
        self.listing.load(item)
        self.total += 1
        return item

    def create(self, item: T) -> T:
        """Put in a new object; listings show it after the lag."""
        self.live[item.id] = item
        self.listing.add(item)
        self.total += 1
        return item

    def soft_delete(self, item: T, now: datetime, until: datetime) -> None:
        """Move an object to the bin."""
        key = item.id
        del self.live[key]
        self.deleted.append(key)
        item.deletedDateTime = iso(now)
        self.bin[key] = item
        self.listing.remove(item)
        self.bin_listing.add(item)
        self.expiries.append((until, item))
        self._until[key] = until

    def restore(self, item: T) -> None:
        """Take an object out of the bin."""
        key = item.id
        del self.bin[key]
        item.deletedDateTime = None
        self.live[key] = item
        self.bin_listing.remove(item)
        self.listing.add(item)

    def purge(self, item: T) -> None:
        """Remove an object from the bin for good."""
        self.bin.pop(item.id)
        self.bin_listing.remove(item)

    def expire(self, now: datetime) -> None:
        """Purge what has been in the bin for its 30 days."""
        while self.expiries and self.expiries[0][0] <= now:
            until, item = self.expiries.popleft()
            # An object restored and deleted again has a later date by now.
            if self._until.get(item.id) == until and item.id in self.bin:
                self.purge(item)


class Directory:
    """The directory of one tenant."""

    def __init__(self, tenant_id: str, clock: Clock, rng: random.Random, lag_seconds: Callable[[], float]) -> None:
        self.tenant_id = tenant_id
        self.clock = clock
        self.rng = rng
        self.users: Family[User] = Family(lag_seconds)
        self.applications: Family[Application] = Family(lag_seconds)
        self.service_principals: Family[ServicePrincipal] = Family(lag_seconds)
        self.groups: Family[Group] = Family(lag_seconds)
        self.devices: Family[Device] = Family(lag_seconds)
        self.synced_listing = Listing(lag_seconds)
        self.domains: dict[str, Domain] = {}
        self.domains_deleted: list[str] = []
        self.roles: dict[str, dict[str, str]] = {}
        self.authorization_policy: dict[str, Any] = {}
        self.security_defaults = False
        self.conditional_access: dict[str, dict[str, Any]] = {}
        self.keeper: User | None = None
        self.own_sp_id: str | None = None
        self.created: datetime = clock.now()
        self.sync_enabled: bool | None = None
        self.sync_off_started: datetime | None = None
        self._sync_flag_due: datetime | None = None
        self._sync_queue: deque[tuple[datetime, User]] = deque()
        self._releases: deque[tuple[datetime, User]] = deque()
        self._by_upn: dict[str, User] = {}
        self._by_app_id: dict[str, ServicePrincipal] = {}
        self._managed: list[str] = []

    # Putting in

    def load_user(self, user: User) -> User:
        """Put in a user who was always there."""
        self._by_upn[user.userPrincipalName.lower()] = user
        if user.onPremisesSyncEnabled:
            self.synced_listing.load(user)
        return self.users.load(user)

    def create_user(self, user: User) -> User:
        """Put in a new user; listings show it after the lag."""
        self._by_upn[user.userPrincipalName.lower()] = user
        return self.users.create(user)

    def rename_user(self, user: User, upn: str) -> None:
        """Give a user another name."""
        self._by_upn.pop(user.userPrincipalName.lower(), None)
        user.userPrincipalName = upn
        self._by_upn[upn.lower()] = user

    def load_service_principal(self, sp: ServicePrincipal) -> ServicePrincipal:
        """Put in a service principal who was always there."""
        self._by_app_id[sp.appId] = sp
        if sp.servicePrincipalType == MANAGED_IDENTITY:
            self._managed.append(sp.id)
        return self.service_principals.load(sp)

    def assign_role(self, template: str, principal_id: str) -> None:
        """Give a principal a directory role."""
        self.roles.setdefault(template, {})[principal_id] = guid(self.rng)

    # Finding

    def find_user(self, key: str) -> User | None:
        """Find a living user by id or by UPN."""
        key = key.lower()
        return self.users.live.get(key) or self._by_upn.get(key)

    def sp_by_app_id(self, app_id: str) -> ServicePrincipal | None:
        """Find a living service principal by its app id."""
        return self._by_app_id.get(app_id.lower())

    def managed_identities(self) -> list[ServicePrincipal]:
        """Return the living service principals that Azure keeps for its resources."""
        found = (self.service_principals.live.get(key) for key in self._managed)
        return [sp for sp in found if sp is not None]

    def roles_of(self, principal_id: str) -> list[str]:
        """Return the role templates a principal holds."""
        return [template for template, members in self.roles.items() if principal_id in members]

    # Taking away

    def delete_user(self, user: User) -> None:
        """Soft-delete a user for 30 days (tenant-facts G)."""
        self._soft_delete(self.users, user)
        self._by_upn.pop(user.userPrincipalName.lower(), None)
        # Entra frees the name by putting the object id in front of it.
        user.userPrincipalName = user.id.replace("-", "") + user.userPrincipalName
        if user.onPremisesSyncEnabled:
            self.synced_listing.remove(user)

    def delete_application(self, application: Application) -> None:
        """Soft-delete an app registration and, with it, its service principal here (tenant-facts C5)."""
        self._soft_delete(self.applications, application)
        sp = self._by_app_id.get(application.appId)
        if sp is not None:
            self.delete_service_principal(sp)

    def delete_service_principal(self, sp: ServicePrincipal) -> None:
        """Soft-delete a service principal for 30 days."""
        self._soft_delete(self.service_principals, sp)
        self._by_app_id.pop(sp.appId, None)

    def restore(self, family: Family[Any], item: Any) -> None:
        """Take an object out of the bin."""
        family.restore(item)
        if isinstance(item, User):
            item.userPrincipalName = item.userPrincipalName.removeprefix(item.id.replace("-", ""))
            self._by_upn[item.userPrincipalName.lower()] = item
            if item.onPremisesSyncEnabled:
                self.synced_listing.add(item)
        elif isinstance(item, ServicePrincipal):
            self._by_app_id[item.appId] = item

    def _soft_delete(self, family: Family[Any], item: Any) -> None:
        now = self.clock.now()
        family.soft_delete(item, now, now + self.clock.days(BIN_DAYS))

    def delete_domain(self, name: str) -> None:
        """Delete a domain name; there is no bin for it."""
        del self.domains[name]
        self.domains_deleted.append(name)

    # Time

    def release_users(self, users: Iterable[User]) -> datetime:
        """Take users out of restricted management; answers when it has effect (tenant-facts C1: up to 30 minutes)."""
        due = self.clock.now() + self.clock.days(RELEASE_DAYS)
        waiting = {user.id for _, user in self._releases}
        self._releases.extend((due, user) for user in users if user.isManagementRestricted and user.id not in waiting)
        return due

    def start_sync_off(self) -> None:
        """Begin turning directory sync off: the flag falls first, users convert over up to 72 h (tenant-facts C2)."""
        if not self.sync_enabled or self.sync_off_started is not None:
            return
        now = self.clock.now()
        self.sync_off_started = now
        self._sync_flag_due = now + self.clock.days(SYNC_FLAG_DAYS)
        synced = [user for user in self.users.live.values() if user.onPremisesSyncEnabled]
        for rank, user in enumerate(synced, 1):
            self._sync_queue.append((now + self.clock.days(SYNC_CONVERSION_DAYS * rank / len(synced)), user))

    def tick(self) -> None:
        """Let time pass; called before every request."""
        now = self.clock.now()
        for family in (self.users, self.applications, self.service_principals, self.groups):
            if family.expiries:
                family.expire(now)
        if self._sync_flag_due is not None and self._sync_flag_due <= now:
            self.sync_enabled = False
            self._sync_flag_due = None
        while self._releases and self._releases[0][0] <= now:
            self._releases.popleft()[1].isManagementRestricted = None
        while self._sync_queue and self._sync_queue[0][0] <= now:
            user = self._sync_queue.popleft()[1]
            user.onPremisesSyncEnabled = False
            user.onPremisesDomainName = user.onPremisesSamAccountName = None
            user.onPremisesDistinguishedName = user.onPremisesUserPrincipalName = None
            self.synced_listing.remove(user)
