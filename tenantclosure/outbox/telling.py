"""Telling the requester and the Teams channel what became of a gate, of a message, of the closure."""

from __future__ import annotations

from tenantclosure.ledger import turn_of
from tenantclosure.names import Notice
from tenantclosure.outbox.posting import MAIL, TEAMS, post
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts

COMMENT = 300
"""Characters of a comment that a message repeats; the page shows it whole."""


async def tell_decided(parts: Parts, row: JSON, gate: JSON) -> None:
    """What a closed gate came to, and who said what: a mail to the requester, a follow-up card to the channel.

    `gate` is the closed document. Harmless when repeated.
    """
    last: dict[str, JSON] = {}
    for said in await parts.ledger.decisions(row["closureId"]):
        if (said["gate"], said["serial"], said["digest"]) == (gate["gate"], gate["serial"], gate["digest"]):
            who = said["person"]
            last[f"{who['tenantId']}/{who['objectId'] or who['upn']}".lower()] = {
                "upn": who["upn"],
                "name": who["name"],
                "decision": said["decision"],
                "comment": str(said.get("comment") or "")[:COMMENT],
                "at": said["at"],
            }
    detail: JSON = {"state": gate["state"], "executeBy": gate["executeBy"], "said": list(last.values())[:50]}
    await _tell(parts, row, gate, Notice.DECIDED, "0", detail)


async def tell_ended(parts: Parts, row: JSON) -> None:
    """The closure has ended with `row["result"]`: a mail to the requester, a card to the channel.

    Harmless when repeated; the sweep calls it again for closures that ended lately. One that is opened again for a
    rollback tells of that end as well.
    """
    await _tell(parts, row, None, Notice.ENDED, str(turn_of(row)), {"result": str(row["result"] or "")})


async def tell_undelivered(parts: Parts, row: JSON, gate: JSON, notice: JSON, why: str, deputies: list[str]) -> None:
    """A message to an approver or to the channel could not be delivered: tell requester and channel."""
    to = notice["to"]
    who = {"upn": to["upn"], "name": to.get("name", "")} if to else None
    detail: JSON = {"who": who, "why": why, "deputies": deputies}
    # A channel that can't be reached is not told so through the channel.
    await _tell(parts, row, gate, Notice.UNDELIVERED, notice["noticeId"], detail, teams=to is not None)


async def _tell(
    parts: Parts, row: JSON, gate: JSON | None, kind: str, about: str, detail: JSON, *, teams: bool = True
) -> None:
    if parts.mailer is not None:
        who = row["requester"]
        requester = {key: who.get(key) or "" for key in ("tenantId", "objectId", "upn", "name")}
        await post(parts, row, gate, kind, about, detail, requester, MAIL)
    if parts.channel is not None and teams:
        await post(parts, row, gate, kind, about, detail, None, TEAMS)
