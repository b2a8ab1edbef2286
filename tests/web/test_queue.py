"""The queue door: same rules as over HTTP, refused messages put aside with their problem."""

from __future__ import annotations

import json
from typing import Any

import azure.functions as func
import pytest

from tenantclosure import names
from tenantclosure.errors import ServiceTrouble
from tests.web.rig import TARGET, Desk, read, request, rows
from web.poison import KEPT, cut
from web.queue import take_message

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
