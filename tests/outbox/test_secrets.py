"""No token, webhook or key stands in any record, queue message, audit line or log."""

from __future__ import annotations

import logging

import pytest

from tenantclosure import outbox
from tenantclosure.errors import ServiceTrouble
from tenantclosure.names import Notice
from tests.outbox.rig import WEBHOOK, Post, person, tokens

SECRETS = ("webhook-secret", "static-secret", "sig=")


async def test_nothing_secret_is_stored_logged_or_sent(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    """Asked, reminded, failed, told and ended: tokens are in their own mails alone, the webhook nowhere."""
    caplog.set_level(logging.DEBUG)
    doc = await post.asked()
    post.mailer.trouble["cyd@mail.example"] = ServiceTrouble(f"POST {WEBHOOK} answered 503")
    await post.run()
    await outbox.ask(post.parts, await post.row(), doc, Notice.REMIND, [person("ann")], 1)
    post.channel.trouble = ServiceTrouble(f"POST {WEBHOOK} answered 503")
    await post.run()
    await outbox.tell_decided(post.parts, await post.row(), await post.closed())
    await post.ledger.end(post.closure, "closed")
    await outbox.tell_ended(post.parts, await post.row())
    await post.run()
    sent = [token for mail in post.mailer.sent for token in tokens(mail)]
    outside = [*SECRETS, *sent]

    assert 5 == len(set(sent))
    stored = post.everything() + str(post.channel.cards)
    assert [] == [secret for secret in outside if secret in stored]
    assert [] == [secret for secret in outside if secret in caplog.text]
    mails = [mail.subject + mail.text + mail.html for mail in post.mailer.sent]
    assert [] == [secret for secret in SECRETS if any(secret in mail for mail in mails)]
    for token in sent:
        assert 1 == sum(token in mail for mail in mails)


async def test_trouble_that_quotes_the_message_does_not_reach_the_record(post: Post) -> None:
    """A mailer that puts the whole mail into its error gives nothing away."""
    await post.asked()
    quoted: list[str] = []

    async def quoting(mail: object) -> None:
        quoted.extend(tokens(mail))  # type: ignore[arg-type]
        raise ServiceTrouble(f"refused: {mail}")

    post.mailer.send = quoting  # type: ignore[method-assign, assignment]
    await post.run()

    assert quoted
    assert [] == [token for token in quoted if token in post.everything()]


async def test_no_message_carries_a_durable_address(post: Post) -> None:
    """Neither mail nor card has a management URL or an instance id of the engine."""
    await post.asked()
    await post.run()
    said = "".join(mail.text + mail.html for mail in post.mailer.sent) + str(post.channel.cards)

    assert "runtime/webhooks" not in said and f"{post.closure}-e1" not in said
