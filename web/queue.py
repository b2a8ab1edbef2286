"""The queue doors: a request as over HTTP, with a claimed requester; and a message to people that is due."""

from __future__ import annotations

import logging
import re
from typing import Any

import azure.functions as func

from tenantclosure import names, outbox
from tenantclosure.errors import RecordMissing, RequestRefused
from tenantclosure.intake import admit
from tenantclosure.ledger import iso
from tenantclosure.model.request import parse_request
from tenantclosure.ports import JSON
from web.body import parse
from web.closures import CLOSURE_ID, known_row
from web.poison import put_aside
from web.problems import document_of, refuse
from web.starting import start

log = logging.getLogger(__name__)

_NOTICE = {
    "closureId": CLOSURE_ID,
    "noticeId": re.compile(r"[\w-]{1,300}", re.ASCII),
}
"""Ids in a message on the notice queue; the outbox alone writes there."""


async def take_message(message: func.QueueMessage, client: Any, parts: Any) -> None:
    """Admit one message. A refused one is put aside at once with its problem; trouble is raised for another try."""
    data = message.get_body()
    try:
        document = parse(data)
        row = await _admit_once(document, message, parts)
    except RequestRefused as error:
        log.info("a queued request was refused: %s", error.kind)
        text = data.decode("utf-8", errors="replace")
        await put_aside(parts.records, text, document_of(error), iso(parts.clock.now()))
        return
    try:
        await start(client, parts.ledger, row)
    except Exception:  # it is on record: a second delivery would only be refused; the sweep starts it
        log.warning("%s is filed but could not be started yet", row["closureId"], exc_info=True)


async def _admit_once(document: Any, message: func.QueueMessage, parts: Any) -> JSON:
    """Admit, but know our own work again when the message comes a second time after a crash."""
    try:
        row: JSON = await admit(document, None, parts)
    except RequestRefused as error:
        again = (message.dequeue_count or 1) > 1 and error.kind == "closure-live"
        live = await known_row(parts, str(error.extra.get("closureId", ""))) if again else None
        if live is None or live["request"] != parse_request(document).to_dict():
            raise
        return live
    return row


async def send_notice(message: func.QueueMessage, parts: Any) -> None:
    """Deliver one message to people. What names no notice of ours is put aside; trouble is raised for another try."""
    data = message.get_body()
    try:
        await outbox.deliver(parts, _notice(parse(data)), message.dequeue_count or 1)
    except (RequestRefused, RecordMissing) as error:
        log.warning("a message on the notice queue was put aside: %s", type(error).__name__)
        text, now = data.decode("utf-8", errors="replace"), iso(parts.clock.now())
        await put_aside(parts.records, text, document_of(error), now, queue=names.NOTICE_POISON_QUEUE)


def _notice(document: Any) -> JSON:
    ours = isinstance(document, dict) and set(document) == {"schema", *_NOTICE} and document["schema"] == names.SCHEMA
    if not ours or not all(
        isinstance(document[key], str) and form.fullmatch(document[key]) for key, form in _NOTICE.items()
    ):
        raise refuse(400, "invalid-notice", "This is no order to send a message.", "Find out who wrote to our queue.")
    return dict(document)
