"""A process that dies at any write of asking, delivering or giving up: nothing is lost, nothing goes out unknown."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tenantclosure import outbox
from tenantclosure.errors import Undeliverable
from tenantclosure.names import Notice
from tests.fakes.dying_records import Crash, DyingRecords
from tests.outbox.rig import Post, people_of, tokens

MOST = 80


class Dying(DyingRecords):
    """Dies at queue writes, too."""

    async def enqueue(self, *args: Any, **named: Any) -> Any:
        return await self._dying(super().enqueue(*args, **named))


async def _crashed(post: Post, work: Callable[[], Awaitable[None]], at: int, *, landed: bool) -> bool:
    """Do `work` in a process that dies at write `at`; whether it came that far. A new process follows."""
    base = post.records
    dying = Dying(base, at, landed=landed)
    post.process(dying)
    try:
        await work()
    except Crash:
        return True
    finally:
        base.__dict__.update({name: dying.__dict__[name] for name in base.__dict__})
        post.process(base)
    return False


async def _settled(post: Post) -> None:
    """What follows after a crash: the queue delivers, and eleven minutes later the sweep looks."""
    await post.run()
    post.clock.go_on(minutes=11)
    await outbox.requeue(post.parts, post.closure)
    await post.run()


@pytest.mark.parametrize("landed", [False, True])
async def test_asking_loses_nobody(landed: bool) -> None:
    """The activity runs again and the sweep queues what is pending: everybody has a mail, the channel its card."""
    deaths = 0
    for at in range(1, MOST):
        post = await Post().filed()
        doc, row = await post.gate(), await post.row()

        async def work(post: Post = post, doc: Any = doc, row: Any = row) -> None:
            await outbox.ask(post.parts, row, doc, Notice.ASK, people_of(doc))

        died = await _crashed(post, work, at, landed=landed)
        await work()
        await _settled(post)

        assert {"ann@mail.example", "bob@mail.example", "cyd@mail.example"} == {mail.to for mail in post.mailer.sent}
        assert 1 == len(post.channel.cards)
        deaths += died
        if not died:
            break

    assert 8 == deaths


@pytest.mark.parametrize("landed", [False, True])
async def test_delivering_never_sends_a_link_nobody_knows(landed: bool) -> None:
    """Twice at worst, each time with a link on record; the notice ends up sent."""
    deaths = 0
    for at in range(1, MOST):
        post = await Post().filed()
        await post.asked()
        ann = post.waiting()[0]

        async def work(post: Post = post, ann: Any = ann) -> None:
            await outbox.deliver(post.parts, ann, 1)

        died = await _crashed(post, work, at, landed=landed)
        await outbox.deliver(post.parts, ann, 2)
        sent = [token for mail in post.mailer.to("ann@mail.example") for token in tokens(mail)]

        assert 1 <= len(sent) <= 2
        for token in sent:
            assert await post.ledger.link(hashlib.sha256(token.encode()).hexdigest()) is not None
        assert 1 == (await post.states())["sent"]
        deaths += died
        if not died:
            break

    assert 4 == deaths  # the link, the audit line, its note, the notice


@pytest.mark.slow
@pytest.mark.parametrize("landed", [False, True])
async def test_giving_up_asks_the_deputies_whatever_dies(landed: bool) -> None:
    """Failed, audited, copied, deputies let in and asked, requester and channel told: all of it, however often."""
    deaths = 0
    for at in range(1, MOST):
        post = await Post().filed()
        post.mailer.trouble["cyd@mail.example"] = Undeliverable("the mailbox is gone")
        await post.asked()
        cyd = next(message for message in post.waiting() if "oid-cyd" in message["noticeId"])

        async def work(post: Post = post, cyd: Any = cyd) -> None:
            await outbox.deliver(post.parts, cyd, 1)

        died = await _crashed(post, work, at, landed=landed)
        await _settled(post)
        gate = await post.ledger.gate(post.closure, "plan", 1)

        assert gate is not None
        assert ["Cyd", "Dee", "Eve"] == [one["name"] for one in gate["groups"]["owner"]["people"]]
        assert {"dee@mail.example", "eve@mail.example", "olga@mail.example"} <= {mail.to for mail in post.mailer.sent}
        assert "A message was not delivered" in [card["body"][0]["text"] for card in post.channel.cards]
        assert (1, 0) == ((await post.states())["failed"], (await post.states())["pending"])
        assert post.poison()
        deaths += died
        if not died:
            break

    assert deaths >= 12


@pytest.mark.parametrize("landed", [False, True])
async def test_queueing_again_loses_nothing(landed: bool) -> None:
    """The sweep dies in the middle; the next one goes on."""
    for at in range(1, MOST):
        post = await Post().filed()
        await post.asked()
        post.records.queues.clear()
        post.clock.go_on(minutes=11)

        async def work(post: Post = post) -> None:
            await outbox.requeue(post.parts, post.closure)

        died = await _crashed(post, work, at, landed=landed)
        await _settled(post)

        assert 4 == (await post.states())["sent"]
        if not died:
            break
    else:
        pytest.fail("it never came to its end")
