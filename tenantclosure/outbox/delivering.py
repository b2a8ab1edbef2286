"""One attempt to deliver a notice, and what follows when it is the last."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from datetime import datetime, timedelta
from urllib.parse import quote

from tenantclosure import names
from tenantclosure.errors import ClosureError, RecordMissing, Undeliverable
from tenantclosure.ledger import iso
from tenantclosure.model.mail import Mail
from tenantclosure.names import Notice, Status, Word
from tenantclosure.outbox.asking import escalate, names_of
from tenantclosure.outbox.posting import MAIL, addressee, enqueue, rounds
from tenantclosure.outbox.summary import summary
from tenantclosure.outbox.tasking import over, still_open
from tenantclosure.outbox.telling import tell_undelivered
from tenantclosure.policy.quorum import groups_of
from tenantclosure.ports import JSON
from tenantclosure.rendering import card, notices
from tenantclosure.wiring import Parts

LAST = 5
"""Attempts at one message; `maxDequeueCount` of host.json, so that the host never buries one before we give it up."""
LOST = timedelta(minutes=10)
"""How long a notice may be pending before its queue message counts as lost."""
ASKING = frozenset({Notice.ASK, Notice.REMIND, Notice.ESCALATE})
"""Kinds that ask for a decision: only while their gate is open, and with a way to escalate."""
TASKS = frozenset({Notice.TASK, Notice.TASK_REMIND})
"""Kinds about manual tasks: only while one of theirs is open."""
_URL = re.compile(r"\w+://\S+")


async def deliver(parts: Parts, message: JSON, attempt: int) -> None:
    """Deliver the notice of a queue message {schema, closureId, noticeId}; `attempt` counts from 1.

    Marks the notice sent, overtaken or failed. Raises RecordMissing when there is no such notice, and whatever hindered
    an attempt that was not the last, so that the queue tries again. The same message twice sends a mail twice at worst.
    """
    closure = message["closureId"]
    notice = await parts.ledger.notice(closure, message["noticeId"])
    if notice is None:
        raise RecordMissing(f"{closure} {message['noticeId']}")
    if notice["state"] != "pending":
        return
    row = await parts.ledger.closure(closure)
    if await _overtaken(parts, row, notice):
        return
    token = secrets.token_urlsafe(32)
    try:
        await _send(parts, row, notice, token)
    except Exception as error:  # every trouble counts as an attempt; the last one must not be left to the host
        if isinstance(error, Undeliverable) or attempt >= LAST:
            await _give_up(parts, row, notice, _reason(error, token))
            return
        await parts.ledger.change_notice(closure, notice["noticeId"], lambda doc: doc.update(tries=doc["tries"] + 1))
        raise
    await parts.ledger.audit(closure, Word.NOTICE_SENT, None, _told(notice))
    await _mark(parts, closure, notice, state="sent", sentAt=iso(parts.clock.now()))


async def requeue(parts: Parts, closure: str) -> None:
    """Queue again what has been pending for so long that its message must be lost; after LAST tries give it up."""
    now = parts.clock.now()
    row: JSON | None = None
    for notice in await parts.ledger.notices(closure):
        if notice["state"] != "pending" or now - datetime.fromisoformat(notice["queuedAt"]) < LOST:
            continue
        row = row or await parts.ledger.closure(closure)
        if await _overtaken(parts, row, notice):
            continue
        if notice["tries"] >= LAST:
            await _give_up(parts, row, notice, f"{notice['tries']} tries came to nothing")
            continue
        await enqueue(parts, closure, notice["noticeId"])
        # Dated after it is queued: a crash in between doubles a message, the other order would delay it again.
        await _mark(parts, closure, notice, queuedAt=iso(now), tries=notice["tries"] + 1)


async def _overtaken(parts: Parts, row: JSON, notice: JSON) -> bool:
    """Whether nobody needs this message any more; then it is marked so."""
    if notice["kind"] in TASKS:
        found = [await parts.ledger.task(row["closureId"], one["taskId"]) for one in notice["detail"]["tasks"]]
        if still_open(notice, found) and not over(row):
            return False
        await _mark(parts, row["closureId"], notice, state="overtaken")
        return True
    if notice["kind"] not in ASKING:
        return False
    gate = await parts.ledger.gate(row["closureId"], notice["gate"], notice["serial"])
    still = (
        row["status"] != Status.ENDED
        and gate is not None
        and gate["state"] == "open"
        and gate["digest"] == notice["digest"]
        and rounds(gate) == notice["detail"]["round"]
        and parts.clock.now() <= datetime.fromisoformat(gate["answerBy"])
    )
    if not still:
        await _mark(parts, row["closureId"], notice, state="overtaken")
    return not still


async def _send(parts: Parts, row: JSON, notice: JSON, token: str) -> None:
    view = await summary(parts, row, notice)
    if notice["channel"] != MAIL:
        if parts.channel is None:
            raise Undeliverable("no Teams channel is configured")
        await parts.channel.post(card.card(view, page=_page(parts, row, notice)))
        return
    if parts.mailer is None:
        raise Undeliverable("no mailer is configured")
    address, name = await _address(parts, notice["to"])
    link = _page(parts, row, notice)
    if link and notice["kind"] in ASKING:
        link = f"{parts.settings.address}/approvals/{token}"
        kept = {key: notice[key] for key in ("gate", "serial", "digest", "noticeId")}
        # On record before it is sent: no link ever reaches a person that nothing here knows.
        await parts.ledger.add_link(
            hashlib.sha256(token.encode()).hexdigest(),
            {**kept, "closureId": row["closureId"], "person": notice["to"], "expiresAt": view["gate"]["answerBy"]},
        )
    subject, text, html = notices.mail(view, link=link)
    message_id = f"{row['closureId']}.{notice['noticeId']}@tenant-closure"
    await parts.mailer.send(Mail(address, notices.clean(name, 100), subject, text, html, message_id))


async def _address(parts: Parts, to: JSON) -> tuple[str, str]:
    """Mail address and name. People of a gate carry theirs; the requester is looked up in the hosting tenant."""
    if "mail" not in to and parts.people is not None:
        account = await parts.people.find(to["upn"])
        if account is None:
            raise Undeliverable("there is no such account in the hosting tenant")
        to = account.to_dict()
    # In a rehearsal without the hosting tenant's directory names are taken as they are.
    address = str(to.get("mail") or ("" if parts.people is not None else to["upn"]))
    if not address:
        raise Undeliverable("the account has no mail address")
    return address, str(to.get("name") or "")


def _page(parts: Parts, row: JSON, notice: JSON) -> str:
    """The page behind a sign-in; empty when nobody told where people reach us."""
    here = f"{parts.settings.address}/closures/{row['closureId']}" if parts.settings.address else ""
    if here and notice["kind"] in TASKS:
        tasks = notice["detail"]["tasks"]
        return f"{here}#task-{quote(tasks[0]['taskId'], safe='')}" if len(tasks) == 1 else f"{here}#tasks"
    return f"{here}/gates/{notice['gate']}" if here and notice["kind"] in ASKING else here


async def _give_up(parts: Parts, row: JSON, notice: JSON, why: str) -> None:
    """The notice has failed. It is marked last: a crash before that repeats the steps, which do nothing twice but
    the audit line and the copy.
    """
    closure, to = row["closureId"], notice["to"]
    found = await parts.ledger.notice(closure, notice["noticeId"])
    if found is None or found["state"] != "pending":
        return
    await parts.ledger.audit(closure, Word.NOTICE_FAILED, None, {**_told(notice), "why": why})
    gate = await parts.ledger.gate(closure, notice["gate"], notice["serial"]) if notice["kind"] in ASKING else None
    if gate is not None:
        await parts.records.enqueue(names.NOTICE_POISON_QUEUE, _poison(closure, notice, why, iso(parts.clock.now())))
        deputies: list[str] = []
        if to is not None:
            groups = list(groups_of(gate, to))
            gate = await escalate(parts, row, gate, groups, f"A message to {to['upn']} could not be delivered.")
            asked = [d for group in groups for d in gate["groups"][group].get("deputies", [])]
            deputies = names_of({addressee(person): person for person in asked}.values())
        await tell_undelivered(parts, row, gate, notice, why, deputies)
    await _mark(parts, closure, notice, state="failed", why=why)


async def _mark(parts: Parts, closure: str, notice: JSON, **changes: object) -> None:
    """Write how a pending notice stands; one that was settled meanwhile stays as it is."""

    def edit(doc: JSON) -> None:
        if doc["state"] == "pending":
            doc.update(changes)

    await parts.ledger.change_notice(closure, notice["noticeId"], edit)


def _told(notice: JSON) -> JSON:
    told = {key: notice[key] for key in ("kind", "channel", "gate", "serial")}
    return {"notice": notice["noticeId"], **told, "to": notice["to"]["upn"] if notice["to"] else None}


def _poison(closure: str, notice: JSON, why: str, at: str) -> JSON:
    who = notice["to"]["upn"] if notice["to"] else "the Teams channel"
    problem = {
        "type": "urn:tenant-closure:problem:undeliverable",
        "title": "Undeliverable",
        "status": 502,
        "detail": f"The message to {who} could not be delivered: {why}.",
        "remedy": "Reach the person another way: the gate's page takes their decision after a sign-in.",
    }
    message = {"schema": names.SCHEMA, "closureId": closure, "noticeId": notice["noticeId"]}
    return {"message": json.dumps(message), "problem": problem, "at": at}


def _reason(error: Exception, token: str) -> str:
    """Why, for people and the record: our own errors' words without addresses, and nothing of the message."""
    text = str(error) if isinstance(error, ClosureError) else f"unexpected {type(error).__name__}"
    return notices.clean(_URL.sub("(address)", text).replace(token, "(link)"), 300) or type(error).__name__
