"""Whose Records these are, and which host works on them."""

from __future__ import annotations

from datetime import datetime, timedelta

from tenantclosure.errors import RailBroken, RecordConflict, SettingsError
from tenantclosure.ledger.book import TRIES, Book, iso
from tenantclosure.ports import JSON

SILENT = timedelta(minutes=5)
"""A host that has not said for so long that it is there may be replaced by another; it says so each minute."""


class Deployment(Book):
    """Two documents of the partition `deployment`: `records` {homeTenantId, at} and `host` {site, at}."""

    async def check_deployment(self, home: str) -> None:
        """Write our name into Records that have none; SettingsError when they hold another deployment's."""
        for _ in range(TRIES):
            try:
                found = await self.records.read("deployment", "records")
            except RailBroken as broken:
                raise SettingsError(
                    f"CLOSURE_STORAGE holds the records of another deployment, or the key that sealed them is missing: "
                    f"name an account of our own, or add that key again. {broken.detail}"
                ) from None
            if found is None:
                try:
                    await self.records.create("deployment", "records", {"homeTenantId": home, "at": self._now()})
                except RecordConflict:
                    continue
            elif found[0]["homeTenantId"] != home:
                raise SettingsError(
                    f"CLOSURE_STORAGE holds the records of a deployment in the tenant {found[0]['homeTenantId']}, and "
                    f"CLOSURE_HOME_TENANT_ID is {home}: set the two that belong together."
                )
            return
        raise RecordConflict("deployment records")

    async def hold_host(self) -> str | None:
        """Say that our host works on these Records; the name of another one that still does, or None."""
        for _ in range(TRIES):
            found = await self.records.read("deployment", "host")
            if found is not None and self._works(found[0]):
                return str(found[0]["site"])
            doc: JSON = {"site": self.site, "at": self._now()}
            try:
                if found is None:
                    await self.records.create("deployment", "host", doc)
                else:
                    await self.records.replace("deployment", "host", doc, found[1])
            except RecordConflict:
                continue
            return None
        raise RecordConflict("deployment host")

    async def host_at(self) -> datetime | None:
        """When a host last said that it works on these Records; None before the first time."""
        found = await self.records.read("deployment", "host")
        return datetime.fromisoformat(found[0]["at"]) if found is not None else None

    async def other_host(self) -> str | None:
        """The name of another host that works on these Records, or None."""
        found = await self.records.read("deployment", "host")
        return str(found[0]["site"]) if found is not None and self._works(found[0]) else None

    def _works(self, host: JSON) -> bool:
        return host["site"] != self.site and self.clock.now() - datetime.fromisoformat(host["at"]) < SILENT

    def _now(self) -> str:
        return iso(self.clock.now())
