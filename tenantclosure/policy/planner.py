"""What goes into a plan: who is kept and why, in which order the rest is removed, and the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tenantclosure import names
from tenantclosure.model.inventory import Item
from tenantclosure.names import Family
from tenantclosure.policy.canonical import canonical, digest, sha256


@dataclass(frozen=True, slots=True)
class Spared:
    """What is never in a plan: the keeper, our own service principal, the initial domain, and what the request
    keeps.
    """

    keeper: str
    own_service_principal: str | None
    keep: frozenset[str] = frozenset()
    own_app_id: str | None = None

    def reason(self, family: str, item: Item) -> str | None:
        """Why this item stays, or None if it goes."""
        if family == Family.USERS:
            if item.id == self.keeper:
                return "keeper"
            if self.rule_for(item) is not None:
                return "keep rule of the request"
        if family == Family.DOMAINS and item.facts.get("isInitial"):
            return "initial domain, goes with the tenant"
        if family == Family.APPLICATIONS and self.own_app_id is not None and item.facts.get("appId") == self.own_app_id:
            return "our own registration: without it nothing more could be done"
        if family == Family.SERVICE_PRINCIPALS and item.id == self.own_service_principal:
            return "our own service principal, removed last"
        return None

    def rule_for(self, item: Item) -> str | None:
        """The keep rule that names this user, if any."""
        for rule in (item.id.lower(), str(item.facts.get("upn", "")).lower()):
            if rule in self.keep:
                return rule
        return None


@dataclass(slots=True)
class Shards:
    """Collects items into shards of a fixed size; ordinary ones first, privileged ones in shards of their own, last."""

    size: int
    ready: list[tuple[int, bytes]] = field(default_factory=list)
    sealed: list[dict[str, Any]] = field(default_factory=list)
    privileged_from: int | None = None
    _open: list[Item] = field(default_factory=list)
    _last: list[Item] = field(default_factory=list)

    def add(self, item: Item, *, last: bool) -> None:
        """Take one item; a shard that is full moves to `ready`."""
        if last:
            self._last.append(item)
            return
        self._open.append(item)
        if len(self._open) == self.size:
            self._seal(self._open)
            self._open = []

    def finish(self) -> None:
        """Seal what is open, then the privileged ones."""
        if self._open:
            self._seal(self._open)
            self._open = []
        self.privileged_from = len(self.sealed)
        for start in range(0, len(self._last), self.size):
            self._seal(self._last[start : start + self.size])
        self._last = []

    def take(self) -> list[tuple[int, bytes]]:
        """Shards to be stored now: (number, NDJSON)."""
        ready, self.ready = self.ready, []
        return ready

    def _seal(self, items: Iterable[Item]) -> None:
        lines = [canonical(item.to_dict()) for item in items]
        data = b"\n".join(lines) + b"\n"
        self.ready.append((len(self.sealed), data))
        self.sealed.append({"count": len(lines), "sha256": sha256(data)})


def family_entry(shards: Shards) -> dict[str, Any]:
    """A family's part of the manifest."""
    return {
        "count": sum(shard["count"] for shard in shards.sealed),
        "shards": shards.sealed,
        "privilegedFrom": shards.privileged_from,
    }


def part_of(manifest: Mapping[str, Any], family: str) -> dict[str, Any]:
    """A family's part of a plan. A plan from before the family was known holds none of it: whatever a listing then
    shows is new, and people are asked.
    """
    found: dict[str, Any] = manifest["families"].get(family) or family_entry(Shards(1, privileged_from=0))
    return found


def manifest(
    row: Mapping[str, Any], keeper: Item, own: Item | None, families: Mapping[str, Any], kept: list[dict[str, Any]]
) -> dict[str, Any]:
    """The small document whose digest people approve."""
    return {
        "schema": names.SCHEMA,
        "closureId": row["closureId"],
        "tenantId": row["tenantId"],
        "domain": row["domain"],
        "serial": row["planSerial"],
        "keeper": {"id": keeper.id, "upn": str(keeper.facts.get("upn", keeper.name))},
        "ownServicePrincipal": own.id if own else None,
        "request": digest(row["request"]),
        "families": dict(families),
        "kept": kept,
    }
