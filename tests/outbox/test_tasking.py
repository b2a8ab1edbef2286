"""Messages about manual tasks: to requester and helpers, once a life, on their days, never about what is over."""

from __future__ import annotations

from typing import Any

import pytest

from tenantclosure import outbox
from tenantclosure.model.people import Account
from tenantclosure.names import Word
from tenantclosure.policy.manual_tasks import manual_task
from tenantclosure.ports import JSON
from tests.fakes.dying_records import Crash, DyingRecords
from tests.outbox.rig import ADDRESS, HOME, KnownPeople, Post

HELPER = "hal@fabrikam.com"


class WithHelper(KnownPeople):
    """Hal is known as well."""

    async def find(self, upn: str) -> Account | None:
        known = Account(HOME, "oid-hal", HELPER, "Hal", "hal@mail.example")
        return known if upn == known.upn else await super().find(upn)


async def filed(post: Post, *helpers: str) -> Post:
    """A closure whose request names helpers."""
    if not post.closure:
        await post.filed()
    await post.ledger.change(post.closure, lambda row: row["request"].update(helpers=list(helpers)))
    post.process(people=WithHelper())  # type: ignore[arg-type]
    return post


async def opened(post: Post, target: str = "E5", **changes: Any) -> JSON:
    """An open task nobody was told of."""
    row, portals = await post.row(), post.parts.portals()
    kind = "cancel-subscription"
    task = manual_task(kind, target, target, row=row, portals=portals, instance="i", why="no API", **changes)
    return await post.ledger.open_task(post.closure, task)


async def sweep(post: Post) -> None:
    """What the sweep does each minute, and the queue after it."""
    await outbox.remind_tasks(post.parts, await post.row(), await post.ledger.tasks(post.closure))
    await post.run()


def subjects(post: Post, to: str = "olga@mail.example") -> list[str]:
    return [mail.subject.partition(":")[0] for mail in post.mailer.to(to)]


async def test_requester_and_helpers_are_told_once_and_the_channel_too(post: Post) -> None:
    """Each by name, however often it is said and whoever stands in both places; the link leads to the task."""
    await filed(post, HELPER, "OLGA@fabrikam.com")
    task = await opened(post)
    for _ in range(2):
        await outbox.tell_tasks(post.parts, await post.row(), [task])
    await sweep(post)
    await sweep(post)

    assert ["hal@mail.example", "olga@mail.example"] == sorted(mail.to for mail in post.mailer.sent)
    assert 1 == len(post.channel.cards)
    page = f"{ADDRESS}/closures/{post.closure}#task-cancel-subscription-e5"
    assert page == post.channel.cards[0]["actions"][0]["url"]
    assert all(page in mail.text and page in mail.html for mail in post.mailer.sent)


async def test_a_message_says_the_clicks_and_holds_no_secret(post: Post) -> None:
    """All it takes to do it, no token, no address of the engine."""
    await filed(post)
    await opened(post, licences=30)
    await sweep(post)
    (mail,) = post.mailer.sent

    assert "Cancel subscription" in mail.text and "30 licences" in mail.text
    for secret in ("/approvals/", "static-secret", "webhook-secret", "runtime/webhooks"):
        assert secret not in mail.text + mail.html


async def test_tasks_of_one_minute_go_in_one_mail(post: Post) -> None:
    """Ten subscriptions make one mail and one card, not ten."""
    await filed(post)
    for number in range(10):
        await opened(post, f"E{number}")
    await sweep(post)

    assert (1, 1) == (len(post.mailer.sent), len(post.channel.cards))
    assert all(f"Cancel E{number}" in post.mailer.sent[0].text for number in range(10))
    assert f"{ADDRESS}/closures/{post.closure}#tasks" in post.mailer.sent[0].text


async def test_reminders_come_on_their_days_and_never_in_heaps(post: Post) -> None:
    """After one, three and seven days; a sweep that slept for a week sends one."""
    await filed(post)
    await opened(post)
    await sweep(post)
    counts = []
    for hours in (23.9, 0.2, 24, 24, 90, 24, 240):
        post.clock.go_on(hours=hours)
        await sweep(post)
        await sweep(post)
        counts.append(len(post.mailer.sent) - 1)

    assert [0, 1, 1, 2, 2, 3, 3] == counts
    assert [1, 2, 3] == [detail["reminder"] for detail in await post.told(Word.TASK_REMINDED)]
    assert 1 == len(post.channel.cards)


async def test_a_long_sleep_ends_in_one_reminder(post: Post) -> None:
    """Three are due at once; one goes out."""
    await filed(post)
    await opened(post)
    await sweep(post)
    post.clock.go_on(days=30)
    await sweep(post)
    await sweep(post)

    assert ["To be done by hand", "Reminder"] == subjects(post)


async def test_what_nobody_was_told_is_told_before_anybody_is_reminded(post: Post) -> None:
    """The process died between task and message a week ago."""
    await filed(post)
    await opened(post)
    post.clock.go_on(days=8)
    await sweep(post)
    first = subjects(post)
    await sweep(post)

    assert (["To be done by hand"], ["To be done by hand", "Reminder"]) == (first, subjects(post))


async def test_a_second_life_is_told_and_reminded_anew(post: Post) -> None:
    """Proven, then open again: another mail, and its reminders count from the second opening."""
    await filed(post)
    task = await opened(post)
    await sweep(post)
    post.clock.go_on(days=2)
    await post.ledger.prove_task(post.closure, task["taskId"], "seen")
    await sweep(post)
    await opened(post)
    await sweep(post)
    again = subjects(post)
    post.clock.go_on(days=1)
    await sweep(post)

    assert ["To be done by hand"] * 2 == again
    assert "Reminder" == subjects(post)[-1]


async def test_a_message_about_a_proven_task_is_overtaken(post: Post) -> None:
    """It was done before the queue came to it, or is a task of another life by now."""
    await filed(post)
    task = await opened(post)
    await outbox.tell_tasks(post.parts, await post.row(), [task])
    await post.ledger.prove_task(post.closure, task["taskId"], "seen")
    await opened(post)
    await post.run()

    assert [] == post.mailer.sent
    assert {"overtaken": 2} == await post.states()


async def test_of_several_tasks_only_the_open_ones_are_named(post: Post) -> None:
    """One was proven between telling and sending."""
    await filed(post)
    tasks = [await opened(post, name) for name in ("E5", "P2", "F1")]
    await outbox.tell_tasks(post.parts, await post.row(), tasks)
    await post.ledger.prove_task(post.closure, tasks[1]["taskId"], "seen")
    await post.run()

    assert "Cancel E5" in post.mailer.sent[0].text and "Cancel P2" not in post.mailer.sent[0].text


@pytest.mark.parametrize(
    "over", [{"control": "abort"}, {"control": "rollback"}, {"rollback": {"serial": 2}}, {"status": "ended"}]
)
async def test_nobody_is_asked_to_go_on_with_what_is_over(post: Post, over: dict[str, Any]) -> None:
    """Neither told nor reminded while a closure is aborted or undone; what waits in the queue is overtaken."""
    await filed(post)
    task = await opened(post)
    await outbox.tell_tasks(post.parts, await post.row(), [task])
    await opened(post, "P2")
    await post.ledger.change(post.closure, lambda row: row.update(over))
    post.clock.go_on(days=2)
    await sweep(post)

    assert ([], []) == (post.mailer.sent, post.channel.cards)
    assert {"overtaken": 2} == await post.states()


async def test_an_escalation_is_told_once_whoever_noted_it(post: Post) -> None:
    """By the activity, or by the sweep when that died; no card."""
    await filed(post, HELPER)
    task = await opened(post)
    await sweep(post)
    await post.ledger.escalate_task(post.closure, task["taskId"], "ask-support-e5", "late")
    for _ in range(3):
        await sweep(post)
    await outbox.tell_escalated(post.parts, await post.row(), task["taskId"])
    await post.run()

    assert (
        ["To be done by hand", "Microsoft Support has to be asked"]
        == subjects(post)
        == subjects(post, "hal@mail.example")
    )
    assert 1 == len(post.channel.cards)


async def test_a_helper_without_an_account_keeps_nobody_else_waiting(post: Post) -> None:
    """That message fails and is shown; the requester's arrives."""
    await filed(post, "nobody@fabrikam.com")
    await opened(post)
    await sweep(post)

    assert ["olga@mail.example"] == [mail.to for mail in post.mailer.sent]
    assert (1, 2) == ((await post.states())["failed"], (await post.states())["sent"])


@pytest.mark.parametrize("landed", [False, True])
async def test_a_crash_at_any_write_loses_no_message(landed: bool) -> None:
    """The next sweep and the queue bring every telling and reminder; each message is put on record once."""
    deaths = 0
    for at in range(1, 60):
        post = await filed(Post(), HELPER)
        await opened(post)
        await sweep(post)
        post.clock.go_on(days=1)
        await opened(post, "P2")
        base = post.records
        dying = DyingRecords(base, at, landed=landed)
        post.process(dying)
        try:
            await outbox.remind_tasks(post.parts, await post.row(), await post.ledger.tasks(post.closure))
            dead = False
        except Crash:
            dead = True
        base.__dict__.update({name: dying.__dict__[name] for name in base.__dict__})
        post.process(base, people=WithHelper())  # type: ignore[arg-type]
        await sweep(post)
        post.clock.go_on(minutes=11)
        await outbox.requeue(post.parts, post.closure)
        await post.run()
        for who in ("olga@mail.example", "hal@mail.example"):
            assert ["Reminder", "To be done by hand", "To be done by hand"] == sorted(subjects(post, who)), at
        assert [1] == [task["reminders"] for task in await post.ledger.tasks(post.closure) if task["target"] == "E5"]
        if not dead:
            break
        deaths += 1
    assert deaths >= 8
