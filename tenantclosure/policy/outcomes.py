"""What an answer makes of an item: one outcome line of its shard's evidence."""

from __future__ import annotations

from typing import Any

from tenantclosure.model.inventory import Answer
from tenantclosure.names import Outcome

REASON_LENGTH = 300
"""How much of Microsoft's words an outcome keeps."""


def judged(answer: Answer, success: Outcome, at: str) -> dict[str, Any]:
    """The outcome of a final answer; `success` is what a 2xx makes of the item."""
    outcome, reason = Outcome.REFUSED, answer.message
    if answer.done:
        outcome = success
    elif answer.absent:
        outcome, reason = Outcome.ABSENT, "it was gone already"
    return _line(answer, outcome, reason, at)


def unanswered(id_: str, outcome: str, why: str, at: str) -> dict[str, Any]:
    """An outcome that no answer of Microsoft's gave."""
    return _line(Answer(id_, 0), outcome, why, at)


def _line(answer: Answer, outcome: str, reason: str, at: str) -> dict[str, Any]:
    return {
        "t": "outcome",
        "id": answer.id,
        "outcome": str(outcome),
        "status": answer.status,
        "code": answer.code,
        "requestId": answer.request_id,
        "reason": reason[:REASON_LENGTH],
        "at": at,
    }
