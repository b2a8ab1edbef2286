"""Approval policies for tests of activities, written as the file's YAML would be."""

from __future__ import annotations

from typing import Any

from tenantclosure.model.approval_policy import ApprovalPolicy

PEOPLE = {
    "it": ["ann@fabrikam.com", "bob@fabrikam.com"],
    "owner": ["cyd@fabrikam.com"],
    "board": ["dee@fabrikam.com", "eve@fabrikam.com"],
}
NIGHTS = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "22:00", "to": "04:00", "timeZone": "UTC"}


def policy(**more: Any) -> ApprovalPolicy:
    """A policy over three groups; `groups` replaces some of them."""
    groups = {**PEOPLE, **more.pop("groups", {})}
    return ApprovalPolicy.model_validate({"groups": groups, **more}, by_alias=True)
