"""Both queue doors and the poison queues, whatever lies there: nothing is lost, and nothing stops the next message."""

from __future__ import annotations

import base64
import json
from typing import Any

import azure.functions as func
from hypothesis import example, given
from hypothesis import strategies as st

from tenantclosure import names, outbox
from tenantclosure.errors import RecordMissing
from tenantclosure.gateways.records.queue import LIMIT, body_of, packed
from tests.fuzz.office import Office
from tests.fuzz.rig import BODIES, JUNK, TEXTS, Body, encoded, fuzz, spoiled
from tests.outbox.rig import KeepingMailer
from tests.web.rig import TARGET, read, request, rows
from web.poison import KEPT
from web.queue import send_notice, take_message

GOOD = request(requestedBy="olga@fabrikam.com")


def _message(body: bytes) -> func.QueueMessage:
    return func.QueueMessage(id="m1", body=body)


def _put_aside(doors: Office, queue: str) -> list[Any]:
    return [entry["body"] for entry in doors.desk.records.queues.get(queue, [])]


@fuzz(25)
@example(body=Body(encoded({**GOOD, "x" * 60_000: 1})))
@example(body=Body(json.dumps({**GOOD, "\U0001f512" * 14_000: 1}, ensure_ascii=False).encode()))
@example(body=Body(encoded({**GOOD, **{f"x{n}": n for n in range(4000)}})))
@example(body=Body(encoded({**GOOD, "approvers": [{"group": "y" * 9_000, "quorum": 0, "people": []}] * 7})))
@given(BODIES | spoiled(GOOD).map(encoded))
def test_a_queued_request_is_filed_or_put_aside(doors: Office, body: bytes) -> None:
    """Either a closure is on record, or the message lies in the poison queue with field and remedy; then the next one
    is taken, and the list of closures shows both.
    """
    desk = doors.fresh()
    doors.run(desk.ledger.end(doors.closure, "aborted"))
    doors.run(take_message(_message(body), desk.client, desk.parts))
    filed = [row for row in doors.run(rows(desk.ledger)) if row["closureId"] != doors.closure]
    aside = _put_aside(doors, names.POISON_QUEUE)

    assert 1 == len(filed) + len(aside)
    for entry in aside:
        problem = entry["problem"]
        assert problem["detail"] and problem["remedy"] and problem["field"] and entry["at"]
        assert body.decode("utf-8", "replace").startswith(entry["message"])
    for row in filed:
        doors.run(desk.ledger.end(row["closureId"], "aborted"))
    doors.run(take_message(_message(encoded(GOOD)), desk.client, desk.parts))
    shown = read(doors.ask("list_closures"))

    assert 200 == doors.ask("closures_page").status_code
    assert 2 + len(filed) == len(shown["items"])
    assert len(aside) == len(shown["poison"])


PROBLEM = {"type": "t", "title": "T", "status": 400, "detail": "d", "field": "f", "remedy": "r"}
CONTENTS = st.one_of(
    TEXTS.filter(lambda text: "\ud800" not in text),
    BODIES.map(lambda data: base64.b64encode(data).decode()),
    BODIES.map(lambda data: data.decode("utf-8", "replace")),
    spoiled({"message": "{", "problem": PROBLEM, "at": "2026-11-01T12:00:00.000Z"}).map(
        lambda value: base64.b64encode(encoded(value)).decode()
    ),
)


@fuzz(25)
@example(content=base64.b64encode(b"[" * 40_000).decode())
@example(content=base64.b64encode(b'{"tenantId": "\\ud800"}').decode())
@given(CONTENTS)
def test_whatever_lies_in_a_poison_queue_is_shown(doors: Office, content: str) -> None:
    """What the host buried comes from anywhere: the list of closures still is a list, and says what to do."""
    desk = doors.fresh()
    for queue in (names.POISON_QUEUE, names.NOTICE_POISON_QUEUE):
        desk.records.queues[queue] = [{"id": "1", "insertedAt": "2026-11-01T12:00:00Z", "body": body_of(content)}]
    (entry,) = read(doors.ask("list_closures"))["poison"]

    assert isinstance(entry["message"], str) and len(json.dumps(entry["message"])) <= KEPT + 2
    assert 200 == doors.ask("closures_page").status_code


@fuzz(15)
@given(spoiled({"schema": 1, "closureId": f"{TARGET}-1", "noticeId": "ended-0"}).map(encoded) | BODIES)
def test_a_message_that_is_no_order_of_ours_is_put_aside(doors: Office, body: bytes) -> None:
    """The notice queue: nothing is sent for what names no notice on record, and the next one is sent."""
    desk = doors.fresh()
    mailer = KeepingMailer()
    desk.equip(mailer=mailer)
    doors.run(desk.ledger.end(doors.closure, "aborted"))
    doors.run(send_notice(_message(body), desk.parts))
    aside = _put_aside(doors, names.NOTICE_POISON_QUEUE)

    assert (1, []) == (len(aside), mailer.sent)
    assert aside[0]["problem"]["detail"] and aside[0]["problem"]["remedy"]
    doors.run(outbox.tell_ended(desk.parts, doors.run(desk.ledger.closure(doors.closure))))
    for message in _put_aside(doors, names.NOTICE_QUEUE):
        doors.run(send_notice(_message(encoded(message)), desk.parts))
    assert 1 == len(mailer.sent)


@fuzz(25)
@given(JUNK)
def test_what_is_put_on_a_queue_comes_off_it(value: Any) -> None:
    """Any JSON object that can be written is read back the same."""
    message = {"value": value}
    try:
        text = packed("q", message)
    except (ValueError, RecordMissing):
        return
    assert len(base64.b64decode(text)) <= LIMIT
    assert message == body_of(text)
