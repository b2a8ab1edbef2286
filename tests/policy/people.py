"""Requests and people for policy tests."""

from __future__ import annotations

from typing import Any

from tenantclosure.model.request import ClosureRequest, parse_request

TENANT = "0b0a1c2d-0000-4000-8000-000000000001"
HOME = "0b0a1c2d-0000-4000-8000-0000000000ff"
OTHER_TENANT = "0b0a1c2d-0000-4000-8000-0000000000ee"
PEOPLE = ("ann@fabrikam.com", "bob@fabrikam.com", "cyd@fabrikam.com", "dee@fabrikam.com", "eli@fabrikam.com")


def person(object_id: str, upn: str = "", tenant: str = HOME) -> dict[str, Any]:
    """A person as on records; without an address the one that their object id suggests."""
    return {"tenantId": tenant, "objectId": object_id, "upn": upn or f"{object_id}@f.com", "name": object_id.title()}


def document(**changes: Any) -> dict[str, Any]:
    """The smallest request; a change to None takes the key out."""
    base = {
        "tenantId": TENANT,
        "domain": "contoso.onmicrosoft.com",
        "keeper": "last.admin@contoso.onmicrosoft.com",
        "reason": "merged into Fabrikam",
        "approvers": [
            {"group": "it", "quorum": 1, "people": list(PEOPLE[:2])},
            {"group": "owner", "quorum": 1, "people": [PEOPLE[2]]},
        ],
        "backupConfirmed": True,
    }
    return {key: value for key, value in {**base, **changes}.items() if value is not None}


def request(**changes: Any) -> ClosureRequest:
    """The same, parsed."""
    return parse_request(document(**changes))
