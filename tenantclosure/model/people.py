"""Who acts: a person as the identity provider named them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in person; distinct by tenant id and object id, never by mail address."""

    tenant_id: str
    object_id: str
    upn: str
    name: str = ""
    roles: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """What makes two persons the same one."""
        return f"{self.tenant_id.lower()}/{self.object_id.lower()}"

    def to_dict(self) -> dict[str, Any]:
        """As stored in Records (roles are not kept: they are checked when the person acts)."""
        return {"tenantId": self.tenant_id, "objectId": self.object_id, "upn": self.upn, "name": self.name}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Person:
        """Read what `to_dict` wrote."""
        return cls(data["tenantId"], data["objectId"], data["upn"], data.get("name", ""))


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account in the hosting tenant, as its directory knows it."""

    tenant_id: str
    object_id: str
    upn: str
    name: str = ""
    mail: str = ""
    enabled: bool = True

    def to_dict(self) -> dict[str, Any]:
        """As it stands on a gate: {tenantId, objectId, upn, name, mail}."""
        return {
            "tenantId": self.tenant_id,
            "objectId": self.object_id,
            "upn": self.upn,
            "name": self.name,
            "mail": self.mail,
        }
