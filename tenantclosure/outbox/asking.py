"""Asking people to decide, and asking their deputies."""

from __future__ import annotations

from collections.abc import Iterable

from tenantclosure.names import Notice, Word
from tenantclosure.outbox.posting import MAIL, TEAMS, addressee, post, short_hash
from tenantclosure.policy.quorum import key_of
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts


async def ask(parts: Parts, row: JSON, gate: JSON, kind: str, people: list[JSON], ordinal: int = 0) -> None:
    """Ask, remind or escalate: a mail to each of these persons of the gate, and one card to the Teams channel.

    `row` and `gate` are the documents on record; `people` are persons {tenantId, objectId, upn, name, mail}, `ordinal`
    counts reminders. The same call again asks nobody twice. Without a mailer or channel that kind is left out.
    """
    await _ask(parts, row, gate, kind, people, str(ordinal), {})


async def escalate(parts: Parts, row: JSON, gate: JSON, groups: list[str], why: str) -> JSON:
    """Let the deputies of these groups decide as well, and ask them; returns the gate as it is now.

    Nothing happens at a gate that is not open, or where a group has no deputy. `why` is one sentence for the audit and
    the message. Harmless when repeated.
    """
    found = await parts.ledger.gate(row["closureId"], gate["gate"], gate["serial"])
    if found is None or found["state"] != "open":
        return found or gate
    if any(_missing(found, group) for group in groups):
        told = [person["upn"] for group in groups for person in _missing(found, group)]
        detail: JSON = {"gate": gate["gate"], "serial": gate["serial"], "groups": groups, "deputies": told, "why": why}
        await parts.ledger.audit(row["closureId"], Word.GATE_ESCALATED, None, detail)

        def edit(doc: JSON) -> None:
            if doc["state"] == "open":
                for group in groups:
                    doc["groups"][group]["people"] += _missing(doc, group)

        found = await parts.ledger.change_gate(row["closureId"], gate["gate"], gate["serial"], edit)
    deputies = [person for group in groups for person in found["groups"].get(group, {}).get("deputies", [])]
    # Asked even when they stand in the gate already: a crash may have come between the two.
    welcome = [person for person in deputies if key_of(person) not in found["excluded"]]
    about = short_hash(",".join(sorted(groups)))
    await _ask(parts, row, found, Notice.ESCALATE, welcome, about, {"why": why, "groups": sorted(groups)})
    return found


async def _ask(parts: Parts, row: JSON, gate: JSON, kind: str, people: list[JSON], about: str, detail: JSON) -> None:
    everyone = {addressee(person): person for person in people}
    if not everyone:
        return
    # One mail per deputy, however many of the person's groups are escalated one after the other.
    mail_about = "0" if kind == Notice.ESCALATE else about
    for person in everyone.values() if parts.mailer is not None else ():
        await post(parts, row, gate, kind, mail_about, detail, person, MAIL)
    if parts.channel is not None:
        await post(parts, row, gate, kind, about, {**detail, "asked": names_of(everyone.values())}, None, TEAMS)


def _missing(gate: JSON, group: str) -> list[JSON]:
    """Deputies of a group who don't yet stand among its people."""
    told = gate["groups"].get(group, {"people": [], "deputies": []})
    present = {addressee(person) for person in told["people"]}
    return [
        person
        for person in told.get("deputies", [])
        if addressee(person) not in present and key_of(person) not in gate["excluded"]
    ]


def names_of(people: Iterable[JSON], most: int = 9) -> list[str]:
    """Names for a message, at most so many; the rest is a number."""
    everyone = [str(person.get("name") or person["upn"]) for person in people]
    more = len(everyone) - most
    return everyone[:most] + ([f"{more} more"] if more > 0 else [])
