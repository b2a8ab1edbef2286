"""Outcomes: what each final answer makes of an item, as its evidence says it."""

from __future__ import annotations

from typing import Any

import pytest

from tenantclosure.model.inventory import Answer
from tenantclosure.names import Outcome
from tenantclosure.policy.outcomes import judged, unanswered

AT = "2026-11-01T00:00:00Z"


def line(outcome: str, status: int, code: str, request: str, reason: str) -> dict[str, Any]:
    told = {"status": status, "code": code, "requestId": request, "reason": reason}
    return {"t": "outcome", "id": "i1", "outcome": outcome, **told, "at": AT}


@pytest.mark.parametrize("success", [Outcome.REMOVED, Outcome.RESTORED])
@pytest.mark.parametrize(
    ("status", "reason"), [(404, "it was gone already"), (403, "You may not."), (204, "You may not.")]
)
def test_an_answer_is_kept_whole(success: Outcome, status: int, reason: str) -> None:
    """Status, code, request id and Microsoft's words go into the evidence; who was gone already is told in ours."""
    outcome = {404: Outcome.ABSENT, 403: Outcome.REFUSED, 204: success}[status]
    found = judged(Answer("i1", status, "Code", "You may not.", "request-9"), success, AT)
    assert line(outcome, status, "Code", "request-9", reason) == found


def test_what_nobody_answered_says_so() -> None:
    """Without an answer there is neither status nor request id to show, only our reason."""
    assert line("failed", 0, "", "", "no answer") == unanswered("i1", Outcome.FAILED, "no answer", AT)


def test_an_essay_is_cut() -> None:
    """A reason is kept up to 300 characters, so that evidence stays small whatever a service sends."""
    assert "x" * 300 == judged(Answer("i1", 400, message="x" * 999), Outcome.REMOVED, AT)["reason"]
