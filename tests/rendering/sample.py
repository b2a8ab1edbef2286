"""A report as activities gather it."""

from __future__ import annotations

from typing import Any

NASTY = '"><script>alert(1)</script>'


USED = {
    "activities": 11,
    "timers": 12,
    "children": 13,
    "wakes": 14,
    "histories": 15,
    "historyEvents": 1601,
    "episodes": 1701,
    "recordsTransactions": 1801,
    "engineTransactions": 1901,
    "schedulerActions": 2001,
    "requests": 2101,
}
COSTS = {
    "currency": "USD",
    "priced": "2026-11",
    "records": 0.25,
    "azureStorage": 1.5,
    "durableTaskScheduler": 0.75,
}


def report(**changes: Any) -> dict[str, Any]:
    """A closed tenant with one of everything."""
    zero = {"removed": 0, "absent": 0, "kept": 0, "refused": 0, "failed": 0}
    person = {"tenantId": "t", "objectId": "o", "upn": "ann@fabrikam.com", "name": "Ann"}
    return {
        "schema": 1,
        "closureId": "0b0a-1",
        "tenantId": "0b0a",
        "domain": "contoso.onmicrosoft.com",
        "displayName": "Contoso",
        "result": "closed",
        "why": "",
        "requester": {**person, "upn": "olga@fabrikam.com", "name": "Olga"},
        "reason": "merged",
        "createdAt": "2026-11-01T12:00:00.000Z",
        "endedAt": "2026-11-01T13:00:00.000Z",
        "plan": {"serial": 1, "digest": "d" * 64, "families": {"users": 10000, "subscriptions": 2}},
        "counts": {
            "users": {"planned": 10000, **zero, "removed": 9990, "absent": 9, "refused": 1, "kept": 1},
            "subscriptions": {"planned": 2, **zero, "removed": 2},
            "groups": {"planned": 0, **zero},
        },
        "approvals": [
            {
                "gate": "plan",
                "serial": 1,
                "digest": "d" * 64,
                "decision": "approve",
                "person": person,
                "at": "2026-11-01T12:10:00.000Z",
                "comment": "fine",
            }
        ],
        "tasks": [
            {
                "taskId": "x",
                "title": "Delete the tenant",
                "state": "proven",
                "provenAt": "2026-11-01T12:59:00Z",
                "proof": "gone",
                "reports": [{"by": person, "at": "2026-11-01T12:58:00Z", "comment": ""}],
            },
            {"taskId": "y", "title": "Open one", "state": "open", "reports": []},
        ],
        "subscriptions": [{"id": "s1", "name": "E5", "provider": "direct", "stage": "gone", "outcome": "removed"}],
        "timeline": [
            {"at": "2026-11-01T12:00:00Z", "word": "closure:requested", "actor": person, "detail": {"claimed": False}},
            {"at": "2026-11-01T12:20:00Z", "word": "phase:started", "actor": None, "detail": _phase()},
            {"at": "2026-11-01T12:50:00Z", "word": "phase:ended", "actor": None, "detail": _phase()},
        ],
        "blockers": [],
        "tenantGone": {"provenAt": "2026-11-01T12:59:00Z", "sightings": ["a", "b"]},
        "audit": {"ok": True, "lines": 3, "head": "e" * 64},
        "resent": 1,
        "usage": {"phases": {"survey": USED}, "total": USED, "costs": COSTS},
        "access": {
            "mfa": {"left": 3, "turnedOff": 1, "stillOn": 0, "unknown": 2},
            "securityDefaults": False,
            "policies": [{"name": "Block legacy sign-in", "state": "enabled"}],
        },
        "rollbacks": [],
        **changes,
    }


def _phase() -> dict[str, Any]:
    return {"phase": "delete-users", "serial": 1}
