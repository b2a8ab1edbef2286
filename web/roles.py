"""App roles a signed-in person can hold, and the sets of them that routes ask for."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Values of the app registration's roles (infra declares the same words)."""

    OPERATOR = "Operator"
    APPROVER = "Approver"
    AUDITOR = "Auditor"


OPERATORS = frozenset({Role.OPERATOR})
APPROVERS = frozenset({Role.APPROVER})
READERS = frozenset(Role)
PUBLIC: frozenset[Role] = frozenset()
"""No person needed: only for what holds no data (style sheet, API description)."""
