"""The queue doors: same rules as over HTTP, refused messages put aside with their problem; messages to people sent."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import azure.functions as func
import pytest

from tenantclosure import names, outbox
from tenantclosure.errors import ServiceTrouble
from tests.outbox.rig import KeepingMailer
from tests.web.rig import TARGET, Desk, read, request, rows
from web.poison import KEPT, cut, notice_poison, poison_list
from web.queue import send_notice, take_message

CLAIM = {"requestedBy": "olga@fabrikam.com"}


class _Message(func.QueueMessage):
    """A message with the delivery count the host would tell."""

    def __init__(self, body: bytes, count: int = 1) -> None:
        super().__init__(id="m1", body=body)
        self._count = count

    @property
    def dequeue_count(self) -> int:
        return self._count


async def _take(desk: Desk, document: Any, *, count: int = 1) -> None:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    await take_message(_Message(body, count), desk.client, desk.parts)


async def test_a_queued_request_files_a_claimed_closure(desk: Desk) -> None:
    """The requester is only claimed, so one approver more has to agree."""
    await _take(desk, request(**CLAIM))
    (row,) = await rows(desk.ledger)

    assert (True, "olga@fabrikam.com") == (row["claimed"], row["requester"]["upn"])
    assert 3 == row["terms"]["plan"]["distinct"]
    assert [f"{TARGET}-1-e1"] == [instance for _, _, instance in desk.client.started]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (b"{", "$"),
        (b'{"a": 1, "a": 2}', "$"),
        (b"\xff", "$"),
        (b"[]", "$"),
        (request(), "requestedBy"),
        (request(**CLAIM, surprise=1), "surprise"),
        (request(**CLAIM, tenantId="0b0a1c2d-0000-4000-8000-000000000009"), "tenantId"),
        (request(**CLAIM, reason="x" * 70000), "$"),
    ],
    ids=["cut", "twice", "bytes", "list", "nobody", "unknown key", "not allowed", "too long"],
)
async def test_a_refused_message_is_put_aside_at_once_with_its_problem(desk: Desk, document: Any, field: str) -> None:
    """It is not tried again; the list of closures shows message, field and remedy."""
    await _take(desk, document)
    shown = read(await desk.call("list_closures"))["poison"]

    assert [field] == [entry["problem"]["field"] for entry in shown]
    assert shown[0]["problem"]["remedy"] and shown[0]["at"]
    assert ([], []) == (await rows(desk.ledger), desk.client.started)


async def test_trouble_is_raised_so_that_the_host_tries_again(desk: Desk) -> None:
    """A failing service is no fault of the message: nothing is put aside."""

    async def broken() -> None:
        raise ServiceTrouble("503")

    desk.tenant.organization = broken  # type: ignore[assignment, method-assign]
    with pytest.raises(ServiceTrouble):
        await _take(desk, request(**CLAIM))

    assert {} == desk.records.queues


async def test_a_message_delivered_again_after_its_closure_was_filed_is_not_refused(desk: Desk) -> None:
    """A crash between filing and deleting the message does not turn our own work into a conflict."""
    await _take(desk, request(**CLAIM))
    await _take(desk, request(**CLAIM), count=2)

    assert {} == desk.records.queues
    assert 1 == len(desk.client.started)


async def test_a_second_request_for_a_live_closure_is_put_aside(desk: Desk) -> None:
    """A new message for a tenant being closed is a conflict, also when it is delivered twice."""
    await _take(desk, request(**CLAIM))
    await _take(desk, request(**CLAIM))
    await _take(desk, request(**CLAIM, quietDays=1), count=2)
    shown = read(await desk.call("list_closures"))["poison"]

    assert ["urn:tenant-closure:problem:closure-live"] * 2 == [entry["problem"]["type"] for entry in shown]


async def test_a_message_the_host_gave_up_is_shown_too(desk: Desk) -> None:
    """What lies in the poison queue without a problem of ours still says what to do."""
    await desk.records.enqueue(names.POISON_QUEUE, {"tenantId": TARGET})
    (entry,) = read(await desk.call("list_closures"))["poison"]

    assert "urn:tenant-closure:problem:gave-up" == entry["problem"]["type"]
    assert TARGET in entry["message"]


@pytest.mark.parametrize("text", ["short", "x" * 50000, "é" * 50000, '"' * 50000, "\U0001f512" * 20000])
def test_what_is_kept_of_a_message_fits_beside_its_problem(text: str) -> None:
    """However it has to be escaped, the kept beginning stays within its bound."""
    kept = cut(text)

    assert text.startswith(kept)
    assert len(json.dumps(kept)) <= KEPT


# -- messages to people ------------------------------------------------------------------------------------------------
async def _told(desk: Desk) -> tuple[KeepingMailer, bytes]:
    """A closure whose end is to be told: the mailer it will reach, and the queue's message."""
    mailer = KeepingMailer()
    desk.parts = replace(desk.parts, mailer=mailer)
    closure = await desk.filed()
    await desk.ledger.end(closure, "aborted")
    await outbox.tell_ended(desk.parts, await desk.ledger.closure(closure))
    (message,) = desk.records.queues[names.NOTICE_QUEUE]
    return mailer, json.dumps(message["body"]).encode()


async def test_a_message_that_is_due_is_sent(desk: Desk) -> None:
    """Once, however often the queue delivers it."""
    mailer, message = await _told(desk)
    await send_notice(_Message(message), desk.parts)
    await send_notice(_Message(message, 2), desk.parts)

    assert ["olga@fabrikam.com"] == [mail.to.lower() for mail in mailer.sent]
    assert [] == await notice_poison(desk.records)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'"text"',
        b"null",
        b'{"schema": 1, "closureId": "x", "noticeId": "y"}',
        f'{{"schema": 1, "closureId": "{TARGET}-1"}}'.encode(),
        f'{{"schema": 2, "closureId": "{TARGET}-1", "noticeId": "ended-0"}}'.encode(),
        f'{{"schema": 1, "closureId": "{TARGET}-1", "noticeId": 7}}'.encode(),
        f'{{"schema": 1, "closureId": "{TARGET}-1", "noticeId": "ended/../0"}}'.encode(),
        f'{{"schema": 1, "closureId": "{TARGET}-1", "noticeId": "ended-0", "more": 1}}'.encode(),
        f'{{"schema": 1, "closureId": "{TARGET}-1", "noticeId": "{"x" * 400}"}}'.encode(),
        f'{{"schema": 1, "closureId": "{TARGET}-9", "noticeId": "ended-0"}}'.encode(),
        json.dumps(request()).encode(),
        b"[" * 60000,
        b'"' + b"x" * 70000,
    ],
)
async def test_what_names_no_notice_of_ours_is_put_aside_and_never_raised(desk: Desk, body: bytes) -> None:
    """Malformed, of another schema, unknown, a request in the wrong queue: shown with what to do, tried once."""
    await send_notice(_Message(body), desk.parts)
    (entry,) = await notice_poison(desk.records)

    assert entry["problem"]["detail"] and entry["problem"]["remedy"] and entry["at"]
    assert [] == await poison_list(desk.records)


async def test_trouble_with_a_message_is_raised_until_the_last_attempt(desk: Desk) -> None:
    """The host tries again four times; the fifth attempt ends it here, and nothing is left to the host to bury."""
    mailer, message = await _told(desk)
    mailer.trouble = dict.fromkeys(("olga@fabrikam.com", "Olga@fabrikam.com"), ServiceTrouble("503"))
    with pytest.raises(ServiceTrouble):
        await send_notice(_Message(message, 4), desk.parts)
    await send_notice(_Message(message, 5), desk.parts)
    (notice,) = await desk.ledger.notices(f"{TARGET}-1")

    assert ("failed", "503") == (notice["state"], notice["why"])


async def test_a_message_the_host_buried_is_shown_apart_from_requests(desk: Desk) -> None:
    """A crash at the last attempt leaves it in the host's poison queue; the sweep sends it again by itself."""
    await desk.records.enqueue(names.NOTICE_POISON_QUEUE, {"schema": 1, "closureId": "c", "noticeId": "n"})
    (entry,) = await notice_poison(desk.records)

    assert "the sweep sends the message again" in entry["problem"]["remedy"]
    assert [] == await poison_list(desk.records)
