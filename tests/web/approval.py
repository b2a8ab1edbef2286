"""What the approver's page is given, and how tests read a page."""

from __future__ import annotations

import re
from typing import Any

from tenantclosure.model.people import Person
from tests.web.rig import HOME, PEOPLE

NASTY = '"><script>alert(1)</script><img src=x onerror=y>'
ANN = Person(HOME, PEOPLE["ann"], "ann@fabrikam.com", "Ann Adler")


def plainly(html: str) -> str:
    """The page's words as one line, without markup; a block ends a word."""
    blocks = re.sub(r"</?(?:p|li|ul|blockquote|div|section|h\d|d[dt]|t[dhr])\b[^>]*>", " ", html)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", blocks))


def asked(**changes: Any) -> dict[str, Any]:
    """What the approver's page is given."""
    at = "2026-11-08T12:00:00.000Z"
    said = {
        "decision": "approve",
        "at": at,
        "comment": "Checked with HR.",
        "person": {"upn": ANN.upn, "name": ANN.name},
    }
    people = [{"upn": ANN.upn, "name": ANN.name}, {"upn": "bob@fabrikam.com", "name": ""}]
    return {
        "view": {
            "closureId": "c-1",
            "tenantId": "0b0a",
            "domain": "contoso.com",
            "displayName": "Contoso",
            "requester": {"upn": "olga@fabrikam.com", "name": "Olga"},
            "claimed": False,
            "createdAt": at,
            "keeper": "last.admin@contoso.com",
        },
        "gate": {
            "name": "plan",
            "serial": 2,
            "digest": "d" * 64,
            "state": "open",
            "answerBy": at,
            "executeBy": None,
            "approvers": [{"group": "it", "quorum": 2, "people": people, "missing": 1}],
            "told": True,
            "distinct": 2,
            "missing": {"it": 1, "distinct": 1},
            "limits": [],
            "reopened": [],
            "decisions": [said],
        },
        "person": {"upn": "bob@fabrikam.com", "name": ""},
        "signed_in": True,
        "must_sign_in": True,
        "sign_in": "/.auth/login/aad?x",
        "may_decide": True,
        "why_not": "",
        "action": "/approvals/t",
        "csrf": "secret",
        "needs_domain": False,
        "irreversible": ["A deleted tenant does not come back."],
        "difference": None,
        "families": [
            {"family": "users", "count": 2000, "width": 300.0},
            {"family": "domains", "count": 1, "width": 0.2},
            {"family": "applications", "count": 0, "width": 0.0},
        ],
        "head": "e" * 64,
        "mine": None,
        "plan_url": "/closures/c-1/plan?serial=2",
        "problem": "",
        "comment": "",
        "reason": "merged into Fabrikam",
        **changes,
    }
