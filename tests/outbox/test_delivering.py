"""Delivering: once where it can be, twice at worst, never to a question that is settled; what failing sets off."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from tenantclosure import outbox
from tenantclosure.errors import RecordMissing, ServiceTrouble, Undeliverable
from tenantclosure.names import Notice, Word
from tenantclosure.outbox.delivering import LAST
from tests.outbox.rig import ADDRESS, DIGEST, Post, person, tokens

GONE = Undeliverable("the mailbox is gone")


async def test_a_mail_carries_a_link_whose_hash_alone_is_kept(post: Post) -> None:
    """The record says whose page it opens, over which digest, and until when."""
    await post.asked()
    await post.run()
    (mail,) = post.mailer.to("ann@mail.example")
    (token,) = tokens(mail)
    link = await post.ledger.link(hashlib.sha256(token.encode()).hexdigest())
    gate = await post.ledger.gate(post.closure, "plan", 1)

    assert link is not None and gate is not None
    assert (post.closure, "plan", 1, DIGEST, "oid-ann") == (
        *(link[key] for key in ("closureId", "gate", "serial", "digest")),
        link["person"]["objectId"],
    )
    assert (gate["answerBy"], None) == (link["expiresAt"], link["usedAt"])
    assert f"{ADDRESS}/approvals/{token}" in mail.html
    assert len(token) >= 43


async def test_a_notice_that_was_sent_is_not_sent_again(post: Post) -> None:
    """A queue delivers at least once; the second time nothing happens."""
    await post.asked()
    messages = post.waiting()
    await post.run()
    for message in messages:
        await outbox.deliver(post.parts, message, 2)

    assert (3, 1) == (len(post.mailer.sent), len(post.channel.cards))


async def test_two_deliveries_at_once_leave_two_good_links_at_worst(post: Post) -> None:
    """Both mails may go out; each link is on record, and the notice is sent, not failed."""
    await post.asked()
    ann = post.waiting()[0]
    await asyncio.gather(outbox.deliver(post.parts, ann, 1), outbox.deliver(post.parts, ann, 2))
    sent = [token for mail in post.mailer.to("ann@mail.example") for token in tokens(mail)]

    assert 1 <= len(sent) == len(set(sent)) <= 2
    assert all([await post.ledger.link(hashlib.sha256(token.encode()).hexdigest()) for token in sent])
    assert 1 == (await post.states())["sent"]
    assert 1 == len({mail.message_id for mail in post.mailer.to("ann@mail.example")})


async def test_one_delivery_that_fails_does_not_undo_the_one_that_succeeded(post: Post) -> None:
    """Of two at once the last attempt meets trouble while the other gets through: the notice stays sent."""
    await post.asked()
    ann = post.waiting()[0]
    mailer, send = post.mailer, post.mailer.send

    async def then_break(mail: object) -> None:
        mailer.send = send  # type: ignore[method-assign]
        await outbox.deliver(post.parts, ann, 1)
        raise ServiceTrouble("503")

    mailer.send = then_break  # type: ignore[method-assign, assignment]
    await outbox.deliver(post.parts, ann, LAST)

    assert (1, 0) == ((await post.states())["sent"], (await post.states())["failed"])
    assert [] == await post.told(Word.NOTICE_FAILED)


@pytest.mark.parametrize("why", ["approved", "vetoed", "ended", "late", "reopened", "gone"])
async def test_a_question_nobody_needs_any_more_is_overtaken(post: Post, why: str) -> None:
    """A gate that closed, ended with its closure, ran out, or asks afresh: no mail, no card, no link."""
    await post.asked()
    match why:
        case "ended":
            await post.ledger.end(post.closure, "aborted")
        case "late":
            post.clock.go_on(days=8)
        case "reopened":
            await post.closed()
            await post.ledger.reopen_gate(post.closure, "plan", 1, "revoked")
        case "gone":
            await post.records.remove(post.closure, "gate:plan:001")
        case state:
            await post.closed(state)
    await post.run()

    assert ([], []) == (post.mailer.sent, post.channel.cards)
    assert Counter(overtaken=4) == await post.states()
    assert "link" not in {place for place, _ in post.records.documents}


async def test_news_are_told_although_their_gate_is_closed(post: Post) -> None:
    """Only questions can be overtaken."""
    await post.gate()
    await outbox.tell_decided(post.parts, await post.row(), await post.closed())
    await post.ledger.end(post.closure, "closed")
    await post.run()

    assert Counter(sent=2) == await post.states()


async def test_trouble_is_raised_until_the_last_attempt(post: Post) -> None:
    """Four attempts are counted and left to the queue; the fifth gives up, so the host never buries a message."""
    await post.asked()
    post.mailer.trouble["ann@mail.example"] = ServiceTrouble("Graph answered 503")
    ann = post.waiting()[0]
    for attempt in range(1, LAST):
        with pytest.raises(ServiceTrouble):
            await outbox.deliver(post.parts, ann, attempt)
    tried = await post.ledger.notice(post.closure, ann["noticeId"])
    await outbox.deliver(post.parts, ann, LAST)
    failed = await post.ledger.notice(post.closure, ann["noticeId"])

    assert tried is not None and failed is not None
    assert (LAST - 1, "pending") == (tried["tries"], tried["state"])
    assert ("failed", "Graph answered 503") == (failed["state"], failed["why"])


def test_the_last_attempt_is_the_hosts_last() -> None:
    """host.json and the outbox count the same."""
    host = json.loads((Path(__file__).parents[2] / "host.json").read_text())

    assert host["extensions"]["queues"]["maxDequeueCount"] == LAST


async def test_a_person_who_cannot_be_reached_is_shown_audited_and_replaced(post: Post) -> None:
    """The deputies of that person's group are asked at once; requester and channel hear of it."""
    await post.asked()
    post.mailer.trouble["cyd@mail.example"] = GONE
    await post.run()
    gate = await post.ledger.gate(post.closure, "plan", 1)
    (failed,) = await post.told(Word.NOTICE_FAILED)
    (copy,) = post.poison()
    told = post.mailer.to("olga@mail.example")

    assert gate is not None
    assert ["Cyd", "Dee", "Eve"] == [one["name"] for one in gate["groups"]["owner"]["people"]]
    assert ["Ann", "Bob"] == [one["name"] for one in gate["groups"]["it"]["people"]]
    assert {"dee@mail.example", "eve@mail.example"} <= {mail.to for mail in post.mailer.sent if tokens(mail)}
    assert ("cyd@fabrikam.com", "the mailbox is gone") == (failed["to"], failed["why"])
    assert "cyd@fabrikam.com" in copy["problem"]["detail"] and copy["problem"]["remedy"]
    assert ["cyd@fabrikam.com" in mail.text and "Dee, Eve" in mail.text for mail in told] == [True]
    assert "A message was not delivered" in [card["body"][0]["text"] for card in post.channel.cards]


async def test_a_person_without_a_mail_address_is_given_up_at_once(post: Post) -> None:
    """No attempt is made where there is no address; a UPN is none."""
    ann = person("ann", mail="")
    doc = await post.gate(groups={"it": {"quorum": 1, "people": [ann], "deputies": [person("dee")]}})
    await outbox.ask(post.parts, await post.row(), doc, Notice.ASK, [ann])
    await post.run()
    (failed,) = await post.told(Word.NOTICE_FAILED)

    assert "the account has no mail address" == failed["why"]
    assert ["dee@mail.example"] == [mail.to for mail in post.mailer.sent if tokens(mail)]


async def test_deputies_who_cannot_be_reached_either_make_no_loop(post: Post) -> None:
    """Everybody's mailbox is gone: each notice fails once, and it ends there."""
    for name in ("ann", "bob", "cyd", "dee", "eve", "olga"):
        post.mailer.trouble[f"{name}@mail.example"] = GONE
    await post.asked()
    await post.run()
    states = await post.states()

    assert 0 == states["pending"]
    assert 5 == len(post.poison())
    assert states["failed"] == len(await post.told(Word.NOTICE_FAILED)) == 10


async def test_a_dead_channel_is_told_to_the_requester_only(post: Post) -> None:
    """No card about a card; no deputy stands in for a channel."""
    post.channel.trouble = Undeliverable("the workflow is gone")
    await post.asked()
    await post.run()
    (told,) = post.mailer.to("olga@mail.example")

    assert "the Teams channel" in told.text
    assert [] == await post.told(Word.GATE_ESCALATED)
    assert (1, 1) == ((await post.states())["failed"], len(post.poison()))


async def test_a_claimed_requester_is_only_written_to_where_the_directory_knows_them(post: Post) -> None:
    """A queued request's claim must not make us write to an address of its choice."""
    stranger = {"tenantId": "", "objectId": "", "upn": "eve@evil.example", "name": "", "key": None}
    await post.ledger.change(post.closure, lambda row: row.update(requester=stranger, claimed=True))
    await outbox.tell_ended(post.parts, await post.row())
    await post.run()

    assert [] == post.mailer.sent
    assert ["there is no such account in the hosting tenant"] == [
        told["why"] for told in await post.told(Word.NOTICE_FAILED)
    ]


async def test_a_port_that_was_taken_away_fails_its_notices(post: Post) -> None:
    """What was queued for a mailer or channel that is not configured any more does not wait for ever."""
    await post.asked()
    post.process(mailer=None, channel=None)
    await post.run()

    assert Counter(failed=4) == await post.states()


async def test_an_unknown_notice_is_told_apart(post: Post) -> None:
    """The trigger puts such a message aside."""
    with pytest.raises(RecordMissing):
        await outbox.deliver(post.parts, {"schema": 1, "closureId": post.closure, "noticeId": "never"}, 1)


async def test_without_an_address_mails_tell_the_command_instead(post: Post) -> None:
    """No link, no token on record; the way to decide is in the mail, and the card has no button."""
    post.environment["CLOSURE_BASE_URL"] = ""
    post.process()
    await post.asked()
    await post.run()
    mail = post.mailer.sent[0]

    assert f"closure approve {post.closure} --gate plan --digest {DIGEST}" in mail.text
    assert f"closure approve {post.closure} --gate plan --digest {DIGEST}" in mail.html
    assert "://" not in mail.text + mail.html
    assert "actions" not in post.channel.cards[0]
    assert "link" not in {place for place, _ in post.records.documents}


# -- lost queue messages ----------------------------------------------------------------------------------------------
async def test_a_lost_message_is_queued_again_after_ten_minutes(post: Post) -> None:
    """Younger ones are left alone; one that was queued again waits its ten minutes afresh."""
    await post.asked()
    post.records.queues.clear()
    await outbox.requeue(post.parts, post.closure)
    young = len(post.waiting())
    post.clock.go_on(minutes=11)
    await outbox.requeue(post.parts, post.closure)
    await outbox.requeue(post.parts, post.closure)
    queued = len(post.waiting())
    await post.run()

    assert (0, 4) == (young, queued)
    assert Counter(sent=4) == await post.states()


async def test_a_message_that_keeps_getting_lost_is_given_up(post: Post) -> None:
    """After five tries it fails like any other, deputies included."""
    await post.asked()
    for _ in range(LAST + 1):
        post.records.queues.pop("closure-notices", None)
        post.clock.go_on(minutes=11)
        await outbox.requeue(post.parts, post.closure)
    states = await post.states()
    await post.run()

    assert 4 == states["failed"]
    assert {"dee@mail.example", "eve@mail.example"} == {mail.to for mail in post.mailer.sent if tokens(mail)}


async def test_a_lost_question_that_is_settled_is_not_asked_again(post: Post) -> None:
    """The sweep marks it and queues nothing."""
    await post.asked()
    post.records.queues.clear()
    await post.closed()
    post.clock.go_on(minutes=11)
    await outbox.requeue(post.parts, post.closure)

    assert ([], Counter(overtaken=4)) == (post.waiting(), await post.states())


async def test_a_sweep_with_an_old_look_does_not_call_what_was_sent_overtaken(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep read the notice as pending, then it was sent and its gate decided: it stays sent."""
    await post.asked()
    stale = await post.ledger.notices(post.closure)

    async def as_read(_: str) -> list[dict[str, object]]:
        return stale

    await post.run()
    await post.closed()
    post.clock.go_on(minutes=11)
    with monkeypatch.context() as patch:
        patch.setattr(post.parts.ledger, "notices", as_read)
        await outbox.requeue(post.parts, post.closure)

    assert Counter(sent=4) == await post.states()
