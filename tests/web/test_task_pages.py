"""Manual tasks as people meet them: API, page and command agree; reports, attestation, reminders by the sweep."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from cli.commands.reading import _print_tasks
from tenantclosure import outbox
from tenantclosure.policy.manual_tasks import manual_task
from tests.outbox.rig import KeepingMailer
from tests.web.approval import plainly
from tests.web.rig import Desk, read, refused
from web.sweeping import sweep

SHOWN = ("taskId", "title", "why", "who", "link", "warning", "probe", "standingText", "seen")
"""What every door shows of an open task; steps and items as well."""


async def with_task(desk: Desk, kind: str = "cancel-subscription", **more: Any) -> tuple[str, str]:
    """A closure with one open task of this kind, as the activities open it."""
    closure = await desk.filed()
    row, portals, instance = await desk.ledger.closure(closure), desk.parts.portals(), f"{closure}-e1:0002"
    task = manual_task(kind, "e5", "Contoso E5", row=row, portals=portals, instance=instance, why="no API", **more)
    await desk.ledger.open_task(closure, task)
    return closure, task["taskId"]


async def listed(desk: Desk, closure: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read(await desk.call("show_tasks", who="ann:Auditor", closureId=closure))["items"]
    return found


async def page(desk: Desk, closure: str) -> str:
    answer = await desk.call("closure_page", who="ann:Auditor", closureId=closure)
    assert 200 == answer.status_code
    return answer.get_body().decode()


def printed(capsys: pytest.CaptureFixture[str], tasks: list[dict[str, Any]]) -> str:
    _print_tasks(tasks)
    return capsys.readouterr().out


async def report(desk: Desk, closure: str, task: str, comment: str = "") -> dict[str, Any]:
    answer = await desk.call("report_task_done", body={"comment": comment}, closureId=closure, taskId=task)
    assert 202 == answer.status_code
    found: dict[str, Any] = read(answer)
    return found


async def test_api_page_and_command_agree(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of them has who, why, where, every click, items, warning, dates, proof, reports and where it stands."""
    closure, task_id = await with_task(desk, licences=30, items=["Ada", "Bo"])
    await report(desk, closure, task_id, "did it")
    await desk.ledger.look_at_task(closure, task_id, "Graph shows it Enabled", "2030-01-01T00:00:00.000Z")
    (task,) = await listed(desk, closure)
    html, out = await page(desk, closure), printed(capsys, [task])
    words = unescape(plainly(html))
    texts = [task[key] for key in SHOWN] + task["steps"] + task["items"] + ["did it"]

    assert [] == [text for text in texts if text not in words and text not in html]
    assert [] == [text for text in texts if text not in out]
    assert f'id="task-{task_id}"' in html and f'href="{task["link"]}"' in html
    for moment in (task["deadline"], task["nextAt"], task["reports"][0]["at"]):
        assert f'<time datetime="{moment}">' in html and moment in out
    assert "reported done, not proven yet" == task["standingText"]


async def test_a_proven_task_is_told_everywhere_and_leaves_the_list(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """What proved it and when; no clicks any more, and open tasks come first."""
    closure, task_id = await with_task(desk)
    await desk.ledger.prove_task(closure, task_id, "Graph no longer lists it")
    await desk.ledger.open_task(closure, {"taskId": "z", "kind": "k", "title": "Next", "steps": [], "instance": "i"})
    tasks = await listed(desk, closure)
    html, out = await page(desk, closure), printed(capsys, tasks)

    assert ["z", task_id] == [task["taskId"] for task in tasks]
    for told in (plainly(html), out):
        assert "Graph no longer lists it" in told and "Choose Cancel subscription" not in told
    assert out.index("Next") < out.index("Contoso E5")


async def test_an_early_click_says_what_happens_now(desk: Desk) -> None:
    """It triggers a look; the answer says that nothing is proven, how it will be, and when the next look is."""
    closure, task_id = await with_task(desk)
    await desk.ledger.note_subscription(closure, "e5", {"nextAt": "2030-01-01T00:00:00.000Z", "reason": "Enabled"})
    answer = await report(desk, closure, task_id)

    assert (f"{closure}-e1:0002", "wake") in desk.client.raised
    assert ("open", "reported", "2030-01-01T00:00:00.000Z", "Enabled") == tuple(
        answer["task"][key] for key in ("state", "standing", "nextAt", "seen")
    )
    for part in ("not proven yet", "Graph shows it Suspended", "2030-01-01T00:00:00.000Z"):
        assert part in answer["told"]
    assert "open" == (await listed(desk, closure))[0]["state"]


async def test_where_a_word_is_the_proof_it_is_taken_once(desk: Desk) -> None:
    """With name and time; the waiting instance is woken, a second word is refused."""
    closure, task_id = await with_task(desk, "turn-off-recurring-billing", attestable=True)
    answer = await report(desk, closure, task_id, "off since today")
    again = await desk.call("report_task_done", body={}, closureId=closure, taskId=task_id)

    assert ("proven", "attested") == (answer["task"]["state"], answer["task"]["standing"])
    assert "Your word is the proof" in answer["told"]
    assert "attested by" in answer["task"]["proof"]
    assert (f"{closure}-e1:0002", "wake") in desk.client.raised
    refused(again, 409, "task-proven")


async def test_what_is_late_is_called_so(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Past its date a task is overdue, on the page and in the terminal; once proven it is not."""
    closure, task_id = await with_task(desk)
    await desk.clock.sleep(8 * 86400)
    late = await listed(desk, closure)
    html = await page(desk, closure)
    await desk.ledger.prove_task(closure, task_id, "gone")

    assert late[0]["overdue"] and "(overdue)" in html and "(overdue)" in printed(capsys, late)
    assert not (await listed(desk, closure))[0]["overdue"]


async def test_an_escalated_task_says_that_support_is_asked(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """It stays open and says since when."""
    closure, task_id = await with_task(desk)
    await desk.ledger.escalate_task(closure, task_id, "ask-support-e5", "late")
    tasks = await listed(desk, closure)

    assert "escalated" == tasks[0]["standing"]
    for told in (plainly(await page(desk, closure)), printed(capsys, tasks)):
        assert "Support is asked as well" in told and "Support asked" in told


async def test_a_word_that_proves_wakes_again_when_its_event_was_lost(desk: Desk) -> None:
    """Whoever waits for it may not look by itself for days."""
    closure, task_id = await with_task(desk, "turn-off-recurring-billing", attestable=True)
    desk.client.states[f"{closure}-e1"] = "RUNNING"
    await report(desk, closure, task_id)
    desk.client.raised.clear()
    await desk.clock.sleep(120)
    await sweep(desk.client, desk.parts)

    assert (f"{closure}-e1:0002", "wake") in desk.client.raised


# -- the sweep ---------------------------------------------------------------------------------------------------------
async def swept(desk: Desk, seconds: float) -> list[str]:
    """Kinds of all messages on record after the sweep."""
    await desk.clock.sleep(seconds)
    await sweep(desk.client, desk.parts)
    (closure,) = await desk.ledger.live()
    return sorted(notice["kind"] for notice in await desk.ledger.notices(closure))


async def test_the_sweep_tells_and_reminds(desk: Desk) -> None:
    """A task nobody was told of, within a minute; then after a day; nothing more in between."""
    desk.parts = replace(desk.parts, mailer=KeepingMailer())
    closure, task_id = await with_task(desk)
    desk.client.states[f"{closure}-e1"] = "RUNNING"

    assert ["task"] == await swept(desk, 60) == await swept(desk, 60)
    assert ["task", "task-remind"] == await swept(desk, 86400) == await swept(desk, 60)
    await desk.ledger.prove_task(closure, task_id, "gone")
    assert ["task", "task-remind"] == await swept(desk, 10 * 86400)


async def test_the_sweep_ends_with_the_closure(desk: Desk) -> None:
    """Nobody is reminded of the tasks of a closure that ended."""
    desk.parts = replace(desk.parts, mailer=KeepingMailer())
    closure, _ = await with_task(desk)
    await desk.ledger.end(closure, "aborted")
    for _ in range(11):
        await desk.clock.sleep(86400)
        await sweep(desk.client, desk.parts)
    await outbox.remind_tasks(desk.parts, await desk.ledger.closure(closure), await desk.ledger.tasks(closure))

    assert [] == [one["kind"] for one in await desk.ledger.notices(closure) if re.match("task", one["kind"])]
