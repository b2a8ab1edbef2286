"""Manual tasks on record: lives, terms, reports, words that prove, reminders; each in the audit once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tenantclosure.errors import RecordMissing
from tests.activities.rig import ANN, Rig

TASK: dict[str, Any] = {
    "taskId": "t-1",
    "kind": "cancel-subscription",
    "target": "1",
    "name": "E5",
    "title": "Cancel E5",
    "why": "no API",
    "within": 3.0,
    "deadline": None,
    "attestable": False,
    "instance": "i",
}


async def opened(rig: Rig, **changes: Any) -> dict[str, Any]:
    if not rig.closure:
        await rig.opened()
    return await rig.ledger.open_task(rig.closure, {**TASK, **changes})


async def read(rig: Rig) -> dict[str, Any]:
    found = await rig.ledger.task(rig.closure, "t-1")
    assert found is not None
    return found


async def test_a_task_is_due_within_its_days_or_on_its_date(rig: Rig) -> None:
    """The term counts from the opening and stays; a date of Microsoft's is followed when it moves."""
    first = await opened(rig)
    rig.clock.go_on(days=1)
    again = await opened(rig, why="still no API")
    dated = await opened(rig, deadline="2030-01-01T00:00:00Z")

    assert first["deadline"] == again["deadline"] > first["openedAt"]
    assert 3 * 86400.0 == _seconds(first["openedAt"], first["deadline"])
    assert ("2030-01-01T00:00:00Z", "still no API") == (dated["deadline"], again["why"])
    assert 1 == (await rig.words()).count("task:opened")


async def test_a_second_life_starts_afresh(rig: Rig) -> None:
    """Reports, reminders, dates and proof of the first are gone; the audit has both openings."""
    await opened(rig)
    await rig.ledger.report_task(rig.closure, "t-1", ANN, "done")
    await rig.ledger.tell_task(rig.closure, "t-1")
    await rig.ledger.remind_task(rig.closure, "t-1", 2)
    await rig.ledger.escalate_task(rig.closure, "t-1", "s", "late")
    await rig.ledger.prove_task(rig.closure, "t-1", "seen")
    before = await read(rig)
    rig.clock.go_on(days=2)
    after = await opened(rig)

    assert ("proven", "seen", 2, 1) == (before["state"], before["proof"], before["reminders"], before["life"])
    assert ("open", [], 0, 2, None, None) == tuple(
        after[key] for key in ("state", "reports", "reminders", "life", "toldAt", "escalatedAt")
    )
    assert "proof" not in after and "provenAt" not in after
    assert after["openedAt"] > before["openedAt"] and after["deadline"] > before["deadline"]
    assert [1, 2] == [detail["life"] for detail in await rig.audited("task:opened")]


async def test_a_word_is_the_proof_only_where_the_task_says_so(rig: Rig) -> None:
    """Who and when are kept and audited; elsewhere the same word proves nothing."""
    await opened(rig, attestable=True)
    await opened(rig, taskId="t-2")
    attested = await rig.ledger.report_task(rig.closure, "t-1", ANN, "renewal is off")
    reported = await rig.ledger.report_task(rig.closure, "t-2", ANN, "renewal is off")

    assert ("proven", "attested by Ann", True) == (attested["state"], attested["proof"], attested["attested"])
    assert attested["provenAt"] == attested["reports"][0]["at"]
    assert ("open", 1) == (reported["state"], len(reported["reports"]))
    words = await rig.words()
    assert (1, 1, 0) == tuple(words.count(f"task:{word}") for word in ("attested", "reported-done", "proven"))


async def test_reminders_and_escalations_are_noted_once(rig: Rig) -> None:
    """The sweep may say it twice; a proven task takes neither."""
    await opened(rig)
    for number in (1, 1, 3, 2):
        await rig.ledger.remind_task(rig.closure, "t-1", number)
    for _ in range(2):
        await rig.ledger.escalate_task(rig.closure, "t-1", "s", "late")
    await rig.ledger.prove_task(rig.closure, "t-1", "seen")
    await rig.ledger.remind_task(rig.closure, "t-1", 4)
    found = await read(rig)

    assert (3, True) == (found["reminders"], bool(found["escalatedAt"]))
    assert [1, 3] == [detail["reminder"] for detail in await rig.audited("task:reminded")]
    assert 1 == len(await rig.audited("task:escalated"))


async def test_a_look_is_kept_while_the_task_is_open(rig: Rig) -> None:
    """What was seen and when the next look is; nothing happens to a task that is not there or is proven."""
    await opened(rig)
    await rig.ledger.look_at_task(rig.closure, "t-1", "still there", "2030-01-01T00:00:00Z")
    await rig.ledger.look_at_task(rig.closure, "none", "still there", None)
    found = await read(rig)
    await rig.ledger.prove_task(rig.closure, "t-1", "seen")
    await rig.ledger.look_at_task(rig.closure, "t-1", "gone", None)

    assert ("still there", "2030-01-01T00:00:00Z") == (found["seen"], found["nextAt"])
    assert "still there" == (await read(rig))["seen"]


async def test_nobody_reports_a_task_that_is_not_there(rig: Rig) -> None:
    """Nor is such a word in the audit."""
    await rig.opened()
    with pytest.raises(RecordMissing):
        await rig.ledger.report_task(rig.closure, "none", ANN, "done")
    assert "task:reported-done" not in await rig.words()


def _seconds(one: str, other: str) -> float:
    return (datetime.fromisoformat(other) - datetime.fromisoformat(one)).total_seconds()
