"""When an open gate reminds its people, and when it asks their deputies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tenantclosure.policy.quorum import key_of


def due(
    gate: Mapping[str, Any], terms: Mapping[str, Any], now: datetime, day_seconds: float
) -> tuple[int, bool, float | None]:
    """(reminders due by now, whether deputies are to be asked, seconds until either changes or None).

    Days count from when the gate opened, or reopened last, and last `day_seconds`; `terms` holds remindAfterDays and
    escalateAfterDays. The first number counts from the opening: whoever sends compares it with the gate's `reminders`,
    sends at most one message and stores the number, so that a long sleep does not end in a heap of mail. Deputies are
    to be asked as long as a group has some who do not stand among its people. From answer-by on nothing is due.
    """
    answer_by = datetime.fromisoformat(gate["answerBy"])
    since = datetime.fromisoformat(gate["reopened"][-1]["at"] if gate["reopened"] else gate["openedAt"])

    def at(days: float) -> datetime:
        return since + timedelta(seconds=days * day_seconds)

    if now >= answer_by:
        return gate["reminders"], False, None
    reminders = [at(days) for days in terms["remindAfterDays"]]
    escalation = [at(terms["escalateAfterDays"])] if _unasked(gate) else []
    ahead = [moment for moment in (*reminders, *escalation) if now < moment < answer_by]
    return (
        sum(moment <= now for moment in reminders),
        any(moment <= now for moment in escalation),
        (min(ahead) - now).total_seconds() if ahead else None,
    )


def _unasked(gate: Mapping[str, Any]) -> bool:
    for group in gate["groups"].values():
        asked = {(key_of(person), person["upn"]) for person in group["people"]}
        if any((key_of(deputy), deputy["upn"]) not in asked for deputy in group["deputies"]):
            return True
    return False
