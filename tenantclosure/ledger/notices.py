"""Messages to people, the links in them, and what was used up: every one on record before it goes out."""

from __future__ import annotations

from collections.abc import Callable

from tenantclosure.errors import RecordConflict
from tenantclosure.ledger.book import Book, iso
from tenantclosure.ports import JSON


class Notices(Book):
    """Notices of a closure, and links and nonces by hash over all closures.

    A notice: {noticeId, kind, channel, gate, serial, digest, to, detail, state, why, queuedAt, tries, sentAt,
    reachedAt}. `kind` is a names.Notice, `channel` mail or teams, `to` a person {tenantId, objectId, upn, name, mail}
    or None (a Teams channel), `detail` what the message says beyond the closure itself, `state` pending, sent, failed
    or overtaken. A link: {closureId, gate, serial, digest, person, noticeId, madeAt, expiresAt, usedAt, decision}.
    """

    async def add_notice(self, closure: str, notice: JSON) -> bool:
        """Put a notice on record as pending; False when it is there already. `notice` holds noticeId, kind, channel,
        gate, serial, digest, to, detail.
        """
        doc = {
            **notice,
            "state": "pending",
            "why": "",
            "queuedAt": iso(self.clock.now()),
            "tries": 0,
            "sentAt": None,
            "reachedAt": None,
        }
        try:
            await self.records.create(closure, f"notice:{notice['noticeId']}", doc)
        except RecordConflict:
            return False
        return True

    async def notice(self, closure: str, notice_id: str) -> JSON | None:
        """One notice, or None."""
        found = await self.records.read(closure, f"notice:{notice_id}")
        return found[0] if found else None

    async def notices(self, closure: str, spoiled: list[str] | None = None) -> list[JSON]:
        """Every notice of a closure."""
        return [doc async for _, doc in self.rows(closure, "notice:", spoiled)]

    async def change_notice(self, closure: str, notice_id: str, edit: Callable[[JSON], None]) -> JSON:
        """Edit a notice; RecordMissing if there is none."""
        return await self.edit(closure, f"notice:{notice_id}", edit)

    async def add_link(self, token_hash: str, link: JSON) -> None:
        """Keep a link's hash (hex SHA-256 of its token) with whom and what it is for; `link` holds closureId, gate,
        serial, digest, person, noticeId, expiresAt.
        """
        made = {**link, "madeAt": iso(self.clock.now()), "usedAt": None, "decision": None}
        await self.records.create("link", token_hash, made)

    async def link(self, token_hash: str) -> JSON | None:
        """What a link is for, or None if there never was such a link."""
        found = await self.records.read("link", token_hash)
        return found[0] if found else None

    async def use_link(self, token_hash: str, decision: str) -> bool:
        """Use a link up; False when somebody else has, or there is none. Of several at once exactly one gets True."""
        found = await self.records.read("link", token_hash)
        if found is None or found[0]["usedAt"] is not None:
            return False
        used = {**found[0], "usedAt": iso(self.clock.now()), "decision": decision}
        try:
            await self.records.replace("link", token_hash, used, found[1])
        except RecordConflict:
            return False
        return True

    async def take_nonce(self, scope: str, nonce_hash: str) -> bool:
        """Take a nonce; False when it was taken before. `scope` is the caller's application id."""
        try:
            await self.records.create("nonce", f"{scope}:{nonce_hash}", {"at": iso(self.clock.now())})
        except RecordConflict:
            return False
        return True
