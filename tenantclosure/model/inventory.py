"""What is in a tenant: items of every family, the organization, and what a token says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in the tenant.

    `facts` are plain JSON values; the gateways document which they fill per family
    (`gateways/graph/listing.py`). Times are ISO 8601 in UTC.
    """

    id: str
    name: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The item as one NDJSON line's object."""
        return {"id": self.id, "name": self.name, **({"facts": dict(self.facts)} if self.facts else {})}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Item:
        """Read what `to_dict` wrote; unknown keys are ignored."""
        return cls(str(data["id"]), str(data.get("name", "")), dict(data.get("facts") or {}))


@dataclass(frozen=True, slots=True)
class Organization:
    """`GET /organization` (tenant-facts C2). `sync_enabled`: True syncing, False was synced, None never."""

    id: str
    display_name: str
    tenant_type: str
    sync_enabled: bool | None
    verified_domains: tuple[str, ...]
    initial_domain: str
    partner_tenant_type: str | None = None


@dataclass(frozen=True, slots=True)
class TokenIdentity:
    """What the token we write with says of itself. `roles` is None when a static token carries none (rehearsal)."""

    tenant_id: str
    app_id: str | None
    object_id: str | None
    roles: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """Microsoft's last word on one write.

    `status` is the item's HTTP status (0 when no answer arrived), `code` Microsoft's error code, `retry_after` seconds
    asked for by a 429 or 503, `request_id` the item's or the call's `request-id`; `used` is the part of its quota that
    Microsoft says is used (0.8 to 1.8), where it says so.
    """

    id: str
    status: int
    code: str = ""
    message: str = ""
    request_id: str = ""
    retry_after: float | None = None
    used: float | None = None

    @property
    def done(self) -> bool:
        """Whether this is a final answer of success: 2xx."""
        return 200 <= self.status < 300

    @property
    def absent(self) -> bool:
        """Whether the item was already gone: 404."""
        return self.status == 404

    @property
    def transient(self) -> bool:
        """Whether a later try may differ (tenant-facts C6)."""
        return self.status in (0, 408, 409, 412, 423, 424, 429) or self.status >= 500
