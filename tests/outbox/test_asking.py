"""Asking: who gets what, once; how deputies come in; what is told afterwards."""

from __future__ import annotations

from collections import Counter

from tenantclosure import names, outbox
from tenantclosure.names import Notice, Word
from tests.outbox.rig import ADDRESS, Post, people_of, person, tokens


async def test_everybody_gets_a_mail_and_the_channel_one_card(post: Post) -> None:
    """Three approvers, three mails with a link of their own each; the card leads to the gate's page."""
    await post.asked()
    await post.run()
    (card,) = post.channel.cards

    assert {"ann@mail.example", "bob@mail.example", "cyd@mail.example"} == {mail.to for mail in post.mailer.sent}
    assert 3 == len({token for mail in post.mailer.sent for token in tokens(mail)})
    assert f"{ADDRESS}/closures/{post.closure}/gates/plan" == card["actions"][0]["url"]
    assert Counter(sent=4) == await post.states()
    assert 4 == len(await post.told(Word.NOTICE_SENT))


async def test_the_same_call_again_asks_nobody_twice(post: Post) -> None:
    """An activity that runs again leaves notices and queue as they are; so does a person named in two groups."""
    doc = await post.asked()
    await outbox.ask(post.parts, await post.row(), doc, Notice.ASK, [*people_of(doc), person("ann")])

    assert 4 == len(post.waiting())


async def test_each_reminder_and_each_round_is_a_message_of_its_own(post: Post) -> None:
    """The second reminder, and the question at a gate that was opened again, are not taken for the first."""
    doc, row = await post.asked(), await post.row()
    await outbox.ask(post.parts, row, doc, Notice.REMIND, [person("ann")], 1)
    await outbox.ask(post.parts, row, doc, Notice.REMIND, [person("ann")], 2)
    await post.closed()
    again = await post.ledger.reopen_gate(post.closure, "plan", 1, "revoked")
    await outbox.ask(post.parts, row, again, Notice.ASK, [person("ann")])
    await post.run()

    assert ["Your approval is needed"] == [mail.text.splitlines()[2] for mail in post.mailer.sent]
    assert Counter(sent=2, overtaken=8) == await post.states()


async def test_without_mailer_and_channel_nothing_is_put_on_record(post: Post) -> None:
    """A deployment that sends nothing keeps nothing to send."""
    post.process(mailer=None, channel=None)
    doc = await post.asked()
    await outbox.tell_decided(post.parts, await post.row(), doc)
    await outbox.tell_ended(post.parts, await post.row())

    assert [] == await post.ledger.notices(post.closure)
    assert {} == post.records.queues


async def test_names_taken_as_they_are_get_their_mail_at_their_upn(post: Post) -> None:
    """In a rehearsal without the hosting tenant's directory people have no object id and no mail address."""
    post.process(people=None)
    names_only = [person(name, objectId="", mail="") for name in ("ann", "bob")]
    doc = await post.gate(groups={"it": {"quorum": 1, "people": names_only, "deputies": []}})
    await outbox.ask(post.parts, await post.row(), doc, Notice.ASK, names_only)
    await post.run()

    assert ["ann@fabrikam.com", "bob@fabrikam.com"] == [mail.to for mail in post.mailer.sent]


async def test_deputies_join_their_group_and_are_asked_once(post: Post) -> None:
    """Dee is deputy of both groups: she may decide for both, and gets one mail; each escalation is a card."""
    doc, row = await post.gate(), await post.row()
    gate = await outbox.escalate(post.parts, row, doc, ["it"], "Nobody of it has answered.")
    gate = await outbox.escalate(post.parts, row, gate, ["owner"], "Nobody of owner has answered.")
    again = await outbox.escalate(post.parts, row, gate, ["owner"], "Nobody of owner has answered.")
    await post.run()

    assert again == gate
    assert [["Ann", "Bob", "Dee"], ["Cyd", "Dee", "Eve"]] == [
        [one["name"] for one in group["people"]] for group in gate["groups"].values()
    ]
    assert ["dee@mail.example", "eve@mail.example"] == [mail.to for mail in post.mailer.sent]
    assert 2 == len(post.channel.cards)
    assert [["dee@fabrikam.com"], ["dee@fabrikam.com", "eve@fabrikam.com"]] == [
        told["deputies"] for told in await post.told(Word.GATE_ESCALATED)
    ]


async def test_an_excluded_deputy_is_neither_asked_nor_let_in(post: Post) -> None:
    """Whoever files or operates the closure can't come back as a deputy."""
    doc = await post.gate(excluded=["0b0a1c2d-0000-4000-8000-0000000000ff/oid-dee"])
    gate = await outbox.escalate(post.parts, await post.row(), doc, ["it", "owner"], "Silence.")
    await post.run()

    assert ["Ann", "Bob"] == [one["name"] for one in gate["groups"]["it"]["people"]]
    assert ["eve@mail.example"] == [mail.to for mail in post.mailer.sent]


async def test_a_closed_gate_is_not_escalated(post: Post) -> None:
    """Nobody is let in at a gate that has been decided."""
    doc = await post.gate()
    await post.closed("vetoed")
    gate = await outbox.escalate(post.parts, await post.row(), doc, ["it"], "Silence.")

    assert (2, []) == (len(gate["groups"]["it"]["people"]), post.waiting())


async def test_a_decision_is_told_with_names(post: Post) -> None:
    """The follow-up names who said what, last word only; the requester gets the same by mail, without a link token."""
    await post.asked()
    await post.run()
    await post.decide("ann")
    await post.decide("ann", "revoke")
    await post.decide("cyd", "veto", comment="payroll runs there")
    await outbox.tell_decided(post.parts, await post.row(), await post.closed("vetoed"))
    await post.run()
    mail = post.mailer.sent[-1]

    assert ("olga@mail.example", []) == (mail.to, tokens(mail))
    assert "Ann (ann@fabrikam.com) took the approval back on 2026-11-01" in mail.text
    assert "Cyd (cyd@fabrikam.com) vetoed on 2026-11-01" in mail.text and "“payroll runs there”" in mail.text
    assert "Vetoed: the plan to close a tenant" == post.channel.cards[-1]["body"][0]["text"]


async def test_the_end_is_told_once(post: Post) -> None:
    """Requester and channel hear the result, however often it is told."""
    await post.ledger.end(post.closure, "closed")
    await outbox.tell_ended(post.parts, await post.row())
    await outbox.tell_ended(post.parts, await post.row())
    await post.run()

    assert ["The tenant is closed: Contoso (contoso.onmicrosoft.com)"] == [mail.subject for mail in post.mailer.sent]
    assert ["The tenant is closed"] == [card["body"][0]["text"] for card in post.channel.cards]


async def test_a_queue_message_names_a_notice_and_nothing_else(post: Post) -> None:
    """Who and what stays in Records."""
    await post.asked()

    assert {("closureId", "noticeId", "schema")} == {tuple(sorted(message)) for message in post.waiting()}
    assert names.SCHEMA == post.waiting()[0]["schema"]
