"""Links in messages: whose page a token opens, whether it still does, and who may decide with it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from tenantclosure.errors import RecordMissing, RequestRefused
from tenantclosure.model.people import Person
from tenantclosure.names import Status
from tenantclosure.ports import JSON
from tenantclosure.rendering.wording import SIGNED_IN
from web.principal import require
from web.problems import refuse
from web.roles import APPROVERS
from web.route import Call


@dataclass(frozen=True, slots=True)
class Link:
    """A link that was once sent: its record, and the closure and gate it leads to."""

    token_hash: str
    path: str
    doc: JSON
    row: JSON
    gate: JSON

    @property
    def gate_path(self) -> str:
        """The gate's own page, for whoever is signed in."""
        return f"/closures/{self.row['closureId']}/gates/{self.gate['gate']}"

    @property
    def person(self) -> Person:
        """The addressee."""
        return Person.from_dict(self.doc["person"])

    def is_for(self, person: Person) -> bool:
        """Whether this signed-in person is the addressee."""
        named = self.doc["person"]
        if named["objectId"]:
            return self.person.key == person.key
        # Never looked up (only in a rehearsal): known by address, within the tenant if that is known.
        return named["upn"] == person.upn and named["tenantId"].lower() in ("", person.tenant_id.lower())


async def link_of(call: Call) -> Link:
    """The link of the path, and on the call's trail who holds it.

    Raises RequestRefused (404), the same for a malformed token and for one that was never made.
    """
    token = call.req.route_params["token"]
    token_hash = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
    ledger, doc = call.parts.ledger, await call.parts.ledger.link(token_hash)
    try:
        row = await ledger.closure(doc["closureId"]) if doc else None
    except RecordMissing:
        row = None
    gate = await ledger.gate(doc["closureId"], doc["gate"], doc["serial"]) if doc and row else None
    if doc is None or row is None or gate is None:
        raise refuse(
            404,
            "unknown-link",
            "There is no such link.",
            "Open the whole link of your message, or sign in and look at /closures.",
        )
    link = Link(token_hash, f"/approvals/{quote(token, safe='')}", doc, row, gate)
    call.trail.closure, call.trail.gate = row["closureId"], gate["gate"]
    if call.person is None:
        call.trail.who = link.person.to_dict()
    return link


def check_usable(link: Link, now: datetime) -> None:
    """Raise RequestRefused (409, 410) with what to do, unless the link leads to an open gate over the plan as it is."""
    row, gate = link.row, link.gate
    there = f"Sign in at {link.gate_path}."
    if row["status"] == Status.ENDED:
        raise refuse(410, "closure-ended", f"This closure has ended ({row['result']}).", "Read its report.")
    if (gate["serial"], gate["digest"]) != (row["planSerial"], link.doc["digest"]):
        raise refuse(
            409,
            "newer-plan",
            f"This message was about plan {gate['serial']}; the plan has changed since.",
            f"Use the link of the newer message. {there}",
        )
    if gate["state"] == "approved":
        raise refuse(
            409,
            "gate-closed",
            "The gate is approved already; your word is not needed any more.",
            f"{there} There you can still say no.",
        )
    if gate["state"] != "open":
        raise refuse(410, "gate-closed", f"The gate is {gate['state']} already.", "Nothing is left to decide here.")
    if now > datetime.fromisoformat(link.doc["expiresAt"]):
        raise refuse(410, "link-expired", f"This link ended on {minute(link.doc['expiresAt'])}.", there)


def hindrance(link: Link, person: Person | None, home: str) -> RequestRefused | None:
    """Why whoever holds the link can't decide with it (403), or None.

    The link suffices at a gate that only goes on with what was approved; elsewhere the addressee has to be signed in.
    Somebody else who is signed in never decides with it.
    """
    if person is not None and not link.is_for(person):
        return refuse(
            403,
            "other-person",
            f"You are signed in as {person.upn}, but this link is for {link.doc['person']['upn']}.",
            "Sign out and let the addressee sign in.",
        )
    if link.gate["gate"] not in SIGNED_IN and link.doc["person"]["objectId"]:
        return None
    if person is None:
        return refuse(
            403,
            "sign-in-needed",
            "Whoever decides at this gate has to be signed in.",
            f"Sign in at {link.gate_path} and decide there.",
        )
    try:
        require(person, APPROVERS, home)
    except RequestRefused as error:
        return error
    return None


def used(link: Link) -> RequestRefused:
    """The refusal (409) of a link that has decided already."""
    when = f" on {minute(link.doc['usedAt'])} ({link.doc['decision']})" if link.doc["usedAt"] else ""
    return refuse(
        409,
        "link-used",
        f"This link was used{when}; a link decides once.",
        f"To see your decision or to change it, sign in at {link.gate_path}.",
    )


def minute(at: str) -> str:
    """A wire time to the minute."""
    return f"{at[:10]} at {at[11:16]} UTC"
